import { type GraphQLField, getNamedType, isNonNullType } from 'graphql';
import { beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import manifest from '../../src/web/generated/persisted-documents.json' with { type: 'json' };
import { createTestDatabase } from '../services/database.ts';
import { administer } from '../services/postgres.ts';
import { act, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { selectionOf } from '../support/probes.ts';
import { startServer, type Visitor } from '../support/server.ts';
import { watchStatements } from '../support/statements.ts';

const databaseUrl = await createTestDatabase();
const sent = watchStatements();
// What is asked for here is more than anybody may ask for.
const unlimited = ['LIMIT_DEPTH', 'LIMIT_COST', 'LIMIT_ALIASES', 'LIMIT_DIRECTIVES', 'LIMIT_TOKENS', 'REQUEST_BYTES'];
const noRates = ['RATE_QUERIES', 'RATE_MUTATIONS', 'RATE_SUBSCRIPTIONS', 'RATE_SENDS'];
const settings = Object.fromEntries([
  ...unlimited.map((name) => [name, '100000000']),
  ...noRates.map((name) => [name, '0']),
]);
const server = await startServer({ databaseUrl, settings });

/** A tenant in which there are so many of everything, each by somebody else. */
interface Populated {
  readonly viewer: Visitor;
  readonly room: string;
  readonly ids: readonly string[];
}

const sizes = { few: 2, many: 12 } as const;

async function populate(tenant: keyof typeof sizes): Promise<Populated> {
  const numbers = Array.from({ length: sizes[tenant] }, (_, index) => index);
  const enter = (name: string, role: 'admin' | 'service') =>
    Promise.all(numbers.map((index) => server.signIn(person(tenant, `${name} ${index}`, role))));
  const [people, bots] = [await enter('Person', 'admin'), await enter('Bot', 'service')];
  const [viewer] = people;
  if (!viewer) throw new Error('nobody is there');
  const everybody = [...people, ...bots];
  const created = await Promise.all(
    people.map(async (creator, index) => {
      const memberIds = everybody.filter(({ id }) => id !== creator.id).map(({ id }) => id);
      const group = await createRoom(creator, { kind: 'GROUP', name: `Group ${index}`, memberIds });
      const channel = await createRoom(creator, { kind: 'CHANNEL', name: `Channel ${index}`, memberIds });
      for (const room of [group, channel]) await converse(room, index === 0 ? people : [creator], bots);
      await act(creator, 'setRetention', { roomId: group, days: 30 });
      const ofPurge = { before: '2001-01-01T00:00:00.000Z', mode: 'SOFT', roomId: group };
      const purge = textAt(await act(creator, 'purgeMessages', ofPurge, 'purge { id }'), 'purge.id');
      await act(creator, 'setLegalHold', { roomId: channel, held: true, reason: 'a case' });
      if (creator.id !== viewer.id) await openDirectRoom(creator, viewer.id);
      return { ids: [group, channel, purge], group };
    }),
  );
  const room = created[0]?.group ?? '';
  const ids = [...created.flatMap((own) => own.ids), ...everybody.map(({ id }) => id)];
  return { viewer, room, ids: [...ids, ...(await messagesOf(viewer, room))] };
}

/** Each says something that mentions two others, changes it often, and is answered; the first by everybody. */
async function converse(room: string, speakers: readonly Visitor[], bots: readonly Visitor[]): Promise<void> {
  await Promise.all(
    speakers.map(async (speaker, index) => {
      const mentioned = [speakers.at(index - 1), bots[index]].map((actor) => `<@${actor?.id}>`).join(' ');
      const { id } = await send(speaker, room, `Hello ${mentioned}`);
      for (const count of bots.keys()) {
        if (index < 2) await act(speaker, 'editMessage', { messageId: id, body: `${count} ${mentioned}` });
      }
      const answering = index === 0 ? bots : [speaker];
      await Promise.all(answering.map((other) => send(other, room, 'An answer', { replyToId: id })));
    }),
  );
}

async function messagesOf(viewer: Visitor, roomId: string): Promise<string[]> {
  const query = 'query ($id: ID!) { room(id: $id) { messages(last: 100) { nodes { id } } } }';
  return [...JSON.stringify(await viewer.query(query, { id: roomId })).matchAll(/msg_\w+/g)].map(([id]) => id);
}

let few: Populated;
let many: Populated;
beforeAll(async () => {
  few = await populate('few');
  many = await populate('many');
  const old = "UPDATE rooms SET last_activity_at = last_activity_at - interval '200 days'";
  await administer(databaseUrl, `${old} WHERE kind = 'GROUP'`);
});

type Asked = (place: Populated) => readonly [query: string, variables: Record<string, unknown>];

/** The values of arguments that are required, by field. */
const required: Readonly<Record<string, (place: Populated) => string>> = {
  node: ({ room }) => `id: "${room}"`,
  nodes: ({ ids }) => `ids: ${JSON.stringify(ids.slice(0, 40))}`,
  room: ({ room }) => `id: "${room}"`,
  governancePolicy: ({ room }) => `roomId: "${room}"`,
  purgePreview: () => 'input: { before: "2020-01-01T00:00:00.000Z", mode: PERMANENT }',
  silentRooms: () => 'days: 100',
};

/** Everything that a root field can give, so many levels down: through lists of lists of lists. */
function everything(field: GraphQLField<unknown, unknown>): Asked {
  const args = required[field.name];
  if (!args && field.args.some((arg) => isNonNullType(arg.type) && arg.defaultValue === undefined)) {
    throw new Error(`say in this file how ${field.name} is called`);
  }
  // A node can be of every type.
  const selection = selectionOf(schema, field.type, getNamedType(field.type).name === 'Node' ? 4 : 6);
  return (place) => [`query Everything { ${field.name}${args ? `(${args(place)})` : ''} ${selection} }`, {}];
}

/** How often something is asked: which loads share a statement depends a little on what answers first. */
const rounds = [1, 2];

/** @returns what was sent in each round, after one to warm up what is kept. */
async function statementsOf(asked: Asked, place: Populated): Promise<string[][]> {
  const [query, variables] = asked(place);
  const ask = async () => expect((await place.viewer.query(query, variables)).errors).toEqual([]);
  await ask();
  const sentIn: string[][] = [];
  for (const _ of rounds) sentIn.push(await sent.during(ask));
  return sentIn;
}

/** What was sent more often for many rows than for few; Prisma writes out each value of a list. */
function growing(small: readonly string[], large: readonly string[]): string[] {
  const plain = (text: string) => text.replace(/\$\d+(,\$\d+)*/g, '$').replace(/\s+/g, ' ');
  const times = (texts: readonly string[], text: string) => texts.filter((other) => plain(other) === text).length;
  return [...new Set(large.map(plain))]
    .filter((text) => times(large, text) > times(small, text))
    .map((text) => `${times(small, text)} -> ${times(large, text)}: ${text.slice(0, 300)}`);
}

/** With a statement for each row there would be at least this many more. */
const moreRows = sizes.many - sizes.few;

async function expectNoGrowth(asked: Asked): Promise<void> {
  const [small, large] = [await statementsOf(asked, few), await statementsOf(asked, many)];
  const [most, least] = [
    Math.max(...small.map(({ length }) => length)),
    Math.min(...large.map(({ length }) => length)),
  ];
  const message = () => growing(small[0] ?? [], large[0] ?? []).join('\n');
  expect(least - most, message()).toBeLessThan(moreRows / 2);
}

describe('G10 the number of statements does not grow with the rows (N+1)', () => {
  test('with a statement for each row it would be seen', async () => {
    const verified: Asked = ({ ids }) => [
      `{ ${ids.map((_, index) => `a${index}: auditVerification { intact }`).join(' ')} }`,
      {},
    ];
    await expect(expectNoGrowth(verified)).rejects.toThrow(/\d+ -> \d+: SELECT/);
  });

  test.each(Object.values(schema.getQueryType()?.getFields() ?? {}))('Query.$name, with everything below it', (field) =>
    expectNoGrowth(everything(field)),
  );

  const own = Object.values(manifest).flatMap((text) => {
    const name = /\bquery (\w+)/.exec(text)?.[1];
    return name ? [{ name, text }] : [];
  });
  expect(own.length).toBeGreaterThan(3);

  test.each(own)('our own operation $name', ({ text }) =>
    expectNoGrowth(({ room }) => [text, { id: room, roomId: room }]),
  );
});
