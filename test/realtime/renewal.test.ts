import { describe, expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { attempt, createRoom, mutationDocument, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { at, textAt } from '../support/json.ts';
import { type Person, person, signToken, type TokenOptions } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';
import { openRawSocket, type RawSocket } from './rawSocket.ts';

const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const server = await startServer({ databaseUrl: await createTestDatabase(), redisUrl, redisPrefix });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** A socket of somebody with a token that ends then. */
async function socketOf(whose: Person, options: TokenOptions = {}) {
  const socket = await openRawSocket(server.url);
  await socket.init({ token: await signToken(whose, options) });
  return socket;
}

const renewal = `mutation Renew($token: String!) {
  renewToken(input: { token: $token }) {
    __typename
    ... on UserError { code reason }
    ... on ValidationError { field }
    ... on RenewTokenPayload { viewer { role permissions tokenExpiresAt } }
  }
}`;
let renewals = 0;

/** @returns what `renewToken` gave. */
async function renew(socket: RawSocket, token: string): Promise<unknown> {
  const id = `renewal ${++renewals}`;
  socket.subscribe(id, renewal, { token });
  return at(await socket.until('next', id), 'payload.data.renewToken');
}

const follow =
  'subscription Follow($room: ID!, $after: String) { messageAdded(roomId: $room, after: $after) { __typename ... on MessageAdded { message { body } } } }';

/** A room of Ana's with this member, whose subscription stands. */
async function follower(whose: Person, options: TokenOptions = {}) {
  const member = await server.signIn(whose);
  const room = await createRoom(ana, { kind: 'GROUP', name: 'followed', memberIds: [member.id] });
  const socket = await socketOf(whose, options);
  const { cursor: after } = await send(ana, room, 'before');
  socket.subscribe('room', follow, { room, after });
  await send(ana, room, 'welcome');
  await waitFor('the welcome', () => bodies(socket).includes('welcome'));
  return { member, room, socket };
}

const bodies = (socket: RawSocket) =>
  socket.messages
    .filter((message) => at(message, 'id') === 'room')
    .map((message) => at(message, 'payload.data.messageAdded.message.body'))
    .filter((body) => body !== undefined);

/** What came for an operation that is not a value. */
const ends = (socket: RawSocket, id: string) =>
  socket.messages
    .filter((message) => at(message, 'id') === id && (at(message, 'type') !== 'next' || at(message, 'payload.errors')))
    .map((message) => at(message, 'payload.errors.0.extensions.code') ?? at(message, 'type'));

describe('a newer token on an open socket', () => {
  test('G9, R7 keeps it and its subscriptions open past the end of the first, up to its own', async () => {
    const bruno = person('acme', 'Bruno');
    const first = inSeconds(3);
    const { room, socket } = await follower(bruno, { expiresAt: first });
    const second = new Date(Math.ceil(first.getTime() / 1000) * 1000 + 2_000);
    const answer = await renew(socket, await signToken(bruno, { expiresAt: second }));
    expect(answer).toMatchObject({ viewer: { tokenExpiresAt: second.toISOString() } });
    await waitFor('the end of the first token', () => Date.now() > first.getTime() + 500);
    await send(ana, room, 'still there');
    await waitFor('the message after it', () => bodies(socket).includes('still there'));
    expect(await socket.closed).toEqual({ code: 4403, reason: 'the token has expired' });
    expect(Date.now()).toBeGreaterThanOrEqual(second.getTime());
    expect(bodies(socket)).toEqual(['welcome', 'still there']);
  });

  test('G9 that ends sooner ends the socket sooner', async () => {
    const carla = person('acme', 'Carla');
    const socket = await socketOf(carla);
    const expiresAt = inSeconds(2);
    await renew(socket, await signToken(carla, { expiresAt }));
    expect(await socket.closed).toEqual({ code: 4403, reason: 'the token has expired' });
  });

  test('G9 grants what is asked from then on: more at once, and less at once', async () => {
    const diego = { ...person('acme', 'Diego'), role: 'agent' } as const;
    const socket = await socketOf(diego);
    const create = async (id: string) => {
      const input = { kind: 'GROUP', name: id };
      socket.subscribe(id, mutationDocument('createRoom', 'room { name }'), { input });
      const answer = await socket.until('next', id);
      return at(answer, 'payload.errors.0.extensions.code') ?? at(answer, 'payload.data.createRoom.__typename');
    };
    expect(await create('as an agent')).toBe('FORBIDDEN');
    expect(await renew(socket, await signToken({ ...diego, role: 'supervisor' }))).toMatchObject({
      viewer: { role: 'SUPERVISOR', permissions: expect.arrayContaining(['room:create']) },
    });
    expect(await create('as a supervisor')).toBe('CreateRoomPayload');
    await renew(socket, await signToken(diego, { claims: { permissions: ['room:create'] } }));
    expect(await create('as an agent who may')).toBe('CreateRoomPayload');
    await renew(socket, await signToken(diego));
    expect(await create('as an agent again')).toBe('FORBIDDEN');
  });

  test('G9 does not touch other sockets of the same person, or of the same token', async () => {
    const whose = person('acme', 'Elise');
    const token = await signToken(whose);
    const [one, other] = [await openRawSocket(server.url), await openRawSocket(server.url)];
    await Promise.all([one.init({ token }), other.init({ token })]);
    await renew(one, await signToken({ ...whose, role: 'supervisor' }));
    other.subscribe('who', '{ viewer { role } }');
    expect(at(await other.until('next', 'who'), 'payload.data.viewer.role')).toBe('AGENT');
  });
});

describe('subscriptions when the newer token grants less', () => {
  test('G9, R7 those that would be refused now end with the reason, the others go on', async () => {
    const fabio = { ...person('acme', 'Fabio'), role: 'admin' } as const;
    const { room, socket } = await follower(fabio);
    // A channel that Fabio is not in: an admin's token may name `message:read`, which its members have.
    const channel = await createRoom(ana, { kind: 'CHANNEL', name: 'read along' });
    const wide = await signToken(fabio, { claims: { permissions: ['message:read'] } });
    await renew(socket, wide);
    const { cursor: after } = await send(ana, channel, 'before');
    socket.subscribe('channel', follow, { room: channel, after });
    await send(ana, channel, 'seen');
    await socket.until('next', 'channel');
    const answer = await renew(socket, await signToken({ ...fabio, role: 'agent' }));
    expect(answer).toMatchObject({ viewer: { role: 'AGENT' } });
    await socket.until('complete', 'channel');
    expect(ends(socket, 'channel')).toEqual(['FORBIDDEN', 'complete']);
    await send(ana, channel, 'not for Fabio');
    await send(ana, room, 'for Fabio');
    await waitFor('the room that goes on', () => bodies(socket).includes('for Fabio'));
    expect(ends(socket, 'room')).toEqual([]);
    expect(JSON.stringify(socket.messages)).not.toContain('not for Fabio');
  });
});

describe('a token that is refused', () => {
  const gustavo = person('acme', 'Gustavo');

  test.each([
    ['of somebody else', () => signToken(person('acme', 'Ana', 'admin')), 'of another account'],
    ['of the same subject in another tenant', () => signToken(person('globex', 'Gustavo')), 'of another account'],
    ['that is forged', () => signToken(gustavo, { secret: 'another secret, which is long enough too' }), 'not valid'],
    ['that has expired', () => signToken(gustavo, { expiresAt: inSeconds(-60) }), 'has expired'],
    ['without a tenant', () => signToken(gustavo, { claims: { tenant: '' } }), 'claim tenant'],
    ['that is none', async () => 'none', 'not valid'],
  ])('G9 %s changes nothing', async (_what, sign, reason) => {
    const { room, socket } = await follower(gustavo);
    expect(await renew(socket, await sign())).toMatchObject({
      __typename: 'ValidationError',
      code: 'BAD_USER_INPUT',
      field: 'input.token',
      reason: expect.stringContaining(reason),
    });
    await send(ana, room, 'after the refusal');
    await waitFor('the message after it', () => bodies(socket).includes('after the refusal'));
    socket.subscribe('who', '{ viewer { actor { name } role } }');
    const who = at(await socket.until('next', 'who'), 'payload.data.viewer');
    expect(who).toEqual({ actor: { name: 'Gustavo' }, role: 'AGENT' });
    socket.terminate();
  });

  test('G9, G1 writes nothing about whom it names', async () => {
    const socket = await socketOf(gustavo);
    await renew(socket, await signToken(person('acme', 'Nobody as yet')));
    await renew(socket, await signToken(person('a tenant that is not there', 'Nobody')));
    const rows = await server.foundation.database.engine.run(
      sql<{ count: bigint }>(
        'test.strangers',
        `SELECT (SELECT count(*) FROM actors WHERE subject LIKE 'Nobody%') +
           (SELECT count(*) FROM tenants WHERE key = 'a tenant that is not there') AS count`,
      ),
      [],
    );
    expect(rows).toEqual([{ count: 0n }]);
  });

  test('G9 is refused to a deactivated account, whose socket is closed', async () => {
    const whose = person('acme', 'Helena');
    const { member, socket } = await follower(whose);
    const token = await signToken(whose);
    await attempt(ana, 'deactivateUser', { userId: member.id });
    expect(await socket.closed).toEqual({ code: 4403, reason: 'the account is deactivated' });
    const client = createClient(server.url, token);
    expect((await client.query('{ viewer { role } }')).errors[0]?.extensions?.code).toBe('UNAUTHENTICATED');
  });

  test('G9 any is over HTTP, where each request brings its own', async () => {
    const answer = await ana.query(renewal, { token: await signToken(person('acme', 'Ana', 'admin')) });
    expect(answer.errors).toEqual([]);
    expect(textAt(answer.data, 'renewToken.code')).toBe('SOCKET_REQUIRED');
  });

  test('G9 leaves no trace of a token in the log', () => {
    expect(server.log.traces()).toEqual([]);
    expect(JSON.stringify(server.log.lines)).not.toContain('eyJ');
  });
});
