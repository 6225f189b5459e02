import { type GraphQLSchema, getVariableValues, type OperationDefinitionNode } from 'graphql';

/** What is needed of an operation that is to be executed. */
interface Asked {
  readonly schema: GraphQLSchema;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

type Coerced = ReturnType<typeof getVariableValues>;

interface Known {
  readonly given: object;
  readonly operation: OperationDefinitionNode;
  readonly coerced: Coerced;
}

/** A request asks twice within a turn of the event loop, most often. */
let last: Known | null = null;
/** Only what stands for long is kept here: the entries of a WeakMap that come and go are dear to collect. */
const standing = new WeakMap<object, Known>();
const none: Coerced = { coerced: Object.freeze({}) };

/**
 * The variables of an operation as its fields get them, or what is wrong with them. Worked out once for the values that
 * came: what an operation costs and what it gives need the same, and a subscription has them for all of its events.
 */
export function coerceVariables(asked: Asked, operation: OperationDefinitionNode): Coerced {
  const { variableDefinitions = [] } = operation;
  if (variableDefinitions.length === 0) return none;
  const given = asked.variableValues ?? asked;
  const before = last?.given === given ? last : standing.get(given);
  if (before?.operation === operation) return before.coerced;
  const coerced = getVariableValues(asked.schema, variableDefinitions, { ...asked.variableValues });
  last = { given, operation, coerced };
  // Where none were sent, `given` is of one event.
  if (operation.operation === 'subscription' && asked.variableValues) standing.set(given, last);
  return coerced;
}
