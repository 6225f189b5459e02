import {
  GraphQLBoolean,
  GraphQLID,
  GraphQLInt,
  type GraphQLSchema,
  GraphQLString,
  getVariableValues,
  isInputType,
  Kind,
  type OperationDefinitionNode,
  type VariableDefinitionNode,
  valueFromAST,
} from 'graphql';
import type { Variables } from './completion.ts';

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
  const coerced = takenAsTheyAre(asked, operation) ?? asGraphqlJs(asked, variableDefinitions);
  last = { given, operation, coerced };
  // Where none were sent, `given` is of one event.
  if (operation.operation === 'subscription' && asked.variableValues) standing.set(given, last);
  return coerced;
}

function asGraphqlJs({ schema, variableValues }: Asked, definitions: readonly VariableDefinitionNode[]): Coerced {
  return getVariableValues(schema, definitions, { ...variableValues });
}

/** A variable of one of the usual types. */
interface Plain {
  readonly name: string;
  readonly isRequired: boolean;
  /** What it is where it is not given; undefined for nothing. */
  readonly absent: unknown;
  /** Whether this value is taken as it is. */
  readonly takes: (value: unknown) => boolean;
}

const isText = (value: unknown) => typeof value === 'string';
const usual = new Map<unknown, Plain['takes']>([
  [GraphQLID, isText],
  [GraphQLString, isText],
  [GraphQLBoolean, (value) => typeof value === 'boolean'],
  // Of more than 32 bits it is refused.
  [GraphQLInt, (value) => typeof value === 'number' && (value | 0) === value],
]);

/** Null for an operation with a variable of another type, or one that is named as no property can be that is assigned. */
const plains = new WeakMap<OperationDefinitionNode, readonly Plain[] | null>();

/**
 * Most variables are ids, texts and numbers, of which nothing has to be made. graphql-js looks up the type of each anew,
 * and keeps them in objects that are slow to be read.
 * @returns null where it has to look, for something may be wrong.
 */
function takenAsTheyAre({ schema, variableValues }: Asked, operation: OperationDefinitionNode): Coerced | null {
  let plain = plains.get(operation);
  if (plain === undefined) {
    plain = plainOf(schema, operation.variableDefinitions ?? []);
    plains.set(operation, plain);
  }
  if (!plain) return null;
  const given = variableValues ?? {};
  const coerced: Variables = {};
  for (const { name, isRequired, absent, takes } of plain) {
    const isGiven = Object.hasOwn(given, name);
    const value = isGiven ? given[name] : absent;
    const isMissing = value == null && isRequired;
    if (isMissing || (isGiven && value !== null && !takes(value))) return null;
    if (value !== undefined) coerced[name] = value;
  }
  return { coerced };
}

function plainOf(schema: GraphQLSchema, definitions: readonly VariableDefinitionNode[]): readonly Plain[] | null {
  const plain: Plain[] = [];
  for (const { variable, type: written, defaultValue } of definitions) {
    const isRequired = written.kind === Kind.NON_NULL_TYPE;
    const named = isRequired ? written.type : written;
    const type = named.kind === Kind.NAMED_TYPE ? schema.getType(named.name.value) : undefined;
    const takes = usual.get(type);
    if (!takes || !isInputType(type) || variable.name.value === '__proto__') return null;
    const absent = defaultValue && valueFromAST(defaultValue, type);
    if (defaultValue && (absent === undefined || (isRequired && absent === null))) return null;
    plain.push({ name: variable.name.value, isRequired, absent, takes });
  }
  return plain;
}
