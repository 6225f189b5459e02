import { maxAliasesRule } from '@escape.tech/graphql-armor-max-aliases';
import { maxDepthRule } from '@escape.tech/graphql-armor-max-depth';
import { maxDirectivesRule } from '@escape.tech/graphql-armor-max-directives';
import {
  type DocumentNode,
  GraphQLError,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  getOperationAST,
  isCompositeType,
  isListType,
  isNonNullType,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  type ValidationContext,
  type ValidationRule,
} from 'graphql';
import { type ComplexityEstimator, getComplexity } from 'graphql-query-complexity';
import { coerceVariables } from './variables.ts';

/** What one operation may be, whatever it asks for. */
export interface OperationLimits {
  readonly depth: number;
  readonly aliases: number;
  readonly directives: number;
  readonly cost: number;
}

/** Refused for what it is before anything of it is done; the same over HTTP, server-sent events and WebSocket. */
export function tooComplex(limit: keyof OperationLimits, message: string, extensions: object = {}): GraphQLError {
  return new GraphQLError(message, {
    extensions: { code: 'OPERATION_TOO_COMPLEX', limit, ...extensions, http: { spec: true, status: 400 } },
  });
}

/** The rules of validation beyond those of the specification. They depend on the document alone. */
export function limitRules(limits: OperationLimits, introspection: boolean): ValidationRule[] {
  const refusing = (limit: keyof OperationLimits) => ({
    n: limits[limit],
    // Reported like any other error of the document, instead of thrown out of its validation.
    propagateOnRejection: false,
    onReject: [
      (context: ValidationContext | null, error: GraphQLError) =>
        context?.reportError(tooComplex(limit, error.message.replace(/^Syntax Error: /, ''), { max: limits[limit] })),
    ],
  });
  return [
    maxDepthRule({ ...refusing('depth'), flattenFragments: true }),
    // An alias of `__typename` costs what every alias costs.
    maxAliasesRule({ ...refusing('aliases'), allowList: [] }),
    maxDirectivesRule(refusing('directives')),
    ...(introspection ? [] : [NoSchemaIntrospectionCustomRule]),
  ];
}

/** Items of a list that is not paged, such as mentions. */
const usualItems = 10;
/** Items of a page whose size is left out. */
const usualPage = 50;

/**
 * What a field costs: one for each object that it gives, times the items of lists. A connection gives as many as its
 * page has, and its `edges` and `nodes` are that page.
 */
const estimate: ComplexityEstimator = ({ type, field, args, childComplexity }) => {
  if (!isCompositeType(getNamedType(field.type))) return 0;
  if (isConnection(field)) return 1 + pageSize(args) * childComplexity;
  const items = isList(field) && !('name' in type && type.name.endsWith('Connection')) ? itemsOf(args) : 1;
  return items * (1 + childComplexity);
};

function isConnection(field: GraphQLField<unknown, unknown>): boolean {
  return field.args.some((arg) => arg.name === 'first') && field.args.some((arg) => arg.name === 'last');
}

function isList({ type }: GraphQLField<unknown, unknown>): boolean {
  return isListType(isNonNullType(type) ? type.ofType : type);
}

function pageSize(args: Readonly<Record<string, unknown>>): number {
  const size = args.first ?? args.last;
  return typeof size === 'number' ? Math.max(size, 1) : usualPage;
}

function itemsOf({ ids }: Readonly<Record<string, unknown>>): number {
  return Array.isArray(ids) ? Math.max(ids.length, 1) : usualItems;
}

/** What is asked for, as `execute` gets it. */
export interface Asked {
  readonly schema: GraphQLSchema;
  readonly document: DocumentNode;
  readonly operationName?: string | null | undefined;
  readonly variableValues?: Readonly<Record<string, unknown>> | null | undefined;
}

/**
 * What operations cost, by what of their variables can matter. The limits are far from what this may hold: it is given
 * up when it is full.
 */
const knownCosts = new WeakMap<OperationDefinitionNode, Map<string, number>>();
const keptCosts = 200;

/**
 * What an operation costs with these variables, before it is executed.
 * @returns null where there is no such operation in the document: then nothing is executed either.
 * @throws AggregateError for variables that do not fit.
 * @throws GraphQLError for arguments that do not, and for fragments that unfold to more than can be counted.
 */
export function costOf(asked: Asked): number | null {
  const { schema, document, operationName, variableValues } = asked;
  const operation = getOperationAST(document, operationName);
  if (!operation) return null;
  const variables = { ...variableValues };
  const { errors, coerced } = coerceVariables(asked, operation);
  if (errors) throw new AggregateError(errors);
  const known = knownCosts.get(operation) ?? new Map<string, number>();
  knownCosts.set(operation, known);
  const key = costKey(operation, coerced);
  const before = known.get(key);
  if (before !== undefined) return before;
  try {
    const cost = getComplexity({
      schema,
      query: document,
      variables,
      ...(operationName ? { operationName } : {}),
      estimators: [estimate],
    });
    if (known.size >= keptCosts) known.clear();
    known.set(key, cost);
    return cost;
  } catch (error) {
    if (!(error instanceof GraphQLError) || !error.message.includes('number of nodes')) throw error;
    throw tooComplex('cost', 'The fragments of the operation unfold to more fields than are counted.');
  }
}

/**
 * A cost depends on sizes of pages, on how many ids a list has and on what `@skip` and `@include` say, so on numbers,
 * lengths and truth; and whether an argument fits, once its variable does, on nothing but whether that is there at all.
 */
function costKey({ variableDefinitions = [] }: OperationDefinitionNode, variables: Readonly<Record<string, unknown>>) {
  let key = '';
  for (const { variable } of variableDefinitions) {
    const { value: name } = variable.name;
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (value == null || typeof value === 'number' || typeof value === 'boolean') key += `${value},`;
    else key += Array.isArray(value) ? `#${value.length},` : 'set,';
  }
  return key;
}
