import { readFileSync } from 'node:fs';
import {
  buildSchema,
  createSourceEventStream,
  type DocumentNode,
  type ExecutionResult,
  execute,
  type GraphQLSchema,
  getOperationAST,
  isAbstractType,
  isObjectType,
  parse,
  responsePathAsArray,
  validate,
} from 'graphql';
import { describe, expect, test } from 'vitest';
import type { Caller } from '../../src/domains/caller.ts';
import { roomPosition } from '../../src/events/position.ts';
import { ofSource } from '../../src/graphql/completion.ts';
import { createContext } from '../../src/graphql/context.ts';
import { createExecute } from '../../src/graphql/execution.ts';
import { schema } from '../../src/graphql/schema.ts';
import { decodeId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { attempt, createRoom, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { createHostileDocuments } from '../support/hostileDocuments.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { createRandom } from '../support/random.ts';
import { startServer } from '../support/server.ts';

type Variables = Readonly<Record<string, unknown>>;

/** Compares what a query gives, executed by graphql-js, with what it gives when it comes again and again. */
function comparison(of: GraphQLSchema, contextValue: () => unknown, rootOfAll?: unknown) {
  let compiled = 0;
  let givenUp = 0;
  const run = createExecute(of, { onCompile: () => compiled++, onGivenUp: () => givenUp++ });
  return {
    compiled: () => compiled,
    givenUp: () => givenUp,
    async compare(
      document: DocumentNode,
      variableValues: Variables = {},
      operationName?: string,
      rootValue: unknown = rootOfAll,
    ) {
      const args = () => ({
        schema: of,
        document,
        variableValues,
        operationName,
        rootValue,
        contextValue: contextValue(),
      });
      const expecting = args();
      const expected = shown(await execute(expecting));
      for (let turn = 0; turn < 4; turn++) {
        const given = args();
        expect(shown(await run(given))).toBe(expected);
        // Nor is another one set apart, who is shown something else.
        expect(Object(given.contextValue).setApart).toEqual(Object(expecting.contextValue).setApart);
      }
      return expected;
    },
  };
}

/** Compares what a subscription gives for its first events from the log. @returns the results. */
async function compareEvents(query: string, count: number, viewer: Caller): Promise<string[]> {
  const side = comparison(schema, () => createContext(viewer, null, null, new Set()));
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  const variableValues = { roomId, after: roomPosition(decodeId(roomId)?.uuid ?? '', 0n) };
  const contextValue = createContext(viewer);
  const events = await createSourceEventStream({ schema, document, variableValues, contextValue });
  if (!(Symbol.asyncIterator in events)) throw new Error(JSON.stringify(events));
  const results: string[] = [];
  for await (const event of events) {
    results.push(await side.compare(document, variableValues, undefined, event));
    if (results.length === count) break;
  }
  expect(side.compiled()).toBe(1);
  if (!results.join().includes('"errors"')) expect(side.givenUp()).toBe(0);
  return results;
}

/** As it goes to the client; errors of fields beside each other come in no particular order. */
function shown({ errors, ...result }: ExecutionResult): string {
  return JSON.stringify({ ...result, errors: errors?.map((error) => JSON.stringify(error)).sort() });
}

function parsed(text: string): DocumentNode | null {
  try {
    return parse(text);
  } catch {
    return null;
  }
}

const server = await startServer({ databaseUrl: await createTestDatabase() });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const ben = await server.signIn(person('acme', 'Ben'));
const roomId = await createRoom(ana, { kind: 'GROUP', name: 'one' });
const channelId = await createRoom(ana, { kind: 'CHANNEL', name: 'two' });
await attempt(ana, 'addMembers', { roomId, userIds: [ben.id] });
const first = await send(ana, roomId, 'the first <!room>');
await send(ben, roomId, `an answer to <@${ana.id}>`, { replyToId: first.id });
const edited = await send(ben, roomId, 'before');
await attempt(ben, 'editMessage', { messageId: edited.id, body: 'after' });
const deleted = await send(ben, roomId, 'gone');
await attempt(ben, 'deleteMessage', { messageId: deleted.id });
await attempt(ana, 'purgeMessages', { before: new Date().toISOString(), mode: 'SOFT', roomId: channelId });
const caller = await server.callerOf(person('acme', 'Ana', 'admin'));
const agent = await server.callerOf(person('acme', 'Ben'));
const ours = comparison(schema, () => createContext(caller));
const asAgent = comparison(schema, () => createContext(agent));
const asNobody = comparison(schema, () => createContext(null));

describe('G10 compiled queries', () => {
  test('show an author who is kept by the very same object, until the author changes', async () => {
    const run = createExecute(schema);
    const document = parse(
      `query ($id: ID!) { room(id: $id) { messages(first: 1) { nodes { author { id name ... on User { email } } } } } }`,
    );
    const author = async () => {
      const { data } = await run({
        schema,
        document,
        variableValues: { id: roomId },
        contextValue: createContext(caller),
      });
      return listAt(data, 'room.messages.nodes').map((node) => at(node, 'author'))[0];
    };
    await author();
    const known = await author();
    expect(await author()).toBe(known);
    const token = await signToken(person('acme', 'Ana', 'admin'), { claims: { name: 'Ana Silva' } });
    await createClient(server.url, token).query('{ viewer { role } }');
    expect(await author()).not.toBe(known);
  });

  test('of our own front ends give what graphql-js gives', async () => {
    const manifest: Record<string, string> = JSON.parse(
      readFileSync(new URL('../../src/web/generated/persisted-documents.json', import.meta.url), 'utf8'),
    );
    const variables = { roomId, messageId: first.id, id: roomId, first: 2, last: 2, search: 'a' };
    let queries = 0;
    for (const text of Object.values(manifest)) {
      const document = parse(text);
      const operation = getOperationAST(document);
      if (operation?.operation !== 'query') continue;
      const wanted = new Set(operation.variableDefinitions?.map(({ variable }) => variable.name.value));
      const given = Object.entries(variables).filter(([name]) => wanted.has(name) && name !== 'last');
      expect(await ours.compare(document, Object.fromEntries(given))).not.toContain('"errors"');
      await asAgent.compare(document, Object.fromEntries(given));
      await asNobody.compare(document, {});
      queries++;
    }
    expect(queries).toBeGreaterThan(2);
    expect(ours.compiled()).toBeGreaterThanOrEqual(queries);
    expect(ours.givenUp()).toBe(0);
  });

  test('R2 of subscriptions, for each of their events, give what graphql-js gives', async () => {
    const manifest: Record<string, string> = JSON.parse(
      readFileSync(new URL('../../src/web/generated/persisted-documents.json', import.meta.url), 'utf8'),
    );
    const own = Object.values(manifest).filter((text) => text.includes('subscription '));
    expect(own).toHaveLength(2);
    for (const text of own) {
      for (const viewer of [caller, agent]) {
        const results = await compareEvents(text, text.includes('subscription MessageAdded') ? 4 : 2, viewer);
        for (const result of results) expect(result).not.toContain('"errors"');
      }
    }
    const everything = `subscription ($roomId: ID!, $after: String) { roomEvents(roomId: $roomId, after: $after) {
      __typename ... on RoomChange { cursor }
      ... on MessageAdded { message { ...Said room { id unreadCount viewerMember { role } } } }
      ... on MessageEdited { message { ...Said edits { nodes { body } } } }
      ... on MessageDeleted { message { ...Said } }
    } } fragment Said on Message {
      id body nonce createdAt editedAt deletedAt author { __typename id name } mentions { id } replyTo { id body author { name } }
    }`;
    const results = await Promise.all([caller, agent].map((viewer) => compareEvents(everything, 9, viewer)));
    expect(results.flat().join()).toContain('MessageDeleted');
    // The viewers differ, and so does what is theirs.
    expect(results[0]).not.toEqual(results[1]);
    // What fails for its event has the errors of graphql-js.
    const failing = `subscription ($roomId: ID!, $after: String) { messageAdded(roomId: $roomId, after: $after) {
      ... on MessageAdded { message { id room { deliveries: messages(first: 100000) { nodes { id } } } } }
    } }`;
    expect((await compareEvents(failing, 2, caller)).join()).toContain('"errors"');
  });

  test('over the types of the schema, with what Prisma reads for nested fields, give the same', async () => {
    const everything = `query All($roomId: ID!, $ids: [ID!]!, $last: Int = 50, $shown: Boolean! = true, $hidden: Boolean!) {
      viewer { ...Person role permissions tokenExpiresAt }
      room(id: $roomId) {
        ...Parts
        creator { ...Who createdAt }
        viewerMember { role muted actor { name } }
        newest: messages(last: $last) { edges { cursor node { ...Said } } pageInfo { hasNextPage startCursor } }
        oldest: messages(first: 1) { nodes { ...Said } }
        members(first: 1) { nodes { actor { ...Who } readCursor } pageInfo { endCursor } }
        skipped: name @skip(if: $shown)
        left: name @include(if: $hidden)
        lastMessage @include(if: $shown) { ...Said body @skip(if: $hidden) }
      }
      nodes(ids: $ids) { __typename id ... on Room { title: name creator { name } } ... on Message { ...Said } ... on Actor { name } }
      rooms(first: 10, list: CHANNELS) { nodes { ...Parts creator { name } } }
    }
    fragment Person on Viewer { actor { ...Who } }
    fragment Who on Actor { __typename id name ... on User { email role } }
    fragment Parts on Room { id kind name topic unreadCount viewerPermissions memberCount lastActivityAt }
    fragment Said on Message {
      id kind body createdAt editedAt deletedAt author { ...Who } mentions { id } replyTo { id body author { name } }
      replies(first: 5) { nodes { id } } edits { nodes { body editor { ...Who } } } room { id creator { name } }
    }`;
    const document = parse(everything);
    expect(validate(schema, document)).toEqual([]);
    const ids = [roomId, first.id, ben.id, channelId, 'room_00000000000000000000000000'];
    const result = await ours.compare(document, { roomId, ids, hidden: false });
    expect(result).toContain('"after"');
    expect(result).not.toContain('"errors"');
    await ours.compare(document, { roomId, ids: [], hidden: true, shown: false, last: 1 });
    await ours.compare(document, { roomId, ids: 'room_x', hidden: true });
    await ours.compare(document, { roomId: null, ids, hidden: false });
    await ours.compare(document, { roomId, ids, hidden: 'yes' });
    await ours.compare(document, { roomId, ids, hidden: false, last: null });
    await ours.compare(document, { roomId, ids, hidden: false, shown: null });
    await asAgent.compare(document, { roomId, ids, hidden: false });
    await asNobody.compare(document, { roomId, ids, hidden: false });
  });

  test('made at random over the whole schema give the same', { timeout: 120_000 }, async () => {
    const random = createRandom('compiled queries');
    const cursor = textAt(
      (await ana.query(`{ room(id: "${roomId}") { messages { pageInfo { startCursor } } } }`)).data,
      'room.messages.pageInfo.startCursor',
    );
    const ids = [roomId, roomId, channelId, first.id, edited.id, ana.id, ben.id, 'room_x'];
    const { operation } = createHostileDocuments(schema, random, { ids, cursors: [cursor, 'AAAA'] });
    let compared = 0;
    let whole = 0;
    while (compared < 250) {
      const { query, variables } = operation();
      // The time is another one each time, and so is where the viewer's stream stands.
      if (!query.startsWith('query') || /serverTime|viewer.*cursor/s.test(query)) continue;
      const document = parsed(query);
      if (!document || validate(schema, document).length > 0) continue;
      const side = random.pick([ours, ours, asAgent, asNobody]);
      const result = await side.compare(document, variables);
      if (!result.includes('"errors"')) whole++;
      compared++;
    }
    expect(whole).toBeGreaterThan(30);
    expect(ours.compiled()).toBeGreaterThan(60);
  });
});

const odd = buildSchema(`
  interface Pet { name: String! friend: Pet }
  type Cat implements Pet { name: String! friend: Pet lives: Int! }
  type Dog implements Pet { name: String! friend: Pet tricks: [String!]! }
  union Thing = Cat | Dog | Box
  enum Size { SMALL LARGE }
  type Box { size: Size content: [Thing] must: Thing! }
  input Filter { name: String = "Tom" sizes: [Size!] = [SMALL] nested: Filter }
  type Query {
    text(value: String = "default", list: [Int], filter: Filter, size: Size): String
    maybe(fail: String): String
    must(fail: String): String!
    maybeList(fail: String): [String]
    mustList(fail: String): [String!]
    box(fail: String): Box
    mustBox(fail: String): Box!
    pets: [Pet]
    mustPets: [Pet!]!
    things: [Thing]
    number: Int
    self: Query
    mustSelf: Query!
  }
`);

/** Whatever can go wrong, at once or later. */
const root = (() => {
  const now = (fail: unknown, value: unknown) => {
    if (fail === 'throw') throw new Error('thrown');
    if (fail === 'null') return null;
    if (fail === 'error') return new Error('given');
    if (fail === 'wrong') return {};
    return value;
  };
  const later = async (fail: unknown, value: unknown) => now(String(fail).replace('later ', ''), value);
  const give = (value: unknown) => (args: Variables) =>
    String(args.fail).startsWith('later') ? later(args.fail, value) : now(args.fail, value);
  const list = (args: Variables) =>
    args.fail === 'item'
      ? ['a', null, 'c']
      : args.fail === 'item throws'
        ? ['a', Promise.reject(new Error('item')), 'c']
        : give(['a', 'b'])(args);
  const tom = { __typename: 'Cat', name: 'Tom', lives: 9 };
  const rex = { __typename: 'Dog', name: 'Rex', tricks: ['sit', null], friend: tom };
  const values: Record<string, unknown> = {
    text: (args: Variables) => JSON.stringify(Object.entries(args).sort(([one], [other]) => (one < other ? -1 : 1))),
    maybe: give('maybe'),
    must: give('must'),
    maybeList: list,
    mustList: list,
    box: give({ size: 'SMALL', content: [tom, null, rex], must: tom }),
    mustBox: give({ size: 'HUGE', content: null, must: null }),
    pets: [tom, rex, { __typename: 'Nobody' }, null],
    mustPets: async () => [tom, null],
    things: async () => [tom, Promise.resolve({ __typename: 'Box', size: 'LARGE', must: tom })],
    number: () => 'not a number',
    self: () => values,
    mustSelf: async () => values,
  };
  for (const type of Object.values(odd.getTypeMap())) {
    if (!isObjectType(type) || type.name.startsWith('__')) continue;
    for (const field of Object.values(type.getFields())) {
      field.resolve = (source, args) => {
        const value = source[field.name];
        return typeof value === 'function' ? value(args) : value;
      };
    }
  }
  return values;
})();

const fails = [
  '',
  'throw',
  'null',
  'error',
  'wrong',
  'later throw',
  'later null',
  'later error',
  'item',
  'item throws',
];

describe('G10 compiled queries of a schema where everything goes wrong', () => {
  const { compare, compiled } = comparison(odd, () => ({}), root);

  test.each(fails)('give the same data and errors: %s', async (fail) => {
    const given = JSON.stringify(fail);
    for (const field of ['maybe', 'must', 'maybeList', 'mustList']) {
      await compare(parse(`{ ${field}(fail: ${given}) }`));
      await compare(parse(`{ a: text self { maybe ${field}(fail: ${given}) b: text } c: text }`));
      await compare(parse(`{ a: text mustSelf { maybe ${field}(fail: ${given}) self { must } } }`));
      await compare(parse(`query ($fail: String) { x: ${field}(fail: $fail) y: ${field} }`), { fail });
    }
    for (const box of ['box', 'mustBox']) {
      await compare(parse(`{ ${box}(fail: ${given}) { size content { __typename ... on Pet { name } } } number }`));
      await compare(parse(`{ self { ${box}(fail: ${given}) { must { ... on Cat { lives } } } } maybe }`));
    }
  });

  test('of unions, interfaces, fragments and aliases give the same', async () => {
    for (const text of [
      '{ pets { __typename name friend { name ... on Cat { lives } } } }',
      '{ pets { ...P } } fragment P on Pet { name ... on Dog { tricks friend { ...Q } } } fragment Q on Cat { lives n: name }',
      '{ mustPets { name } maybe }',
      '{ things { ... on Box { size must { ... on Cat { name } } } ... on Pet { name } } }',
      '{ a: pets { name } a: pets { friend { name } } maybe maybe b: maybe }',
      '{ z: maybe a: text z: maybe m: self { maybe } m: self { text must } }',
      '{ number maybe }',
      '{ __typename self { __typename } __schema { queryType { name } } __type(name: "Box") { fields { name } } }',
    ]) {
      await compare(parse(text));
    }
  });

  test('of objects that cannot change are made once, if nothing else is asked for', async () => {
    const asked: string[] = [];
    const kept = buildSchema(
      'type Query { one: Thing, other: Thing } type Thing { name: String, own: String, all: Int }',
    );
    const fields = kept.getType('Thing');
    if (!isObjectType(fields)) throw new Error('there is no such type');
    for (const field of Object.values(fields.getFields())) {
      if (field.name === 'name') continue;
      if (field.name === 'own') field.extensions = ofSource;
      field.resolve = (source) => {
        asked.push(field.name);
        return source[field.name];
      };
    }
    const [one, other] = [
      Object.freeze({ name: 'one', own: 'its own', all: 1 }),
      { name: 'other', own: 'of it', all: 2 },
    ];
    const { compare } = comparison(kept, () => ({}), { one, other });
    const times = async (text: string) => {
      asked.length = 0;
      await compare(parse(text));
      return asked.join();
    };
    // Once by graphql-js to compare with, once by graphql-js as it is new, and then three times.
    expect(await times('{ one { name own } }')).toBe('own,own,own');
    expect(await times('{ other { name own } }')).toBe('own,own,own,own,own');
    expect(await times('{ one { all name } }')).toBe('all,all,all,all,all');
    // Twice by graphql-js for three objects, then once for each of the places of `one`, and three times for `other`.
    expect(await times('{ one { own } other { own } again: one { n: name own } }')).toBe(Array(11).fill('own').join());
  });

  test('of objects whose type is found out are made once, where it follows from the object', async () => {
    const asked: string[] = [];
    const kept = buildSchema(
      `type Query { pets: [Pet!]!, others: [Other!]! } interface Pet { name: String } type Cat implements Pet { name: String }
       type Dog implements Pet { name: String, tail: String } union Other = Cat | Dog`,
    );
    for (const name of ['Pet', 'Other']) {
      const type = kept.getType(name);
      if (!isAbstractType(type)) throw new Error('there is no such type');
      type.extensions = name === 'Pet' ? ofSource : {};
      type.resolveType = ({ name: of }) => {
        asked.push(of);
        return of === 'Tom' ? 'Cat' : 'Dog';
      };
    }
    const dog = kept.getType('Dog');
    if (!isObjectType(dog)) throw new Error('there is no such type');
    const { tail } = dog.getFields();
    if (tail) tail.resolve = (source) => source.tail;
    const all = [Object.freeze({ name: 'Tom' }), Object.freeze({ name: 'Rex', tail: 'long' }), { name: 'Lassie' }];
    const { compare } = comparison(kept, () => ({}), { pets: all, others: all });
    const times = async (text: string) => {
      asked.length = 0;
      await compare(parse(text));
      return Object.entries(Object.groupBy(asked, (name) => name)).map(([name, names]) => `${name} ${names?.length}`);
    };
    // Twice by graphql-js, then once, or three times.
    expect(await times('{ pets { __typename name } }')).toEqual(['Tom 3', 'Rex 3', 'Lassie 5']);
    // What the tail is, the type does not say of all.
    expect(await times('{ pets { name ... on Dog { tail } } }')).toEqual(['Tom 5', 'Rex 5', 'Lassie 5']);
    expect(await times('{ others { ... on Pet { name } } }')).toEqual(['Tom 5', 'Rex 5', 'Lassie 5']);
  });

  test('tell those who ask where they are, in lists, interfaces and what is asked twice', async () => {
    const placed = buildSchema(
      `type Query { boxes: [[Box!]!]! } interface Thing { place: String } type Box implements Thing { place: String, plain: Int
       inner: Thing, things: [Thing] }`,
    );
    const [box, thing] = [placed.getType('Box'), placed.getType('Thing')];
    if (!isObjectType(box) || !isAbstractType(thing)) throw new Error('there is no such type');
    const { place, inner, things } = box.getFields();
    if (!place || !inner || !things) throw new Error('there is no such field');
    place.resolve = (_source, _args, _context, { path }) => responsePathAsArray(path).join('.');
    inner.resolve = (source) => source.inner;
    things.resolve = (source) => [source.inner, Promise.resolve(source.inner)];
    const deep = { plain: 1, inner: { plain: 2, inner: { plain: 3, inner: null } } };
    const rootValue = { boxes: () => [[deep, deep], [deep]] };
    const boxes = placed.getQueryType()?.getFields().boxes;
    if (boxes) boxes.resolve = ({ boxes: give }) => give();
    for (const extensions of [{}, ofSource]) {
      thing.extensions = extensions;
      thing.resolveType = () => 'Box';
      const { compare, givenUp } = comparison(placed, () => ({}), rootValue);
      const told = await compare(
        parse(
          '{ a: boxes { inner { p: place ... on Box { t: things { place } } } } boxes { plain place b: inner { place } } }',
        ),
      );
      expect(told).toContain('a.1.0.inner.t.1.place');
      expect(told).toContain('boxes.0.1.b.place');
      await compare(parse('{ boxes { plain inner { ... on Box { plain } } } }'));
      expect(givenUp()).toBe(0);
    }
  });

  test('are made anew when too many others have come in between', async () => {
    let asked = 0;
    const kept = buildSchema('type Query { things: [Thing] } type Thing { own: String }');
    const fields = kept.getType('Thing');
    if (!isObjectType(fields)) throw new Error('there is no such type');
    const { own } = fields.getFields();
    if (!own) throw new Error('there is no such field');
    own.extensions = ofSource;
    own.resolve = (source) => {
      asked++;
      return source.own;
    };
    const many = Array.from({ length: 600 }, (_, n) => Object.freeze({ own: `${n}` }));
    const run = createExecute(kept);
    const document = parse('{ things { own } }');
    const ask = async (things: readonly object[]) => {
      asked = 0;
      await run({ schema: kept, document, rootValue: { things } });
      return asked;
    };
    await ask(many);
    const few = many.slice(0, 10);
    expect([await ask(few), await ask(few), await ask(many), await ask(few)]).toEqual([10, 0, 590, 10]);
  });

  test('however odd they are give the same', async () => {
    const nested = (depth: number) => `{ pets ${'{ friend '.repeat(depth)} { name } ${'}'.repeat(depth)} }`;
    await compare(parse(nested(3)));
    await compare(parse(nested(20)));
    await compare(parse('query ($filter: Filter) { text(filter: $filter) }'), { filter: { nested: {} } });
    for (const text of [
      'query ($name: String) { text(filter: { name: $name }) }',
      'query ($item: Int) { text(list: [1, $item]) }',
      'fragment F on Query { maybe @skip(if: $no) } query ($no: Boolean = true) { ...F text }',
      '{ self { a: maybe __proto__: text b: maybe } }',
      '{ ...F } fragment F on Query { __proto__: self { maybe } text }',
      '{ ...__proto__ } fragment __proto__ on Query { constructor: text toString: self { toJSON: maybe } }',
      'query ($a: Boolean!, $b: Boolean!) { x: self @include(if: $a) { maybe } x: self @skip(if: $b) { text maybe } }',
    ]) {
      await compare(parse(text));
      await compare(parse(text), { name: null, item: null, no: null, a: true, b: true });
      await compare(parse(text), { name: 'a', item: 2, no: false, a: true, b: false });
      await compare(parse(text), { name: 'a', item: 2, no: false, a: false, b: false });
      await compare(parse(text), { no: true, a: false, b: true });
    }
  });

  test('are not compiled where they unfold to too much, or ask for the schema', async () => {
    const before = compiled();
    const unfolding = (index: number) =>
      `fragment F${index} on Query { a: self { ...F${index + 1} } b: self { ...F${index + 1} } }`;
    const fragments = Array.from({ length: 10 }, (_, index) => unfolding(index)).join(' ');
    await compare(parse(`{ ...F0 } ${fragments} fragment F10 on Query { maybe }`));
    await compare(parse('{ __schema { queryType { name } } maybe }'));
    await compare(parse('{ self { maybe } __type(name: "Box") { name } }'));
    expect(compiled()).toBe(before);
  });

  test('are compiled for so many values of what decides on fields, and no more', async () => {
    const before = compiled();
    const names = ['a', 'b', 'c', 'd', 'e'];
    const document = parse(
      `query (${names.map((name) => `$${name}: Boolean!`).join()}) { ${names.map((name) => `${name}: text @skip(if: $${name})`).join(' ')} maybe }`,
    );
    for (let bits = 0; bits < 2 ** names.length; bits++) {
      await compare(document, Object.fromEntries(names.map((name, index) => [name, (bits & (2 ** index)) > 0])));
    }
    expect(compiled()).toBe(before + 16);
  });

  test('with variables, defaults and values that do not fit give the same', async () => {
    const document = parse(`query ($value: String = "given", $list: [Int], $size: Size, $yes: Boolean! = true) {
      text(value: $value, list: $list, size: $size)
      literal: text(list: [1, 2], filter: { nested: { name: "a", sizes: [LARGE] } }, size: LARGE)
      bare: text
      maybe @include(if: $yes)
      must @skip(if: $yes)
      self @include(if: $yes) { maybe @skip(if: $yes) text @include(if: $yes) @skip(if: false) }
      ... @include(if: $yes) { other: maybe ... on Query @skip(if: $yes) { another: maybe } }
    }`);
    for (const variables of [
      {},
      { value: null, list: [1, null], size: 'SMALL', yes: false },
      { value: 'x', list: 5, yes: true },
      { value: 5 },
      { list: ['a'] },
      { list: [1.5] },
      { size: 'HUGE' },
      { yes: null },
      { yes: 'true' },
      { extra: 1 },
    ]) {
      await compare(document, variables);
    }
    const two = parse('query One { maybe } query Two { must }');
    await compare(two, {}, 'Two');
    await compare(two, {}, 'Three');
    await compare(two);
    expect(compiled()).toBeGreaterThan(50);
  });

  test('are not kept compiled without an end: the oldest go, and are compiled again when they come again', async () => {
    let made = 0;
    const small = buildSchema('type Query { self: Query, maybe: String }');
    const run = createExecute(small, { onCompile: () => made++ });
    const parts = Array.from({ length: 9 }, (_, n) => {
      return `fragment F${n} on Query { a: self { ...F${n + 1} } b: self { ...F${n + 1} } }`;
    }).join(' ');
    const documents = Array.from({ length: 120 }, (_, n) =>
      parse(`query Q${n} { ...F0 } ${parts} fragment F9 on Query { maybe }`),
    );
    const runTwice = async (document: DocumentNode | undefined) => {
      if (!document) throw new Error('there is no such document');
      for (let turn = 0; turn < 2; turn++) await run({ schema: small, document, rootValue: {} });
    };
    for (const document of documents) await runTwice(document);
    expect(made).toBe(120);
    await runTwice(documents.at(-1));
    expect(made).toBe(120);
    await runTwice(documents[0]);
    expect(made).toBe(121);
  });
});
