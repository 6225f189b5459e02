import { type GraphQLSchema, getVariableValues, type OperationDefinitionNode } from 'graphql';

/** What is needed of an operation that is to be executed. */
interface Asked {
  readonly schema: GraphQLSchema;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

type Coerced = ReturnType<typeof getVariableValues>;

const known = new WeakMap<object, { readonly operation: OperationDefinitionNode; readonly coerced: Coerced }>();
const none: Coerced = { coerced: Object.freeze({}) };

/**
 * The variables of an operation as its fields get them, or what is wrong with them. Worked out once for the values that
 * came: what an operation costs and what it gives need the same, and a subscription has them for all of its events.
 */
export function coerceVariables(asked: Asked, operation: OperationDefinitionNode): Coerced {
  const { variableDefinitions = [] } = operation;
  if (variableDefinitions.length === 0) return none;
  const given = asked.variableValues ?? asked;
  const before = known.get(given);
  if (before?.operation === operation) return before.coerced;
  const coerced = getVariableValues(asked.schema, variableDefinitions, { ...asked.variableValues });
  known.set(given, { operation, coerced });
  return coerced;
}
