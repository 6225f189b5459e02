import { expect, test } from 'vitest';
import { createContext } from '../../src/graphql/context.ts';
import { createDocuments } from '../../src/graphql/documents.ts';
import { operationKey } from '../../src/graphql/operationKey.ts';
import { schema } from '../../src/graphql/schema.ts';

const documents = createDocuments(schema, [], 1_000);

/** Whether two subscriptions of a document that differ in this variable share what is made of an event. */
function shares(text: string, operationName: string, name: string, [one, other]: readonly [unknown, unknown]): boolean {
  const key = (value: unknown) =>
    operationKey({
      schema,
      document: documents.parse(text),
      operationName,
      variableValues: { [name]: value },
      contextValue: createContext(null),
    });
  return key(one) === key(other);
}

const added = (args: string, selection: string) => `messageAdded(${args}) { ... on MessageAdded { ${selection} } }`;
const start = `subscription Start($after: String) { ${added('after: $after', 'cursor')} }`;

test('R2 where a subscriber starts is no matter, and everything else is', () => {
  expect(shares(start, 'Start', 'after', ['a', 'b'])).toBe(true);
  const page = `subscription Page($first: Int) { ${added('', 'message { replies(first: $first) { nodes { id } } }').replace('()', '')} }`;
  expect(shares(page, 'Page', 'first', [1, 2])).toBe(false);
});

test('R2 a variable of one operation is not that of another in the same document', () => {
  const other = `subscription Other($after: Boolean!) { ${added('roomId: "room"', 'cursor @include(if: $after)')} }`;
  expect(shares(`${start} ${other}`, 'Start', 'after', ['a', 'b'])).toBe(true);
  expect(shares(`${start} ${other}`, 'Other', 'after', [true, false])).toBe(false);
});

test('R2 a variable that is used elsewhere too counts, also where that comes before it', () => {
  const used = `subscription Used($after: String) { ${added('after: $after', 'message { ...Page }')} }`;
  const page = 'fragment Page on Message { replies(after: $after) { nodes { id } } }';
  for (const text of [`${used} ${page}`, `${page} ${used}`]) {
    expect(shares(text, 'Used', 'after', ['a', 'b'])).toBe(false);
  }
});
