import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type FragmentDefinitionNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  isAbstractType,
  isCompositeType,
  isLeafType,
  Kind,
  type OperationDefinitionNode,
  OperationTypeNode,
  type SelectionSetNode,
  typeFromAST,
  visit,
} from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';

export type Execute = (args: ExecutionArgs) => Promise<ExecutionResult>;

/** How often an operation is executed before it is compiled: one that does not come again is not worth it. */
const usesBefore = 2;
/** How many compiled queries are kept. */
const keptQueries = 300;
/** After compiling, so many times as long as it took nothing is compiled: who sends new queries all the time costs little. */
const restAfterCompiling = 10;

/**
 * Executes queries and mutations, and subscriptions for one of their events. Queries and events that come again and again
 * are compiled, which gives the same data sooner; where there is an error in it, it is executed once more, by graphql-js,
 * whose errors are the ones that count. Mutations, which cannot be done twice, are always executed by graphql-js.
 *
 * Documents have to be the same node for the same text, as graphql/documents.ts gives them. What a field without a
 * resolver gives has to be there already: compiled, a promise would not be waited for.
 * @param options.onCompile called for each query that is compiled.
 * @param options.rest what to have for `restAfterCompiling`.
 */
export function createExecute(
  schema: GraphQLSchema,
  options: { readonly onCompile?: () => void; readonly rest?: number } = {},
): Execute {
  const { onCompile, rest = restAfterCompiling } = options;
  /** When something may be compiled again, as `performance.now()` says. */
  let restsUntil = 0;
  const uses = new WeakMap<OperationDefinitionNode, number>();
  /** Null for what cannot be compiled. The one compiled first goes first: a Map keeps the order of insertion. */
  const compiled = new Map<OperationDefinitionNode, CompiledQuery | null>();

  function compiledOf(operation: OperationDefinitionNode, args: ExecutionArgs): CompiledQuery | null {
    const known = compiled.get(operation);
    if (known !== undefined) return known;
    const used = (uses.get(operation) ?? 0) + 1;
    uses.set(operation, used);
    const startedAt = performance.now();
    if (used <= usesBefore || startedAt < restsUntil) return null;
    const query = compile(schema, args);
    const endedAt = performance.now();
    restsUntil = endedAt + rest * (endedAt - startedAt);
    if (query) onCompile?.();
    compiled.set(operation, query);
    const oldest = compiled.size > keptQueries ? compiled.keys().next().value : undefined;
    if (oldest) compiled.delete(oldest);
    return query;
  }

  return async (args) => {
    const operation = getOperationAST(args.document, args.operationName);
    const isRepeatable = operation && operation.operation !== OperationTypeNode.MUTATION;
    const query = isRepeatable ? compiledOf(operation, args) : null;
    if (query) {
      const result = await query.query(args.rootValue, args.contextValue, args.variableValues);
      if (!result.errors) return result;
    }
    return execute(args);
  };
}

function compile(schema: GraphQLSchema, { document, operationName }: ExecutionArgs): CompiledQuery | null {
  const operation = getOperationAST(document, operationName);
  if (!operation || !isCompilable(schema, document, operation)) return null;
  const query = compileQuery(schema, document, operationName ?? undefined);
  return isCompiledQuery(query) ? query : null;
}

/** Fields that a compiled query has at most: code is made for each of them under each type that may stand there. */
const mostFields = 1_000;

/**
 * Whether a query can be compiled in a time that does not depend on who wrote it, as it holds up everybody, and then does
 * what graphql-js does. Measured with graphql-jit 0.8.9: compiling does not end for a variable of an input type that
 * contains itself, and takes twice as long with each level of nested interfaces; a variable that is left out inside of a
 * literal does not give way to the default, and `@include` takes a null for false. What `__proto__` is an alias of is lost.
 */
function isCompilable(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): boolean {
  const definitions = operation.variableDefinitions ?? [];
  if (!definitions.every(({ type }) => isLeafType(getNamedType(typeFromAST(schema, type))))) return false;
  return !hasOddNames(document) && !hasOddVariables(document) && unfoldsToLittle(schema, document, operation);
}

function hasOddNames(document: DocumentNode): boolean {
  let odd = false;
  visit(document, {
    Field({ alias }) {
      odd ||= alias?.value === '__proto__';
    },
  });
  return odd;
}

function hasOddVariables(document: DocumentNode): boolean {
  const nullable = new Set<string>();
  let odd = false;
  const inLiteral = {
    Variable() {
      odd = true;
    },
  };
  visit(document, {
    VariableDefinition({ type, variable }) {
      if (type.kind !== Kind.NON_NULL_TYPE) nullable.add(variable.name.value);
    },
    ListValue: (node) => void visit(node, inLiteral),
    ObjectValue: (node) => void visit(node, inLiteral),
  });
  // Fragments may stand before the operation.
  visit(document, {
    Directive({ arguments: given = [] }) {
      odd ||= given.some(({ value }) => value.kind === Kind.VARIABLE && nullable.has(value.name.value));
    },
  });
  return odd;
}

function unfoldsToLittle(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode): boolean {
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  let left = mostFields;

  function unfold({ selections }: SelectionSetNode, parent: GraphQLObjectType): boolean {
    return selections.every((selection) => {
      left--;
      if (left < 0) return false;
      if (selection.kind === Kind.FIELD) {
        const { name, selectionSet } = selection;
        if (name.value === '__schema' || name.value === '__type') return false;
        const type = getNamedType(parent.getFields()[name.value]?.type);
        if (!selectionSet || !isCompositeType(type)) return true;
        const possible = isAbstractType(type) ? schema.getPossibleTypes(type) : [type];
        return possible.every((each) => unfold(selectionSet, each));
      }
      const fragment = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
      const on = fragment?.typeCondition ? schema.getType(fragment.typeCondition.name.value) : parent;
      const applies = on === parent || (isAbstractType(on) && schema.isSubType(on, parent));
      return !fragment || !applies || unfold(fragment.selectionSet, parent);
    });
  }

  const root = schema.getRootType(operation.operation);
  return root != null && unfold(operation.selectionSet, root);
}
