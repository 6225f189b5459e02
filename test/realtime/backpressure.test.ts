import { type IncomingMessage, request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { createRoom, send } from '../support/acting.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';
import { openRawSocket } from './rawSocket.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const server = await startServer({
  databaseUrl,
  redisUrl,
  redisPrefix,
  settings: { WS_BUFFER_BYTES: '65536', LIVE_QUEUE_EVENTS: '10', WS_SOCKETS_PER_USER: '1' },
});
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const bruno = await server.signIn(person('acme', 'Bruno'));
const carlaPerson = person('acme', 'Carla');
const carla = await server.signIn(carlaPerson);
const token = await signToken(carlaPerson);

const plain = `subscription Plain($room: ID!, $after: String) {
  messageAdded(roomId: $room, after: $after) {
    ... on MessageAdded { cursor message { id } }
    ... on ResyncRequired { reason cursor }
  }
}`;

// A megabyte for each message: what networks hold (some megabytes) is soon full.
const heavy = plain.replace('id }', `id ${[...'abcdefgh'].map((alias) => `${alias}: body`).join(' ')} }`);
const body = '漢'.repeat(40_000);
const messageCount = 60;

async function newRoom() {
  const room = await createRoom(ana, { kind: 'GROUP', name: 'busy', memberIds: [bruno.id, carla.id] });
  const { cursor } = await send(ana, room, 'the first');
  return { room, after: cursor };
}

/** Sends many, and gives their ids when a subscriber who reads has got them all. */
async function sendMany(room: string, after: string): Promise<unknown[]> {
  const reading = bruno.subscribe(plain, { room, after });
  const ids: string[] = [];
  for (let index = 0; index < messageCount; index++) ids.push((await send(ana, room, body)).id);
  await reading.until('everything', (received) => received.length === messageCount);
  expect(reading.received.map((event) => at(event, 'messageAdded.message.id'))).toEqual(ids);
  await reading.stop();
  return ids;
}

/** What a slow client got is a beginning, then it is told to resync, and from there on it misses nothing. */
async function expectNothingLost(room: string, ids: readonly unknown[], events: readonly unknown[]): Promise<void> {
  const got = events.slice(0, -1).map((event) => at(event, 'message.id'));
  expect(got).toEqual(ids.slice(0, got.length));
  expect(got.length).toBeLessThan(messageCount);
  const last = events.at(-1);
  expect(at(last, 'reason')).toBe('TOO_SLOW');
  const rest = carla.stream(plain, { room, after: textAt(last, 'cursor') });
  await rest.until('the rest', (received) => received.length >= ids.length - got.length);
  expect(rest.received.map((event) => at(event, 'messageAdded.message.id'))).toEqual(ids.slice(got.length));
  await rest.stop();
}

/** One socket per user here: a new one is accepted as soon as the server has forgotten the one before. */
async function untilForgotten(): Promise<void> {
  await waitFor('the server to forget the connection', async () => {
    const socket = await openRawSocket(server.url);
    socket.send({ type: 'connection_init', payload: { token } });
    await waitFor('an answer', () => socket.messages.length > 0 || socket.isClosed);
    const accepted = !socket.isClosed;
    socket.terminate();
    await socket.closed;
    return accepted;
  });
}

async function openUnread(room: string, after: string): Promise<IncomingMessage> {
  const post = request(server.url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'text/event-stream' },
  });
  post.end(JSON.stringify({ query: heavy, variables: { room, after } }));
  return new Promise((resolve, reject) => {
    post.once('response', resolve);
    post.once('error', reject);
  });
}

describe('R5 a subscriber that does not read', () => {
  test('over WebSocket is told to resync and closed with 1013, while others get everything at once', async () => {
    const { room, after } = await newRoom();
    await untilForgotten();
    const slow = await openRawSocket(server.url);
    await slow.init({ token });
    slow.subscribe('1', heavy, { room, after });
    await slow.pong();
    slow.pause();
    const ids = await sendMany(room, after);
    slow.resume();
    expect(await slow.closed).toEqual({ code: 1013, reason: 'too slow: resync' });
    const events = slow.messages.filter((message) => at(message, 'type') === 'next');
    await untilForgotten();
    await expectNothingLost(
      room,
      ids,
      events.map((message) => at(message, 'payload.data.messageAdded')),
    );
  });

  test('over server-sent events is told to resync, and its stream completes', async () => {
    const { room, after } = await newRoom();
    await untilForgotten();
    const response = await openUnread(room, after);
    const ids = await sendMany(room, after);
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    expect(text).toMatch(/event: complete\ndata:\n\n$/);
    const events = [...text.matchAll(/^data: (.+)$/gm)].map(([, data = '']) =>
      at(JSON.parse(data), 'data.messageAdded'),
    );
    await untilForgotten();
    await expectNothingLost(room, ids, events);
  });

  test('is forgotten when its connection breaks with everything still unread', async () => {
    const { room, after } = await newRoom();
    await untilForgotten();
    const socket = await openRawSocket(server.url);
    await socket.init({ token });
    socket.subscribe('1', heavy, { room, after });
    await socket.pong();
    socket.pause();
    await sendMany(room, after);
    socket.terminate();
    await untilForgotten();

    const response = await openUnread(room, after);
    await sendMany(room, (await send(ana, room, 'again')).cursor);
    response.destroy();
    await untilForgotten();
    expect(server.log.traces()).toEqual([]);
  });
});
