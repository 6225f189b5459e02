import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { roomPosition } from '../../src/events/position.ts';
import { parseId } from '../../src/kernel/ids.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { type Client, createClient } from '../support/client.ts';
import type { Follower } from '../support/follower.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer, type Visitor } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';
import { openRawSocket } from './rawSocket.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const services = { databaseUrl, redisUrl, redisPrefix };
const [here, there] = await Promise.all([startServer(services), startServer(services)]);
const servers = { 'the same process': here, 'another process': there };
const ana = await here.signIn(person('acme', 'Ana', 'admin'));

const database = new pg.Client({ connectionString: databaseUrl });
await database.connect();
afterAll(() => database.end());

const roomDocument = `subscription Room($room: ID!, $after: String) {
  roomEvents(roomId: $room, after: $after) {
    __typename
    ... on RoomChange { cursor }
    ... on MessageAdded { message { body } }
    ... on MemberRemoved { member { id } }
  }
}`;

const allDocument = `subscription All($after: String) {
  roomEvents(after: $after) {
    __typename
    ... on RoomChange { cursor room { id } }
    ... on MessageAdded { message { body } }
    ... on MemberRemoved { member { id } }
  }
}`;

const transports = ['WebSocket', 'server-sent events'] as const;

function open(client: Client, transport: (typeof transports)[number], document: string, variables: object): Follower {
  return transport === 'WebSocket'
    ? client.subscribe(document, { ...variables })
    : client.stream(document, { ...variables });
}

let count = 0;
async function newcomer(server = there) {
  const subject = `Person ${++count}`;
  return { subject, client: await server.signIn(person('acme', subject)) };
}

async function cursorOf(client: Client, room: string): Promise<string> {
  const { data } = await client.query('query Cursor($room: ID!) { room(id: $room) { cursor } }', { room });
  return textAt(data, 'room.cursor');
}

async function viewerCursorOf(client: Client): Promise<string> {
  return textAt((await client.query('{ viewer { cursor } }')).data, 'viewer.cursor');
}

function bodies(follower: Follower): unknown[] {
  return follower.received
    .map((event) => at(event, 'roomEvents'))
    .filter((event) => at(event, '__typename') === 'MessageAdded' && at(event, 'message.body'))
    .map((event) => at(event, 'message.body'));
}

/** A room of Ana's with this member, whose subscription stands. */
async function followedRoom(member: Visitor, transport: (typeof transports)[number]) {
  const room = await createRoom(ana, { kind: 'GROUP', name: 'followed', memberIds: [member.id] });
  const after = await cursorOf(member, room);
  const follower = open(member, transport, roomDocument, { room, after });
  await send(ana, room, 'welcome');
  await follower.until('the welcome', () => bodies(follower).includes('welcome'));
  return { room, after, follower };
}

