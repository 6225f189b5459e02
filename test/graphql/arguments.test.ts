import { buildSchema, type FieldNode, getArgumentValues, Kind, parse } from 'graphql';
import { expect, test } from 'vitest';
import { argumentsOf } from '../../src/graphql/arguments.ts';
import { createRandom } from '../support/random.ts';

const schema = buildSchema(`
  input Filter { size: Int, names: [String!] = ["a"] }
  type Query {
    field(plain: Int, must: Int!, usual: Int = 5, nothing: Int = null, mustUsual: Int! = 6, list: [Int!], filter: Filter, constructor: Int): Int
  }`);
const field = schema.getQueryType()?.getFields().field;

const absent = '';
const given: Readonly<Record<string, readonly string[]>> = {
  plain: [absent, '1', 'null', '$x'],
  must: [absent, '1', 'null', '$x', '1'],
  usual: [absent, '1', 'null', '$y'],
  nothing: [absent, '1', '$y'],
  mustUsual: [absent, '1', '$x'],
  list: [absent, '[1, 2]', '3', '$list', '[1, $x]'],
  filter: [absent, '{ size: 1 }', '$filter', '{ size: $x }'],
  constructor: [absent, '1', '$toString'],
};
const values: Readonly<Record<string, readonly unknown[]>> = {
  x: [absent, undefined, null, 7, 8],
  y: [absent, null, 9],
  list: [absent, null, [1, 2]],
  filter: [absent, null, { size: 3, names: ['b'] }],
};

/** What it gives, in the order of its names; or that it refuses, which graphql-js then tells in its own words. */
function outcome(work: () => object): unknown {
  try {
    return Object.entries(work());
  } catch {
    return 'refused';
  }
}

test('G10 arguments worked out before are those that graphql-js works out for each request, and what it refuses is refused', () => {
  if (!field) throw new Error('the field is not there');
  const random = createRandom('arguments');
  const seen = new Set<boolean>();
  for (let time = 0; time < 3_000; time++) {
    const chosen = Object.entries(given).map(([name, texts]) => ({ name, text: random.pick(texts) }));
    const texts = chosen.filter(({ text }) => text !== absent).map(({ name, text }) => `${name}: ${text}`);
    const [definition] = parse(`{ field${texts.length > 0 ? `(${texts.join(', ')})` : ''} }`).definitions;
    if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error('it is no operation');
    const node = definition.selectionSet.selections[0] as FieldNode;
    const variables = Object.fromEntries(
      Object.entries(values).flatMap(([name, choices]) => {
        const value = choices[random.integer(choices.length)];
        return value === absent ? [] : [[name, value]];
      }),
    );
    const expected = outcome(() => getArgumentValues(field, node, variables));
    expect(outcome(() => argumentsOf(field, node)(variables))).toEqual(expected);
    seen.add(expected === 'refused');
  }
  expect(seen.size).toBe(2);
});

test('arguments without a variable are the same object for every request', () => {
  if (!field) throw new Error('the field is not there');
  const [definition] = parse('{ field(must: 1, list: [2]) }').definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error('it is no operation');
  const argsOf = argumentsOf(field, definition.selectionSet.selections[0] as FieldNode);
  expect(argsOf({})).toBe(argsOf({ x: 1 }));
});
