import { createClient } from 'graphql-ws';
import { afterAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { startApi } from '../../src/server.ts';
import { createTestDatabase } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { createClient as createTestClient } from '../support/client.ts';
import { openHouse } from '../support/house.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase() });
let executions = 0;
const api = await startApi(house.config, house.foundation, house.log.logger, false, { onExecute: () => executions++ });
afterAll(() => api.close());

async function signIn(name: string, role?: 'admin') {
  const token = await signToken(person('acme', name, role));
  const client = createTestClient(api.url, token);
  return { ...client, token, id: textAt(await client.query('{ viewer { actor { id } } }'), 'data.viewer.actor.id') };
}

const ana = await signIn('Ana', 'admin');
const members = await Promise.all(Array.from({ length: 10 }, (_, index) => signIn(`member-${index}`)));
const room = await createRoom(ana, { kind: 'GROUP', name: 'crowded', memberIds: members.map((member) => member.id) });
const socketsEach = 5;
const operationsEach = 20;
const everybody = members.length * socketsEach * operationsEach;

async function cursor(): Promise<string> {
  const { data } = await ana.query('query Cursor($room: ID!) { room(id: $room) { cursor } }', { room });
  return textAt(data, 'room.cursor');
}

const queryFor = (selection: string) => `subscription Crowd($room: ID!, $after: String) {
  messageAdded(roomId: $room, after: $after) { ... on MessageAdded { ${selection} } }
}`;

/** A thousand subscriptions over fifty sockets of ten people. */
async function crowd(selection: string) {
  const query = queryFor(selection);
  const after = await cursor();
  const sockets = members.flatMap(({ token }) =>
    Array.from({ length: socketsEach }, () =>
      createClient({ url: api.url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: { token } }),
    ),
  );
  const received = sockets.flatMap((socket) =>
    Array.from({ length: operationsEach }, () => {
      const values: unknown[] = [];
      const sink = { next: (value: unknown) => values.push(value), error: (error: unknown) => values.push(error) };
      socket.subscribe({ query, variables: { room, after } }, { ...sink, complete: () => undefined });
      return values;
    }),
  );
  return {
    received,
    async until(count: number) {
      await waitFor(`${count} events at everybody`, () => received.every((values) => values.length >= count));
    },
    stop: () => Promise.all(sockets.map((socket) => socket.dispose())),
  };
}

test('R2 a thousand subscribers of a room with the same operation cost one execution per message', async () => {
  const { received, until, stop } = await crowd('message { body author { name } cursor }');
  expect(received).toHaveLength(everybody);
  // The first is replayed to some and live to others.
  await send(ana, room, 'first');
  await until(1);
  const before = executions;
  for (const body of ['one', 'two', 'three']) await send(ana, room, body);
  await until(4);
  expect(executions - before).toBe(3);
  const [first] = received;
  for (const values of received) expect(values).toEqual(first);
  expect(first).toMatchObject(
    ['first', 'one', 'two', 'three'].map((body) => ({ data: { messageAdded: { message: { body } } } })),
  );
  await stop();
});

test('R2 where a field depends on the viewer they cost one for each viewer, and everybody gets their own', async () => {
  for (const [index, member] of members.entries()) {
    await act(member, 'muteRoom', { roomId: room, muted: index % 2 === 0 });
  }
  const { received, until, stop } = await crowd('message { body } room { viewerMember { muted actor { name } } }');
  await send(ana, room, 'first');
  await until(1);
  const before = executions;
  await send(ana, room, 'second');
  await until(2);
  expect(executions - before).toBe(members.length);
  for (const [index, values] of received.entries()) {
    const viewer = Math.floor(index / socketsEach / operationsEach);
    const viewerMember = { muted: viewer % 2 === 0, actor: { name: `member-${viewer}` } };
    expect(values).toMatchObject([
      { data: { messageAdded: { message: { body: 'first' }, room: { viewerMember } } } },
      { data: { messageAdded: { message: { body: 'second' }, room: { viewerMember } } } },
    ]);
  }
  await stop();
});

test('R2 what only the sender sees costs one more execution for the sender, and is null to everybody else', async () => {
  const selection = 'message { body nonce }';
  const { received, until, stop } = await crowd(selection);
  const own = ana.subscribe(queryFor(selection), { room, after: await cursor() });
  await act(ana, 'sendMessage', { roomId: room, body: 'first', nonce: 'of the first' });
  expect(await own.next()).toEqual({ messageAdded: { message: { body: 'first', nonce: 'of the first' } } });
  await until(1);
  const before = executions;
  await act(ana, 'sendMessage', { roomId: room, body: 'second', nonce: 'of the second' });
  expect(await own.next()).toEqual({ messageAdded: { message: { body: 'second', nonce: 'of the second' } } });
  await until(2);
  expect(executions - before).toBe(2);
  const shown = ['first', 'second'].map((body) => ({ data: { messageAdded: { message: { body, nonce: null } } } }));
  for (const values of received) expect(values).toEqual(shown);
  await Promise.all([own.stop(), stop()]);
});

test('R5 what is deleted is not shown to who resumes from before it, although others with the same operation saw it', async () => {
  const query = `subscription Added($room: ID!, $after: String) {
    messageAdded(roomId: $room, after: $after) { ... on MessageAdded { message { id body } } }
  }`;
  const after = await cursor();
  const live = ana.subscribe(query, { room, after });
  const { id } = await send(ana, room, 'regretted');
  expect(await live.next()).toEqual({ messageAdded: { message: { id, body: 'regretted' } } });
  await act(ana, 'deleteMessage', { messageId: id });
  const late = ana.subscribe(query, { room, after });
  expect(await late.next()).toEqual({ messageAdded: { message: { id, body: null } } });
  await Promise.all([live.stop(), late.stop()]);
});

test('R2 operations of one document that name different variables alike are not taken for the same', async () => {
  const query = `
    subscription Before($room: ID!, $x: String) { messageAdded(roomId: $room, after: $x) { __typename } }
    subscription Said($room: ID!, $x: Boolean!) {
      messageAdded(roomId: $room) { ... on MessageAdded { message { body @include(if: $x) cursor } } }
    }`;
  const socket = createClient({
    ...{ url: api.url.replace('http', 'ws'), webSocketImpl: WebSocket, connectionParams: { token: ana.token } },
  });
  const received: unknown[][] = [];
  for (const [operationName, x] of [
    ['Before', await cursor()],
    ['Said', false],
    ['Said', true],
  ] as const) {
    const values: unknown[] = [];
    received.push(values);
    const sink = { next: (value: unknown) => values.push(value), error: (error: unknown) => values.push(error) };
    socket.subscribe({ query, operationName, variables: { room, x } }, { ...sink, complete: () => undefined });
  }
  // They stand when they get what is sent.
  await waitFor('an event at each', async () => {
    await send(ana, room, 'what was said');
    return received.every((values) => values.length > 0);
  });
  const [, without, having] = received.map((values) => JSON.stringify(values.at(-1)));
  expect(without).not.toContain('what was said');
  expect(having).toContain('what was said');
  await socket.dispose();
});

test.each([
  ['a reply', 'message { body replyTo { body } }', 'message.replyTo.body'],
  ['the room', 'room { messages(last: 2) { nodes { body } } }', 'room.messages.nodes.0.body'],
])('R5 neither is what is deleted that %s shows, also in a stream over all rooms', async (_what, selection, path) => {
  const documents = [
    { query: queryFor(selection), variables: { room } },
    { query: queryFor(selection).replace('roomId: $room, ', '').replace('$room: ID!, ', ''), variables: {} },
  ];
  const first = await send(ana, room, 'regretted');
  const viewerCursor = textAt((await ana.query('{ viewer { cursor } }')).data, 'viewer.cursor');
  const starts = [first.cursor, viewerCursor];
  const follow = () =>
    documents.map(({ query, variables }, index) => ana.subscribe(query, { ...variables, after: starts[index] }));
  const live = follow();
  await send(ana, room, 'the regretted one, in reply', { replyToId: first.id });
  for (const follower of live) expect(at(await follower.next(), `messageAdded.${path}`)).toContain('regretted');
  await act(ana, 'deleteMessage', { messageId: first.id });
  const late = follow();
  for (const follower of late) expect(at(await follower.next(), `messageAdded.${path}`)).toBe(null);
  await Promise.all([...live, ...late].map((follower) => follower.stop()));
});