describe.each(transports)('R7 over %s, a subscription to a room', (transport) => {
  test('of a removed member completes with the removal, and nothing of later is in it', async () => {
    const { client } = await newcomer();
    const { room, follower } = await followedRoom(client, transport);
    await act(ana, 'removeMember', { roomId: room, userId: client.id });
    await send(ana, room, 'they are gone');
    await waitFor('the end', () => follower.ended);
    expect(follower.failures).toEqual([]);
    expect(bodies(follower)).not.toContain('they are gone');
    const names = follower.received.map((event) => at(event, 'roomEvents.__typename'));
    expect(names.slice(names.indexOf('MemberRemoved') + 1)).toEqual([]);
  });

  test('of somebody who leaves completes', async () => {
    const { client } = await newcomer();
    const { room, follower } = await followedRoom(client, transport);
    await act(client, 'leaveRoom', { roomId: room });
    await send(ana, room, 'they are gone');
    await waitFor('the end', () => follower.ended);
    expect(bodies(follower)).not.toContain('they are gone');
  });

  test('completes when the room is archived', async () => {
    const { client } = await newcomer();
    const { room, follower } = await followedRoom(client, transport);
    await act(ana, 'archiveRoom', { roomId: room });
    await waitFor('the end', () => follower.ended);
    expect(follower.failures).toEqual([]);
    expect(follower.received.map((event) => at(event, 'roomEvents.__typename'))).toContain('RoomUpdated');
  });

  test('of a removed member cannot be opened again; after the return it can, and an old removal does not end it', async () => {
    const { client } = await newcomer();
    const { room, after, follower } = await followedRoom(client, transport);
    await act(ana, 'removeMember', { roomId: room, userId: client.id });
    await waitFor('the end', () => follower.ended);
    const refused = open(client, transport, roomDocument, { room, after });
    await waitFor('the refusal', () => refused.ended);
    expect(at(refused.failures, '0.extensions.code')).toBe('NOT_FOUND');

    await send(ana, room, 'while they were away');
    await act(ana, 'addMembers', { roomId: room, userIds: [client.id] });
    // What a member may read in the room, its history included, a cursor of before gives too.
    const again = open(client, transport, roomDocument, { room, after });
    await again.until('what was missed', () => bodies(again).includes('while they were away'));
    await send(ana, room, 'welcome back');
    await again.until('what is new', () => bodies(again).includes('welcome back'));
    expect(again.ended).toBe(false);
    const said = bodies(again).filter((body) =>
      ['welcome', 'while they were away', 'welcome back'].includes(String(body)),
    );
    expect(said).toEqual(['welcome', 'while they were away', 'welcome back']);
    await again.stop();
  });

  test('ends when the hint of the removal got lost', async () => {
    const { client } = await newcomer();
    const { room, follower } = await followedRoom(client, transport);
    await cutBus(() => act(ana, 'removeMember', { roomId: room, userId: client.id }));
    await waitFor('the end', () => follower.ended);
    await send(ana, room, 'they are gone');
    expect(bodies(follower)).not.toContain('they are gone');
  });
});

describe.each(transports)('R7 over %s, a subscription to a room that begins', (transport) => {
  test('while its member is removed completes, and gives nothing of later', async () => {
    const { client } = await newcomer();
    const room = await createRoom(ana, { kind: 'GROUP', name: 'begun', memberIds: [client.id] });
    const { bus } = there.foundation;
    const subscribe = bus.subscribe.bind(bus);
    const asked = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    // Access is decided by then, and the process does not hear of the room as yet.
    const subscribing = vi.spyOn(bus, 'subscribe').mockImplementation(async (channel, onPayload) => {
      if (channel.startsWith('room:') && channel.endsWith(parseId('Room', room, 'room'))) {
        asked.resolve();
        await held.promise;
      }
      return subscribe(channel, onPayload);
    });
    const follower = open(client, transport, roomDocument, { room });
    await asked.promise;
    await act(ana, 'removeMember', { roomId: room, userId: client.id });
    held.resolve();
    await waitFor('the end', () => follower.ended);
    await send(ana, room, 'they are gone');
    expect(bodies(follower)).not.toContain('they are gone');
    subscribing.mockRestore();
  });

  test('after a place that the room has not reached ends with the removal too', async () => {
    const { client } = await newcomer();
    const room = await createRoom(ana, { kind: 'GROUP', name: 'not reached', memberIds: [client.id] });
    const after = roomPosition(parseId('Room', room, 'room'), 2n ** 40n);
    const follower = open(client, transport, roomDocument, { room, after });
    await waitFor('it to stand', async () => {
      await send(ana, room, 'again');
      return bodies(follower).includes('again');
    });
    await act(ana, 'removeMember', { roomId: room, userId: client.id });
    await waitFor('the end', () => follower.ended);
  });
});

describe.each(transports)("R7 over %s, a subscription to all of a viewer's rooms", (transport) => {
  test('goes on without the room that the viewer was removed from, and has it again after the return', async () => {
    const { client } = await newcomer();
    const room = await createRoom(ana, { kind: 'GROUP', name: 'left', memberIds: [client.id] });
    const other = await createRoom(ana, { kind: 'GROUP', name: 'kept', memberIds: [client.id] });
    const after = await viewerCursorOf(client);
    const follower = open(client, transport, allDocument, { after });
    await send(ana, room, 'before');
    await follower.until('the first', () => bodies(follower).includes('before'));
    await act(ana, 'removeMember', { roomId: room, userId: client.id });
    await send(ana, room, 'not for them');
    await send(ana, other, 'elsewhere');
    await follower.until('the other room', () => bodies(follower).includes('elsewhere'));
    await act(ana, 'addMembers', { roomId: room, userIds: [client.id] });
    await send(ana, room, 'back again');
    await follower.until('the room again', () => bodies(follower).includes('back again'));
    expect(bodies(follower)).not.toContain('not for them');
    expect(follower.ended).toBe(false);
    await follower.stop();

    // From the old cursor: what happened to a room before one was (back) in it is its history, not news.
    const again = open(client, transport, allDocument, { after });
    await again.until('the end of the replay', () => bodies(again).includes('back again'));
    expect(bodies(again)).not.toContain('not for them');
    await again.stop();
  });
});

