import { describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, mutationDocument, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { at, listAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';
import { openRawSocket } from './rawSocket.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const services = { databaseUrl, redisUrl, redisPrefix };
const server = await startServer({
  ...services,
  settings: {
    WS_SOCKETS_PER_USER: '3',
    WS_OPERATIONS_PER_SOCKET: '4',
    WS_MESSAGE_BYTES: '100000',
    WS_BUFFER_BYTES: '65536',
  },
});
const anaPerson = person('acme', 'Ana', 'admin');
const ana = await server.signIn(anaPerson);
const room = await createRoom(ana, { kind: 'GROUP', name: 'protocol', memberIds: [] });

const forged = await signToken(anaPerson, { secret: 'the secret of somebody else entirely' });
const expired = await signToken(anaPerson, { expiresAt: new Date(Date.now() - 60_000) });

const added =
  'subscription Added($room: ID!) { messageAdded(roomId: $room) { ... on MessageAdded { message { body } } } }';

const addedAfter = `subscription Added($room: ID!, $after: String) {
  messageAdded(roomId: $room, after: $after) { ... on MessageAdded { message { body } } }
}`;

/** A socket of somebody new, so that no test uses up another's sockets. */
let visitors = 0;
async function visit(name = `Visitor ${++visitors}`) {
  const token = await signToken(person('acme', name));
  const socket = await openRawSocket(server.url);
  return { socket, token };
}

async function visitAsAna() {
  const socket = await openRawSocket(server.url);
  await socket.init({ token: await signToken(anaPerson) });
  return socket;
}

/** Whether one more socket of this person is accepted. */
async function isLetIn(subject: string): Promise<boolean> {
  const socket = await openRawSocket(server.url);
  socket.send({ type: 'connection_init', payload: { token: await signToken(person('acme', subject)) } });
  await waitFor('an answer', () => socket.messages.length > 0 || socket.isClosed);
  const accepted = !socket.isClosed;
  socket.terminate();
  return accepted;
}

describe('R1 the protocol of graphql-ws, and how a socket is closed that does not keep to it', () => {
  test.each([
    ['not JSON', 'nonsense'],
    ['not a message', '{"type":"nonsense"}'],
    ['a message that lacks something', '{"type":"subscribe","id":"1"}'],
  ])('4400 for %s', async (_what, text) => {
    const { socket, token } = await visit();
    await socket.init({ token });
    socket.send(text);
    expect(await socket.closed).toEqual({ code: 4400, reason: 'Invalid message received' });
  });

  test('4401 for an operation before the acknowledgement, even right behind connectionInit', async () => {
    const early = await visit();
    early.socket.subscribe('1', '{ viewer { role } }');
    expect((await early.socket.closed).code).toBe(4401);

    const hasty = await visit();
    hasty.socket.send({ type: 'connection_init', payload: { token: hasty.token } });
    hasty.socket.subscribe('1', '{ viewer { role } }');
    expect((await hasty.socket.closed).code).toBe(4401);
    expect(hasty.socket.messages.filter((message) => at(message, 'type') === 'next')).toEqual([]);
  });

  test.each([
    ['no token', {}],
    ['something that is no token', { token: 'nonsense' }],
    ['a forged token', { token: forged }],
    ['an expired token', { token: expired }],
    ['a header that is none', { authorization: 'Basic YW5hOmFuYQ==' }],
    ['a token of a wrong type', { token: 42 }],
  ])('4403 for %s', async (_what, payload) => {
    const socket = await openRawSocket(server.url);
    socket.send({ type: 'connection_init', payload });
    expect((await socket.closed).code).toBe(4403);
    expect(socket.messages).toEqual([]);
  });

  test('the token may come by itself, or as in an HTTP header', async () => {
    for (const params of [
      (token: string) => ({ token }),
      (token: string) => ({ authorization: `Bearer ${token}` }),
      (token: string) => ({ Authorization: `Bearer ${token}` }),
    ]) {
      const { socket, token } = await visit();
      await socket.init(params(token));
      socket.terminate();
    }
  });

  test('4406 for another subprotocol', async () => {
    for (const protocols of [[], ['graphql-ws'], ['mqtt', 'soap']]) {
      const socket = new WebSocket(server.url.replace('http', 'ws'), protocols);
      // The library itself gives up where the server has chosen none of its protocols.
      socket.on('error', () => undefined);
      const code = await new Promise((resolve) => socket.once('close', resolve));
      expect(code).toBe(protocols.length === 0 ? 4406 : 1006);
    }
  });

  test('4408 for a socket that does not say who it is', async () => {
    const hurried = await startServer({ ...services, settings: { WS_INIT_TIMEOUT_MS: '50' } });
    const socket = await openRawSocket(hurried.url);
    expect((await socket.closed).code).toBe(4408);
    // Whoever said it in time stays.
    const late = await openRawSocket(hurried.url);
    await late.init({ token: await signToken(anaPerson) });
    expect((await (await openRawSocket(hurried.url)).closed).code).toBe(4408);
    expect(late.isClosed).toBe(false);
    late.terminate();
  });

  test('4409 for an operation id that is in use; afterwards it is free again', async () => {
    const socket = await visitAsAna();
    socket.subscribe('same', '{ viewer { role } }');
    await socket.until('complete', 'same');
    socket.subscribe('same', added, { room });
    socket.subscribe('same', added, { room });
    expect((await socket.closed).code).toBe(4409);
  });

  test('4429 for a second connectionInit', async () => {
    const { socket, token } = await visit();
    await socket.init({ token });
    socket.send({ type: 'connection_init', payload: { token } });
    expect((await socket.closed).code).toBe(4429);
  });

  test('a ping is answered with its payload', async () => {
    const { socket, token } = await visit();
    await socket.init({ token });
    socket.send({ type: 'ping', payload: { at: 1 } });
    expect(await socket.until('pong')).toEqual({ type: 'pong', payload: { at: 1 } });
    socket.terminate();
  });

  test('what is wrong with an operation is said to it, and the socket goes on', async () => {
    const socket = await visitAsAna();
    socket.subscribe('parse', 'query {');
    socket.subscribe('validate', '{ nonsense }');
    socket.send({ id: 'name', type: 'subscribe', payload: { query: '{ viewer { role } }', operationName: 'Other' } });
    for (const id of ['parse', 'validate', 'name']) await socket.until('error', id);
    socket.subscribe('room', added, { room: 'room_00000000000000000000000000' });
    socket.subscribe('variables', added);
    for (const id of ['room', 'variables']) {
      const next = await socket.until('next', id);
      expect(listAt(next, 'payload.errors')).toHaveLength(1);
      await socket.until('complete', id);
    }
    expect(at(await socket.until('next', 'room'), 'payload.errors.0.extensions.code')).toBe('NOT_FOUND');
    expect(socket.isClosed).toBe(false);
    socket.terminate();
  });

  test('an operation that the client ends gets nothing more, and the others do', async () => {
    const socket = await visitAsAna();
    socket.subscribe('ended', added, { room });
    socket.subscribe('kept', added, { room });
    await waitFor('both to stand', async () => {
      await send(ana, room, 'are you there?');
      return ['ended', 'kept'].every((id) => socket.messages.some((message) => at(message, 'id') === id));
    });
    socket.send({ id: 'ended', type: 'complete' });
    await socket.pong();
    const before = socket.messages.filter((message) => at(message, 'id') === 'ended').length;
    await send(ana, room, 'the last one');
    await waitFor('the last one', () => JSON.stringify(socket.messages.at(-1)).includes('the last one'));
    expect(socket.messages.filter((message) => at(message, 'id') === 'ended')).toHaveLength(before);
    socket.terminate();
  });
});

describe('R1 limits of sockets', () => {
  test('1013 for more sockets than a user may have; one that is closed makes room', async () => {
    const name = 'Many Tabs';
    const open = await Promise.all([visit(name), visit(name), visit(name)]);
    for (const { socket, token } of open) await socket.init({ token });
    const { socket, token } = await visit(name);
    socket.send({ type: 'connection_init', payload: { token } });
    expect(await socket.closed).toEqual({ code: 1013, reason: 'a user has at most 3 sockets here' });
    expect(socket.messages).toEqual([]);
    open[0]?.socket.terminate();
    await waitFor('room for one more', () => isLetIn(name));
  });

  test('a socket that is cut while its token is checked counts no more', async () => {
    const name = 'Impatient';
    for (let round = 0; round < 10; round++) {
      const socket = await openRawSocket(server.url);
      socket.send({
        type: 'connection_init',
        payload: { token: await signToken(person('acme', name), { claims: { round } }) },
      });
      socket.terminate();
      await socket.closed;
    }
    await waitFor('all of them to be forgotten', () => isLetIn(name));
  });

  test('streams of server-sent events count as sockets do; those that the client leaves count no more', async () => {
    const subject = 'Streaming';
    const client = await server.signIn(person('acme', subject));
    await act(ana, 'addMembers', { roomId: room, userIds: [client.id] });
    const { cursor: after } = await send(ana, room, 'for three streams');
    await send(ana, room, 'they stand');
    const streams = [1, 2, 3].map(() => client.stream(addedAfter, { room, after }));
    for (const stream of streams) await stream.next();
    const refused = client.stream(addedAfter, { room, after });
    await waitFor('the refusal', () => refused.ended);
    expect(at(refused.failures, '0.extensions.code')).toBe('TOO_MANY_OPERATIONS');
    expect(refused.received).toEqual([]);
    expect(await isLetIn(subject)).toBe(false);
    for (const stream of streams) await stream.stop();
    await waitFor('room for a socket', () => isLetIn(subject));
  });

  test('G10 as many streams as a user may have stand, also where more are asked for at once', async () => {
    const visitor = await server.signIn(person('acme', 'Many streams'));
    const count = 20;
    // None of them goes on before all have come.
    const { rateLimits } = server.foundation;
    const consume = rateLimits.consume.bind(rateLimits);
    const all = Promise.withResolvers<void>();
    let asked = 0;
    const consuming = vi.spyOn(rateLimits, 'consume').mockImplementation(async (...call) => {
      if (++asked === count) all.resolve();
      await all.promise;
      return consume(...call);
    });
    const streams = Array.from({ length: count }, () => visitor.stream('subscription { roomEvents { __typename } }'));
    await all.promise;
    consuming.mockRestore();
    await waitFor('the refusals', () => streams.filter(({ ended }) => ended).length >= count - 3);
    const standing = streams.filter(({ ended }) => !ended);
    const full = await openRawSocket(server.url);
    full.send({ type: 'connection_init', payload: { token: await signToken(person('acme', 'Many streams')) } });
    expect((await full.closed).code).toBe(1013);
    expect(standing).toHaveLength(3);
    for (const refused of streams.filter(({ ended }) => ended)) {
      expect(at(refused.failures, '0.extensions.code')).toBe('TOO_MANY_OPERATIONS');
    }
    await Promise.all(standing.map((stream) => stream.stop()));
  });

  test('more operations than a socket may have are refused one by one; one that has ended makes room', async () => {
    const socket = await visitAsAna();
    for (const id of ['1', '2', '3', '4', '5']) socket.subscribe(id, added, { room });
    const error = await socket.until('error', '5');
    expect(at(error, 'payload.0.extensions.code')).toBe('TOO_MANY_OPERATIONS');
    expect(at(error, 'payload.0.message')).toBe('a socket has at most 4 operations open');
    socket.send({ id: '1', type: 'complete' });
    socket.subscribe('6', '{ viewer { role } }');
    expect(at(await socket.until('next', '6'), 'payload.data.viewer.role')).toBe('ADMIN');
    socket.terminate();
  });

  test('1009 for a frame that is too long, without a trace in the log', async () => {
    const socket = await visitAsAna();
    socket.subscribe('1', `{ viewer { role } } #${' '.repeat(100_000)}`);
    expect((await socket.closed).code).toBe(1009);
    expect(server.log.traces()).toEqual([]);
  });

  test('the longest body fits into a frame of the default size, in the widest script', async () => {
    const usual = await startServer(services);
    const socket = await openRawSocket(usual.url);
    await socket.init({ token: await signToken(anaPerson) });
    const input = { roomId: room, body: '漢'.repeat(40_000) };
    socket.subscribe('1', mutationDocument('sendMessage', 'cursor'), { input });
    expect(at(await socket.until('next', '1'), 'payload.data.sendMessage.__typename')).toBe('SendMessagePayload');
    socket.terminate();
  });

  test('whoever sends without ever reading is not read any more: the server keeps little for it', async () => {
    const socket = await visitAsAna();
    socket.pause();
    const payload = { filling: 'x'.repeat(90_000) };
    const count = 1_000;
    for (let index = 0; index < count; index++) socket.send({ type: 'ping', payload });
    const other = await visit();
    await other.socket.init({ token: other.token });
    await waitFor('the server to read no more of it', async () => {
      const before = socket.unsent;
      for (let round = 0; round < 20; round++) {
        await other.socket.pong();
      }
      return before === socket.unsent;
    });
    // The networks between hold some megabytes; the rest of the 90 is still here.
    expect(socket.unsent).toBeGreaterThan(45_000_000);
    socket.resume();
    await waitFor('all answers', () => socket.messages.filter((one) => at(one, 'type') === 'pong').length === count);
    socket.terminate();
  });

  test('a dead socket is pinged once, and ended when it does not answer; one that answers stays', async () => {
    const lively = await startServer({ ...services, settings: { WS_PING_MS: '40' } });
    const alive = await openRawSocket(lively.url);
    await alive.init({ token: await signToken(anaPerson) });
    const dead = await openRawSocket(lively.url, { autoPong: false });
    await dead.init({ token: await signToken(anaPerson) });
    expect((await dead.closed).code).toBe(1006);
    await waitFor('several pings to be answered', () => alive.pings > 3);
    expect(alive.isClosed).toBe(false);
    alive.terminate();
  });
});

describe('R7 a socket that is being closed', () => {
  test('4403 when the token expires; what is sent to a socket that is being closed is not done', async () => {
    const token = await signToken(anaPerson, { expiresAt: new Date(Date.now() + 2_000) });
    const deaf = await openRawSocket(server.url);
    await deaf.init({ token });
    deaf.subscribe('early', mutationDocument('sendMessage'), { input: { roomId: room, body: 'in time' } });
    await deaf.until('complete', 'early');
    const other = await openRawSocket(server.url);
    await other.init({ token });
    // It does not hear that it is being closed, and goes on.
    deaf.pause();
    expect(await other.closed).toEqual({ code: 4403, reason: 'the token has expired' });
    deaf.subscribe('late', mutationDocument('sendMessage'), { input: { roomId: room, body: 'from beyond' } });
    deaf.resume();
    expect((await deaf.closed).code).toBe(4403);
    await send(ana, room, 'afterwards');
    const { data } = await ana.query(
      'query Page($room: ID!) { room(id: $room) { messages(last: 2) { nodes { body } } } }',
      { room },
    );
    expect(listAt(data, 'room.messages.nodes')).toEqual([{ body: 'in time' }, { body: 'afterwards' }]);
  });
});

describe('R1 at a shutdown', () => {
  test('1001 for every socket; one that does not answer is cut, and holds nothing up', async () => {
    const leaving = await startServer(services);
    const token = await signToken(anaPerson);
    const [polite, deaf, fresh] = await Promise.all([0, 1, 2].map(() => openRawSocket(leaving.url)));
    for (const socket of [polite, deaf]) {
      await socket?.init({ token });
      socket?.subscribe('1', added, { room });
    }
    deaf?.pause();
    const { cursor: after } = await send(ana, room, 'before');
    await send(ana, room, 'something to wait for');
    const stream = createClient(leaving.url, token).stream(addedAfter, { room, after });
    await stream.next();
    const stopped = leaving.stop();
    expect(await polite?.closed).toEqual({ code: 1001, reason: 'the server is going away' });
    expect((await fresh?.closed)?.code).toBe(1001);
    await stopped;
    // Cut, not completed: the client opens it again elsewhere.
    await waitFor('the end of the stream', () => stream.ended);
    expect(stream.failures).toHaveLength(1);
    expect(leaving.log.traces()).toEqual([]);
  });
});
