import { buildSchema, getVariableValues, Kind, parse } from 'graphql';
import { expect, test } from 'vitest';
import { coerceVariables } from '../../src/graphql/variables.ts';
import { createRandom } from '../support/random.ts';

const schema = buildSchema(`
  enum Size { SMALL LARGE }
  input Filter { size: Size }
  scalar Time
  type Query { field(id: ID, number: Float): Int }`);

const types = [
  'ID',
  'String',
  'Boolean',
  'Int',
  'Int!',
  'ID!',
  'Float',
  'Size',
  'Time',
  '[Int!]',
  'Filter',
  'Query',
  'Nothing',
];
const usualTypes = 6;
const defaults = ['', '', '', ' = 1', ' = "a"', ' = true', ' = null', ' = LARGE'];
const values = [
  '',
  'a',
  '',
  5,
  0,
  -0,
  1.5,
  2 ** 31,
  -(2 ** 31),
  Number.NaN,
  true,
  null,
  undefined,
  [1],
  { size: 'SMALL' },
  5n,
];

test('G10 variables are coerced as graphql-js does it, and what it refuses is refused in its words', () => {
  const random = createRandom('variables');
  const seen = { taken: 0, refused: 0 };
  for (let time = 0; time < 5_000; time++) {
    const names = ['a', 'constructor', '__proto__'].slice(0, 1 + random.integer(3));
    // Mostly of the usual types, or hardly any operation would have nothing else.
    const choices = random.integer(3) > 0 ? types.slice(0, usualTypes) : types;
    const definitions = names.map((name) => `$${name}: ${random.pick(choices)}${random.pick(defaults)}`);
    const [operation] = parse(`query (${definitions.join(', ')}) { field }`).definitions;
    if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('it is no operation');
    for (let again = 0; again < 3; again++) {
      const variableValues = Object.fromEntries(
        names.flatMap((name) => (random.integer(4) > 0 ? [[name, values[random.integer(values.length)]]] : [])),
      );
      const expected = getVariableValues(schema, operation.variableDefinitions ?? [], variableValues);
      const coerced = coerceVariables({ schema, variableValues }, operation);
      expect(coerced.errors?.map(String)).toEqual(expected.errors?.map(String));
      expect(Object.entries(coerced.coerced ?? {})).toEqual(Object.entries(expected.coerced ?? {}));
      seen[expected.errors ? 'refused' : 'taken']++;
    }
  }
  expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(1_000);
});
