import { createClient } from 'graphql-ws';
import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { encodeCursor } from '../../src/db/cursors.ts';
import { roomPosition } from '../../src/events/position.ts';
import { decodeId, encodeId, newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { act, attempt, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { createClient as createHttpClient } from '../support/client.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { countRows } from '../support/tables.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const server = await startServer({ databaseUrl });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const bruno = await server.signIn(person('acme', 'Bruno'));
const wanda = await server.signIn(person('globex', 'Wanda', 'admin'));
const roomId = await createRoom(ana, { kind: 'GROUP', name: 'room', memberIds: [bruno.id] });
const elsewhere = await createRoom(ana, { kind: 'GROUP', name: 'elsewhere' });
const message = await send(ana, roomId, 'hello');
const outside = await send(ana, elsewhere, 'hello there');
const deleted = await send(ana, roomId, 'gone');
await act(ana, 'deleteMessage', { messageId: deleted.id });
const direct = await openDirectRoom(ana, bruno.id);

const printed = vi.spyOn(console, 'error').mockImplementation(() => undefined);
beforeEach(() => printed.mockClear());
afterAll(() => printed.mockRestore());

/** Nothing was written, and nothing was logged as a fault of the server. */
async function changesNothing(work: () => Promise<void>): Promise<void> {
  const before = await countRows(databaseUrl);
  const traces = server.log.traces().length;
  await work();
  expect(await countRows(databaseUrl)).toEqual(before);
  expect(server.log.traces().slice(traces)).toEqual([]);
  expect(printed.mock.calls).toEqual([]);
}

const nul = 'a\0b';
const lone = 'a\ud800b';
const long = (length: number) => 'x'.repeat(length);
const people = (count: number) => Array.from({ length: count }, () => encodeId('User', newId()));
const mentions = (count: number) =>
  people(count)
    .map((id) => `<@${id}>`)
    .join(' ');

describe('mutations give a typed error', () => {
  const refused: [string, string, object, { code: string; field?: string }][] = [
    ['an empty body', 'sendMessage', { roomId, body: '' }, { code: 'BAD_USER_INPUT', field: 'input.body' }],
    [
      'a body of white space',
      'sendMessage',
      { roomId, body: ' \n\t\u3000\u00a0' },
      { code: 'BAD_USER_INPUT', field: 'input.body' },
    ],
    [
      'a body of 40,001 characters',
      'sendMessage',
      { roomId, body: long(40_001) },
      { code: 'BAD_USER_INPUT', field: 'input.body' },
    ],
    ['a body with a NUL', 'sendMessage', { roomId, body: nul }, { code: 'BAD_USER_INPUT', field: 'input.body' }],
    [
      'a body with half a character',
      'sendMessage',
      { roomId, body: lone },
      { code: 'BAD_USER_INPUT', field: 'input.body' },
    ],
    ['51 mentions', 'sendMessage', { roomId, body: mentions(51) }, { code: 'BAD_USER_INPUT', field: 'input.body' }],
    [
      'an empty nonce',
      'sendMessage',
      { roomId, body: 'a', nonce: ' ' },
      { code: 'BAD_USER_INPUT', field: 'input.nonce' },
    ],
    [
      'a nonce of 65 characters',
      'sendMessage',
      { roomId, body: 'a', nonce: long(65) },
      { code: 'BAD_USER_INPUT', field: 'input.nonce' },
    ],
    [
      'a nonce with a NUL',
      'sendMessage',
      { roomId, body: 'a', nonce: nul },
      { code: 'BAD_USER_INPUT', field: 'input.nonce' },
    ],
    [
      'a room that is not there',
      'sendMessage',
      { roomId: encodeId('Room', newId()), body: 'a' },
      { code: 'NOT_FOUND', field: 'input.roomId' },
    ],
    [
      'an id that is none',
      'sendMessage',
      { roomId: 'nonsense', body: 'a' },
      { code: 'BAD_USER_INPUT', field: 'input.roomId' },
    ],
    [
      'an id beyond 128 bits',
      'sendMessage',
      { roomId: `room_${'z'.repeat(26)}`, body: 'a' },
      { code: 'BAD_USER_INPUT', field: 'input.roomId' },
    ],
    [
      'an id of 100,000 characters',
      'sendMessage',
      { roomId: `room_${long(100_000)}`, body: 'a' },
      { code: 'BAD_USER_INPUT', field: 'input.roomId' },
    ],
    [
      'an id with a NUL',
      'sendMessage',
      { roomId: `${roomId}\0`, body: 'a' },
      { code: 'BAD_USER_INPUT', field: 'input.roomId' },
    ],
    [
      'an id in capitals',
      'sendMessage',
      { roomId: roomId.toUpperCase(), body: 'a' },
      { code: 'BAD_USER_INPUT', field: 'input.roomId' },
    ],
    ['a number as an id', 'sendMessage', { roomId: 42, body: 'a' }, { code: 'BAD_USER_INPUT', field: 'input.roomId' }],
    [
      'an id of another type',
      'sendMessage',
      { roomId: message.id, body: 'a' },
      { code: 'BAD_USER_INPUT', field: 'input.roomId' },
    ],
    [
      'a reply to another room',
      'sendMessage',
      { roomId, body: 'a', replyToId: outside.id },
      { code: 'NOT_FOUND', field: 'input.replyToId' },
    ],
    [
      'a reply to a deleted message',
      'sendMessage',
      { roomId, body: 'a', replyToId: deleted.id },
      { code: 'MESSAGE_DELETED' },
    ],
    ['editing a deleted message', 'editMessage', { messageId: deleted.id, body: 'a' }, { code: 'MESSAGE_DELETED' }],
    [
      'an edit to nothing',
      'editMessage',
      { messageId: message.id, body: '  ' },
      { code: 'BAD_USER_INPUT', field: 'input.body' },
    ],
    [
      'a message that is not there',
      'deleteMessage',
      { messageId: encodeId('Message', newId()) },
      { code: 'NOT_FOUND', field: 'input.messageId' },
    ],
    [
      'a member of another tenant',
      'createRoom',
      { kind: 'GROUP', name: 'a', memberIds: [bruno.id, wanda.id] },
      { code: 'NOT_FOUND', field: 'input.memberIds' },
    ],
    [
      '101 members',
      'createRoom',
      { kind: 'GROUP', name: 'a', memberIds: people(101) },
      { code: 'BAD_USER_INPUT', field: 'input.memberIds' },
    ],
    ['an empty name', 'createRoom', { kind: 'GROUP', name: ' ' }, { code: 'BAD_USER_INPUT', field: 'input.name' }],
    [
      'a name of 81 characters',
      'createRoom',
      { kind: 'GROUP', name: long(81) },
      { code: 'BAD_USER_INPUT', field: 'input.name' },
    ],
    [
      'a name of two lines',
      'createRoom',
      { kind: 'GROUP', name: 'a\nb' },
      { code: 'BAD_USER_INPUT', field: 'input.name' },
    ],
    [
      'a topic with a NUL',
      'createRoom',
      { kind: 'GROUP', name: 'a', topic: nul },
      { code: 'BAD_USER_INPUT', field: 'input.topic' },
    ],
    [
      'a topic of 1,001 characters',
      'updateRoom',
      { roomId, topic: long(1_001) },
      { code: 'BAD_USER_INPUT', field: 'input.topic' },
    ],
    [
      'adding somebody of another tenant',
      'addMembers',
      { roomId, userIds: [wanda.id] },
      { code: 'NOT_FOUND', field: 'input.userIds' },
    ],
    [
      'adding a room',
      'addMembers',
      { roomId, userIds: [elsewhere] },
      { code: 'BAD_USER_INPUT', field: 'input.userIds' },
    ],
    ['adding to a direct room', 'addMembers', { roomId: direct, userIds: [bruno.id] }, { code: 'ROOM_KIND' }],
    ['joining a group', 'joinRoom', { roomId }, { code: 'ROOM_KIND' }],
    [
      'removing who is no member',
      'removeMember',
      { roomId: elsewhere, userId: bruno.id },
      { code: 'NOT_FOUND', field: 'input.userId' },
    ],
    [
      'a direct room with oneself',
      'openDirectRoom',
      { userId: ana.id },
      { code: 'BAD_USER_INPUT', field: 'input.userId' },
    ],
    [
      'reading up to a message elsewhere',
      'markRead',
      { roomId, messageId: outside.id },
      { code: 'NOT_FOUND', field: 'input.messageId' },
    ],
    ['leaving the others without an owner', 'leaveRoom', { roomId }, { code: 'LAST_OWNER' }],
  ];

  test.each(refused)('T3, T6, T7 %s (%s)', (_what, mutation, input, expected) =>
    changesNothing(async () => {
      const { data, errors } = await attempt(ana, mutation, input);
      expect(errors).toEqual([]);
      expect(at(data, mutation)).toMatchObject({ ...expected, reason: expect.any(String) });
    }),
  );

  test("T7 editing and deleting another's message is forbidden, with the permission that it needs", () =>
    changesNothing(async () => {
      const edit = await attempt(bruno, 'editMessage', { messageId: message.id, body: 'a' });
      const deletion = await attempt(bruno, 'deleteMessage', { messageId: message.id });
      expect(edit.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN', permission: 'message:update' } }]);
      expect(deletion.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN', permission: 'message:moderate' } }]);
    }));
});

test('T1, T6 what is just within the limits is taken', async () => {
  await send(ana, roomId, '😀'.repeat(40_000));
  await send(ana, roomId, mentions(50), { nonce: long(64) });
  await act(ana, 'createRoom', { kind: 'GROUP', name: 'é'.repeat(80), topic: long(1_000), memberIds: [] });
  await act(ana, 'addMembers', { roomId, userIds: [] });
});

describe('queries give a documented code', () => {
  const page = (args: string) => `{ rooms(${args}) { nodes { id } } }`;
  const damaged = encodeCursor('rooms', [1, newId()]).slice(0, -3);
  const queries: [string, string][] = [
    ['first: 0', page('first: 0')],
    ['first: 101', page('first: 101')],
    ['first: -1', page('first: -1')],
    ['last: 0', page('last: 0')],
    ['both first and last', page('first: 1, last: 1')],
    ['a cursor that is none', page('after: "nonsense"')],
    ['an empty cursor', page('after: ""')],
    ['a damaged cursor', page(`after: "${damaged}"`)],
    ['a cursor of another list', page(`before: "${message.cursor}"`)],
    ['a forged cursor: words for numbers', page(`after: "${encodeCursor('rooms', ['yesterday', newId()])}"`)],
    [
      'a forged cursor: a time that no calendar has',
      page(`after: "${encodeCursor('rooms', ['9'.repeat(18), newId()])}"`),
    ],
    ['a forged cursor: no id', page(`after: "${encodeCursor('rooms', [1, 'x'])}"`)],
    ['a forged cursor: too few values', page(`after: "${encodeCursor('rooms', [1])}"`)],
    [
      'a forged cursor: a version below zero',
      `{ room(id: "${roomId}") { messages(after: "${roomPosition(decodeId(roomId)?.uuid ?? '', -1n)}") { nodes { id } } } }`,
    ],
    [
      'a forged cursor: of another form',
      `{ room(id: "${roomId}") { messages(after: "${encodeCursor('room', [newId(), '9'.repeat(30)])}") { nodes { id } } } }`,
    ],
    ['a cursor of another room', `{ room(id: "${roomId}") { messages(after: "${outside.cursor}") { nodes { id } } } }`],
    ['a forged cursor with a NUL', `{ users(after: "${encodeCursor('users', ['\0', newId()])}") { nodes { id } } }`],
    [
      'a forged cursor of members',
      `{ room(id: "${roomId}") { members(after: "${encodeCursor('members', ['9'.repeat(17), newId()])}") { nodes { role } } } }`,
    ],
    [
      'a forged cursor of edits',
      `{ node(id: "${message.id}") { ... on Message { edits(before: "${encodeCursor('edits', ['9'.repeat(16), newId()])}") { nodes { body } } } } }`,
    ],
    ['an id that is none', '{ room(id: "nonsense") { id } }'],
    ['an id of another type', `{ room(id: "${message.id}") { id } }`],
    ['a node of no type', '{ node(id: "thing_01h455vb4pex5vsknk084sn02q") { id } }'],
    ['101 nodes', `{ nodes(ids: ${JSON.stringify(people(101))}) { id } }`],
    ['a search with a NUL', String.raw`{ users(search: "\u0000") { nodes { id } } }`],
    ['a search of 201 characters', `{ users(search: "${long(201)}") { nodes { id } } }`],
  ];

  test.each(queries)('T6 %s', (_what, document) =>
    changesNothing(async () => {
      const { errors } = await ana.query(document);
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    }),
  );

  test.each([
    ['a syntax error', '{ rooms('],
    ['a field that is not there', '{ secrets }'],
    ['a number that is none', '{ rooms(first: "many") { nodes { id } } }'],
    ['a number beyond 32 bits', '{ rooms(first: 99999999999) { nodes { id } } }'],
  ])('P4 %s', (_what, document) =>
    changesNothing(async () => {
      const { errors } = await ana.query(document);
      expect(errors.length).toBeGreaterThan(0);
      for (const error of errors) expect(textAt(error, 'extensions.code')).toMatch(/^GRAPHQL_|^BAD_/);
    }),
  );

  test('P4 variables of the wrong type', () =>
    changesNothing(async () => {
      const sent = await attempt(ana, 'sendMessage', { roomId, body: 5 });
      expect(sent.errors).toMatchObject([{ extensions: { code: expect.stringMatching(/^BAD_|^GRAPHQL_/) } }]);
      const room = await ana.query('query Room($id: ID!) { room(id: $id) { id } }', { id: ['a'] });
      expect(room.errors).toMatchObject([{ extensions: { code: expect.stringMatching(/^BAD_|^GRAPHQL_/) } }]);
    }));

  test.each([
    ['no JSON', '{'],
    ['a list', '[1]'],
    ['nothing', ''],
  ])('a request body that is %s is a bad request', (_what, body) =>
    changesNothing(async () => {
      const headers = {
        'content-type': 'application/json',
        authorization: `Bearer ${await signToken(person('acme', 'Ana', 'admin'))}`,
      };
      const response = await fetch(server.url, { method: 'POST', headers, body });
      expect(response.status).toBeGreaterThanOrEqual(400);
      expect(response.status).toBeLessThan(500);
    }),
  );
});

describe('tokens', () => {
  const ana = person('acme', 'Ana', 'admin');
  const hour = 3_600_000;
  const tokens: [string, () => Promise<string>][] = [
    ['an expired token', () => signToken(ana, { expiresAt: new Date(Date.now() - hour) })],
    ['a forged token', () => signToken(ana, { secret: 'not the secret of this server, but as long' })],
    ['a token without a tenant', () => signToken(ana, { claims: { tenant: undefined } })],
    ['a token of an unknown role', () => signToken(ana, { claims: { role: 'god' } })],
    ['a token with a NUL in its name', () => signToken(ana, { claims: { name: 'a\0b' } })],
    ['a token that is none', async () => 'a.b.c'],
    [
      'an unsigned token',
      async () =>
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{"sub":"Ana"}').toString('base64url')}.e`,
    ],
  ];

  test.each(tokens)('R1 %s is refused over HTTP as unauthenticated, and over WebSocket with 4403', (_what, token) =>
    changesNothing(async () => {
      const value = await token();
      const answer = await createHttpClient(server.url, value).query('{ viewer { role } }');
      expect(answer.status).toBe(401);
      expect(answer.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
      expect(await closeCode({ token: value })).toBe(4403);
    }),
  );

  test('R1 without a token only public fields answer, and a WebSocket is closed with 4403', () =>
    changesNothing(async () => {
      const nobody = createHttpClient(server.url, null);
      expect((await nobody.query('{ serverTime }')).errors).toEqual([]);
      const { status, errors } = await nobody.query('{ viewer { role } }');
      expect({ status, errors }).toMatchObject({ status: 401, errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
      expect(await closeCode({})).toBe(4403);
      expect(await closeCode({ token: 5 })).toBe(4403);
    }));

  test('R7 a WebSocket is closed with 4403 when its token expires', () =>
    changesNothing(async () => {
      // Tokens count in whole seconds. Not an admin's: its first use would be in the audit trail.
      const token = await signToken(person('acme', 'Bruno'), { expiresAt: new Date(Date.now() + 1_500) });
      expect(await closeCode({ token })).toBe(4403);
    }));

  /** What the server closes the socket with. */
  async function closeCode(connectionParams: Record<string, unknown>): Promise<unknown> {
    let code: unknown;
    const socket = createClient({
      url: server.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      lazy: false,
      retryAttempts: 0,
      connectionParams,
      onNonLazyError: () => undefined,
      on: { closed: (event) => (code = at(event, 'code')) },
    });
    await waitFor('the end of the socket', () => code !== undefined);
    await socket.dispose();
    return code;
  }
});

describe('over WebSocket', () => {
  test.each([
    [
      'an unknown room',
      `subscription { messageAdded(roomId: "${encodeId('Room', newId())}") { __typename } }`,
      'NOT_FOUND',
    ],
    ['an id that is none', 'subscription { messageAdded(roomId: "nonsense") { __typename } }', 'BAD_USER_INPUT'],
    [
      'a cursor that is none',
      `subscription { messageAdded(roomId: "${roomId}", after: "x") { __typename } }`,
      'BAD_USER_INPUT',
    ],
    [
      'a cursor of another room',
      `subscription { messageAdded(roomId: "${roomId}", after: "${outside.cursor}") { __typename } }`,
      'BAD_USER_INPUT',
    ],
    ['a field that is not there', 'subscription { secrets }', 'GRAPHQL_VALIDATION_FAILED'],
    ['a syntax error', 'subscription {', 'GRAPHQL_PARSE_FAILED'],
  ])('R1 %s', (_what, document, code) =>
    changesNothing(async () => {
      for (const follower of [ana.subscribe(document), ana.stream(document)]) {
        await waitFor('the refusal', () => follower.failures.length > 0);
        expect(follower.failures).toMatchObject([{ extensions: { code } }]);
        await follower.stop();
      }
    }),
  );

  test.each([
    ['no JSON', 'nonsense', 4400],
    [
      'an operation before it has been admitted',
      '{"id":"1","type":"subscribe","payload":{"query":"{ serverTime }"}}',
      4401,
    ],
    ['more than a megabyte', long(1_100_000), 1009],
  ])('R1 a socket that sends %s is closed, without a trace in the log', (_what, text, code) =>
    changesNothing(async () => {
      const socket = new WebSocket(server.url.replace('http', 'ws'), 'graphql-transport-ws');
      let closed: number | undefined;
      socket.on('close', (given) => {
        closed = given;
      });
      socket.on('error', () => undefined);
      socket.on('open', () => socket.send(text));
      await waitFor('the end of the socket', () => closed !== undefined);
      expect(closed).toBe(code);
    }),
  );
});