describe.each(Object.entries(servers))('R7 a deactivated user, with a socket on %s', (_where, server) => {
  test.each(transports)('over %s gets nothing more, and is let in nowhere', async (transport) => {
    const { subject, client } = await newcomer(server);
    const { room, follower } = await followedRoom(client, transport);
    const token = await signToken(person('acme', subject));
    const socket = await openRawSocket(server.url);
    await socket.init({ token });
    const elsewhere = [here, there].map(({ url }) => createClient(url, token));
    for (const each of elsewhere) expect((await each.query('{ viewer { role } }')).errors).toEqual([]);

    await act(ana, 'deactivateUser', { userId: client.id });
    await send(ana, room, 'they are gone');
    expect(await socket.closed).toEqual({ code: 4403, reason: 'the account is deactivated' });
    await waitFor('the end', () => follower.ended);
    expect(bodies(follower)).not.toContain('they are gone');
    for (const each of elsewhere) {
      await waitFor('the refusal', async () => {
        const answer = await each.query('{ viewer { role } }');
        return answer.status === 401 && answer.errors[0]?.extensions?.code === 'UNAUTHENTICATED';
      });
    }
    const late = await openRawSocket(server.url);
    late.send({ type: 'connection_init', payload: { token } });
    expect((await late.closed).code).toBe(4403);

    await act(ana, 'reactivateUser', { userId: client.id });
    const back = await openRawSocket(server.url);
    await back.init({ token });
    back.terminate();
  });
});

describe('R7 when the bus loses the hint', () => {
  test.each(transports)('a deactivated user is out all the same, over %s', async (transport) => {
    const { subject, client } = await newcomer();
    const { follower } = await followedRoom(client, transport);
    const token = await signToken(person('acme', subject));
    const socket = await openRawSocket(there.url);
    await socket.init({ token });
    await cutBus(() => database.query('UPDATE actors SET deactivated_at = now() WHERE subject = $1', [subject]));
    expect(await socket.closed).toEqual({ code: 4403, reason: 'the account is deactivated' });
    await waitFor('the end', () => follower.ended);
    expect((await createClient(there.url, token).query('{ viewer { role } }')).status).toBe(401);
  });

  test('without any socket too, requests are refused within seconds', async () => {
    const { subject, client } = await newcomer();
    await database.query('UPDATE actors SET deactivated_at = now() WHERE subject = $1', [subject]);
    await waitFor('the refusal', async () => (await client.query('{ viewer { role } }')).status === 401);
  });
});

describe('R7 an expired token', () => {
  test('ends a stream with an error that says so', async () => {
    const { subject, client } = await newcomer();
    const { room } = await followedRoom(client, 'WebSocket');
    const token = await signToken(person('acme', subject), { expiresAt: new Date(Date.now() + 2_000) });
    const follower = createClient(there.url, token).stream(roomDocument, { room, after: await cursorOf(client, room) });
    await send(ana, room, 'in time');
    await follower.until('what is in time', () => bodies(follower).includes('in time'));
    await waitFor('the end', () => follower.ended);
    expect(follower.failures).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    await send(ana, room, 'too late');
    expect(bodies(follower)).toEqual(['in time']);
  });
});

/** Does something while no process hears anything from the bus. */
async function cutBus(doing: () => Promise<unknown>): Promise<void> {
  const redis = new Redis(redisUrl);
  try {
    await redis.client('KILL', 'TYPE', 'pubsub');
    await doing();
  } finally {
    redis.disconnect();
  }
}
