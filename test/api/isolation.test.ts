import { describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/db/cursors.ts';
import { positionIn, roomPosition } from '../../src/events/position.ts';
import { schema } from '../../src/graphql/schema.ts';
import { decodeId, encodeId, newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { act, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { at, textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { type Probe, probesOf, type Slot } from '../support/probes.ts';
import { startServer, type Visitor } from '../support/server.ts';
import { countRows } from '../support/tables.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
// The probes select everything that there is, each under an alias.
const settings = { LIMIT_ALIASES: '10000', LIMIT_TOKENS: '100000', LIMIT_COST: '10000000' };
const server = await startServer({ databaseUrl, settings });

// The rooms of one tenant …
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const bruno = await server.signIn(person('acme', 'Bruno'));
const robot = await server.signIn(person('acme', 'robot', 'service'));
const direct = await openDirectRoom(ana, bruno.id);
const group = await createRoom(ana, { kind: 'GROUP', name: 'Launch', memberIds: [bruno.id, robot.id] });
const channel = await createRoom(ana, { kind: 'CHANNEL', name: 'general', memberIds: [bruno.id] });
const inDirect = await send(ana, direct, 'between us');
const inGroup = await send(bruno, group, 'among us');
const inChannel = await send(ana, channel, 'for the tenant');
await act(bruno, 'editMessage', { messageId: inGroup.id, body: 'among ourselves' });
await act(bruno, 'deleteMessage', { messageId: (await send(bruno, group, 'gone')).id });

// … and those who are not in them, each with a room of their own.
const wanda = await server.signIn(person('globex', 'Wanda', 'admin'));
const stefan = await server.signIn(person('acme', 'Stefan', 'supervisor'));

const purge = textAt(
  await act(ana, 'purgeMessages', { before: '2000-01-01T00:00:00.000Z', mode: 'SOFT' }, 'purge { id }'),
  'purge.id',
);

/** What the intruder may use: where another place of the operation has to hold something real. */
async function ownThings(intruder: Visitor, companion: Visitor): Promise<(slot: Slot) => string> {
  const room = await createRoom(intruder, { kind: 'GROUP', name: 'own', memberIds: [companion.id] });
  const message = await send(intruder, room, 'own');
  const things: Record<Slot, string> = {
    Room: room,
    Message: message.id,
    User: companion.id,
    Purge: purge,
    Node: room,
    cursor: message.cursor,
  };
  return (slot) => things[slot];
}

const cursors = {
  ofMessage: inGroup.cursor,
  ofRoom: textAt(
    (await ana.query('query Cursor($id: ID!) { room(id: $id) { cursor } }', { id: group })).data,
    'room.cursor',
  ),
  inRooms: textAt((await bruno.query('{ rooms { edges { cursor } } }')).data, 'rooms.edges.0.cursor'),
  inUsers: textAt((await ana.query('{ users { edges { cursor } } }')).data, 'users.edges.0.cursor'),
  inMembers: textAt(
    (await ana.query('query Members($id: ID!) { room(id: $id) { members { edges { cursor } } } }', { id: group })).data,
    'room.members.edges.0.cursor',
  ),
};

const intruders = [
  {
    who: 'a user of another tenant',
    client: wanda,
    own: await ownThings(wanda, await server.signIn(person('globex', 'Walter'))),
    ids: {
      direct,
      group,
      channel,
      inDirect: inDirect.id,
      inGroup: inGroup.id,
      inChannel: inChannel.id,
      ana: ana.id,
      bruno: bruno.id,
      robot: robot.id,
      purge,
    },
    cursors,
  },
  {
    // Sees the channel and the people of the tenant, and nothing else.
    who: 'somebody of the tenant who is not a member',
    client: stefan,
    own: await ownThings(stefan, ana),
    ids: { direct, group, inDirect: inDirect.id, inGroup: inGroup.id, inChannel: inChannel.id },
    cursors: { ...cursors, inUsers: cursors.ofMessage },
  },
];

/** The same kind of id, of something that never existed. */
function strangeId(id: string): string {
  const decoded = decodeId(id);
  if (!decoded) throw new Error(`${id} is no id`);
  return encodeId(decoded.type, newId());
}

/** The same cursor, but of something that never existed. */
function strangeCursor(cursor: string): string {
  // Of a room: after two bytes that say so, its id.
  const roomId = Buffer.from(cursor, 'base64url')
    .toString('hex', 2, 18)
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  try {
    return roomPosition(newId(), positionIn([roomId], cursor, 'cursor'));
  } catch {
    // Of another kind.
  }
  const shapes = {
    rooms: ['time', 'uuid'],
    users: ['text', 'uuid'],
    members: ['time', 'uuid'],
  } as const;
  for (const [kind, expected] of Object.entries(shapes)) {
    try {
      const values = decodeCursor(kind, expected, cursor, 'cursor');
      return encodeCursor(
        kind,
        values.map((value, index) => (expected[index] === 'uuid' ? newId() : value)),
      );
    } catch {
      // Of another kind.
    }
  }
  throw new Error('a cursor of a kind that this test does not know');
}

async function answerOf(client: Visitor, probe: Probe, variables: Record<string, unknown>): Promise<unknown> {
  if (probe.operation !== 'subscription') return client.query(probe.document, variables);
  const follower = client.subscribe(probe.document, variables);
  await waitFor(
    () => `${probe.name} to be refused`,
    () => follower.ended || follower.received.length > 0,
  );
  const { received, failures } = follower;
  await follower.stop();
  return { received, failures };
}

const probes = probesOf(schema);

describe.each(intruders)('G1, T4 $who', ({ client, own, ids, cursors }) => {
  const idProbes = probes.filter((probe) => probe.slot !== 'cursor');

  test.each(idProbes.map((probe) => [probe.operation, probe.name, probe] as const))(
    'learns nothing from the %s %s',
    async (_operation, _name, probe) => {
      const before = await countRows(databaseUrl);
      for (const [what, id] of Object.entries(ids)) {
        const answer = await answerOf(client, probe, probe.variables(id, own));
        const strange = await answerOf(client, probe, probe.variables(strangeId(id), own));
        expect({ what, answer }).toEqual({ what, answer: strange });
        expect(JSON.stringify(answer)).not.toMatch(/among|between us|for the tenant|INTERNAL|Payload/);
      }
      expect(await countRows(databaseUrl)).toEqual(before);
    },
  );

  test('learns nothing from cursors, on any field that takes one', async () => {
    const cursorProbes = probes.filter((probe) => probe.slot === 'cursor' && probe.operation !== 'subscription');
    expect(cursorProbes.length).toBeGreaterThan(0);
    for (const probe of cursorProbes) {
      for (const cursor of Object.values(cursors)) {
        const answer = await answerOf(client, probe, probe.variables(cursor, own));
        const strange = await answerOf(client, probe, probe.variables(strangeCursor(cursor), own));
        expect(answer).toEqual(strange);
      }
    }
    const nested = [
      'query Nested($room: ID!, $cursor: String!) { room(id: $room) { messages(after: $cursor) { nodes { body } } } }',
      'query Nested($room: ID!, $cursor: String!) { room(id: $room) { members(before: $cursor) { nodes { role } } } }',
      'query Nested($message: ID!, $cursor: String!) { node(id: $message) { ... on Message { replies(after: $cursor) { nodes { id } } } } }',
      'query Nested($message: ID!, $cursor: String!) { node(id: $message) { ... on Message { edits(after: $cursor) { nodes { body } } } } }',
    ];
    for (const document of nested) {
      for (const cursor of Object.values(cursors)) {
        const variables = { room: own('Room'), message: own('Message') };
        const answer = await client.query(document, { ...variables, cursor });
        expect(answer).toEqual(await client.query(document, { ...variables, cursor: strangeCursor(cursor) }));
        expect(answer.errors.every((error) => error.extensions?.code === 'BAD_USER_INPUT')).toBe(true);
      }
    }
    const live = probes.find((probe) => probe.name === 'messageAdded after');
    const variables = { roomId: own('Room') };
    for (const cursor of [cursors.ofMessage, cursors.ofRoom]) {
      const answer = await answerOf(client, live ?? failing(), { ...variables, after: cursor });
      expect(answer).toEqual(await answerOf(client, live ?? failing(), { ...variables, after: strangeCursor(cursor) }));
    }
  });
});

function failing(): never {
  throw new Error('messageAdded takes no cursor any more');
}

test('G1 the members see with the same operations what the others do not', async () => {
  for (const name of ['room id', 'node id', 'nodes ids']) {
    const probe = probes.find((candidate) => candidate.name === name);
    if (!probe) throw new Error(`there is no ${name}`);
    const answer = await bruno.query(
      probe.document,
      probe.variables(group, (slot) => slot),
    );
    expect(answer.errors).toEqual([]);
    expect(JSON.stringify(answer.data)).toContain('among ourselves');
  }
});

test('T4 somebody who has not joined a channel sees that it is there, and none of its messages', async () => {
  const { data } = await stefan.query(
    'query Channel($id: ID!) { room(id: $id) { name memberCount unreadCount lastMessage { body } messages { nodes { body } } } }',
    { id: channel },
  );
  expect(at(data, 'room')).toEqual({
    name: 'general',
    memberCount: 2,
    unreadCount: 0,
    lastMessage: null,
    messages: null,
  });
});

test('nothing that the intruders tried was a fault of the server', () => {
  expect(server.log.traces()).toEqual([]);
});
