import { GraphQLError, parse } from 'graphql';
import { describe, expect, test } from 'vitest';
import { createDocuments } from '../../src/graphql/documents.ts';
import { costOf, limitRules } from '../../src/graphql/operationLimits.ts';
import { schema } from '../../src/graphql/schema.ts';

const limits = { depth: 8, aliases: 5, directives: 5, cost: 1_000 };
const create = () => createDocuments(schema, limitRules(limits, true), 1_000);

describe('G10 documents', () => {
  test('are parsed once for each text, and found again once they were valid', () => {
    const documents = create();
    const text = '{ serverTime }';
    expect(documents.findValid(text)).toBeNull();
    const document = documents.parse(text);
    expect(documents.parse(text)).toBe(document);
    expect(documents.findValid(text)).toBeNull();
    expect(documents.validate(document)).toEqual([]);
    expect(documents.findValid(text)).toBe(document);
    expect(documents.parse(`${text} `)).not.toBe(document);
  });

  test('that are not valid stay so, whoever asks again', () => {
    const documents = create();
    const text = '{ nothing }';
    for (let turn = 0; turn < 2; turn++) {
      expect(documents.validate(documents.parse(text))).toHaveLength(1);
      expect(documents.findValid(text)).toBeNull();
    }
    const tooDeep = `{ room(id: "") ${'{ lastMessage { room '.repeat(5)} { id } ${'} }'.repeat(5)} }`;
    expect(documents.validate(documents.parse(tooDeep))).toHaveLength(1);
    expect(() => documents.parse('{')).toThrow(GraphQLError);
    expect(() => documents.parse(`{ ${'serverTime '.repeat(1_001)} }`)).toThrow(/token/i);
  });

  test('that are nested more deeply than the stack holds are refused like others that cannot be parsed', () => {
    const patient = createDocuments(schema, limitRules(limits, true), 10_000_000);
    for (const levels of [10, 100, 1_000, 2_000, 4_000, 8_000, 100_000]) {
      const text = `{ ${'viewer { '.repeat(levels)} role ${'} '.repeat(levels)} }`;
      let refusals: readonly unknown[];
      try {
        refusals = patient.validate(patient.parse(text));
      } catch (error) {
        refusals = [error];
      }
      expect(refusals.length).toBeGreaterThan(0);
      for (const error of refusals) expect(error).toBeInstanceOf(GraphQLError);
    }
    expect(() => patient.parse(`{ ${'viewer { '.repeat(100_000)}`)).toThrow('nested too deeply');
  });

  test('are kept in a bounded number, those that are used longest', () => {
    const documents = create();
    const used = documents.parse('{ serverTime }');
    const unused = documents.parse('{ t: serverTime }');
    for (let index = 0; index < 3_000; index++) {
      documents.parse(`{ t${index}: serverTime }`);
      expect(documents.parse('{ serverTime }')).toBe(used);
    }
    expect(documents.parse('{ t: serverTime }')).not.toBe(unused);
    const long = (index: number) => `{ serverTime } ${'#'.repeat(40_000)}${index}`;
    for (let index = 0; index < 60; index++) documents.parse(long(index));
    const again = documents.parse(long(59));
    expect(documents.parse(long(59))).toBe(again);
    expect(documents.parse('{ serverTime }')).not.toBe(used);
  });
});

test('G10 a cost that is known is the cost of the very variables', () => {
  const text = `query ($first: Int = 20, $ids: [ID!]!, $skip: Boolean!, $search: String) {
    users(first: $first, search: $search) { nodes { id } }
    nodes(ids: $ids) @skip(if: $skip) { id }
  }`;
  const known = parse(text);
  const variables = [undefined, 1, 5, 50, null].flatMap((first) =>
    [['a'], ['a', 'b'], []].flatMap((ids) =>
      [true, false].flatMap((skip) => [undefined, null, 'a', 'b'].map((search) => ({ first, ids, skip, search }))),
    ),
  );
  const costs = new Set<number | null>();
  for (const variableValues of [...variables, ...variables.toReversed()]) {
    const cost = costOf({ schema, document: known, variableValues });
    expect(cost).toBe(costOf({ schema, document: parse(text), variableValues }));
    costs.add(cost);
  }
  expect(costs.size).toBeGreaterThan(8);
  expect(() => costOf({ schema, document: known, variableValues: { ids: 'a' } })).toThrow();
});

test.each(['first', '__proto__', 'constructor'])(
  'G10 a page costs what it asks for, also where its variable is named %s',
  (name) => {
    const document = parse(`query ($${name}: Int) { users(first: $${name}) { nodes { id } } }`);
    const costs = [1, 50, 100, 1].map((size) =>
      costOf({ schema, document, variableValues: JSON.parse(`{ "${name}": ${size} }`) }),
    );
    expect(costs[3]).toBe(costs[0]);
    expect(new Set(costs).size).toBe(3);
    const without = costOf({ schema, document, variableValues: {} });
    expect(without).toBe(costOf({ schema, document: parse('{ users { nodes { id } } }') }));
  },
);
