import { type GraphQLSchema, getVariableValues, type OperationDefinitionNode } from 'graphql';

/** What is needed of an operation that is to be executed. */
interface Asked {
  readonly schema: GraphQLSchema;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

type Coerced = ReturnType<typeof getVariableValues>;

const known = new WeakMap<object, { readonly operation: OperationDefinitionNode; readonly coerced: Coerced }>();

/**
 * The variables of an operation as its fields get them, or what is wrong with them. What an operation costs and what it
 * gives are worked out one after the other from the same arguments: it is done once for both.
 */
export function coerceVariables(asked: Asked, operation: OperationDefinitionNode): Coerced {
  const before = known.get(asked);
  if (before?.operation === operation) return before.coerced;
  const coerced = getVariableValues(asked.schema, operation.variableDefinitions ?? [], { ...asked.variableValues });
  known.set(asked, { operation, coerced });
  return coerced;
}
