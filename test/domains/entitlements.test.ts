import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { type readEntitlements, setEntitlements } from '../../src/domains/identity/entitlements.service.ts';
import { schema } from '../../src/graphql/schema.ts';
import type { Entitlements } from '../../src/kernel/entitlements.ts';
import { openRawSocket } from '../realtime/rawSocket.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, attempt, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { type Client, createClient } from '../support/client.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, signToken, type TokenOptions } from '../support/people.ts';
import { startServer, type Visitor } from '../support/server.ts';
import { countRows } from '../support/tables.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const services = { databaseUrl, redisUrl, redisPrefix, poolSize: 20 };
// Two processes: what they let in together has to keep to the limit.
const [here, there] = await Promise.all([startServer(services), startServer(services)]);
const { database } = here.foundation;

let tenants = 0;

/** A tenant of its own with an admin, and what its plan includes. */
async function tenantWith(change: (everything: Entitlements) => Entitlements) {
  const key = `tenant ${++tenants}`;
  const admin = await here.signIn(person(key, 'Ana', 'admin'));
  const { id } = await database.prisma.tenant.findUniqueOrThrow({ where: { key } });
  const db = database.forTenant(id);
  const entitle = (next: typeof change) => db.transaction((tx) => setEntitlements(tx, next));
  await entitle(change);
  return { key, admin, db, entitle };
}

const limited = (limits: Partial<Entitlements['limits']>) => (current: Entitlements) => ({
  ...current,
  limits: { ...current.limits, ...limits },
});

const without =
  (...off: readonly string[]) =>
  (current: Entitlements) => ({
    ...current,
    features: new Set([...current.features].filter((feature) => !off.includes(feature))),
  });

const refusal = '... on EntitlementError { feature limit max }';

/** The payload or the error of a mutation. */
async function outcome(client: Client, name: string, input: object): Promise<unknown> {
  const type = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  const document = `mutation Act($input: ${type}Input!) { ${name}(input: $input) { __typename ${refusal} } }`;
  return at((await client.query(document, { input })).data, name);
}

const atLimit = (limit: string, max: number) => ({ __typename: 'EntitlementError', feature: null, limit, max });
const off = (feature: string) => ({ __typename: 'EntitlementError', feature, limit: null, max: null });
const group = (name: string, memberIds: readonly string[] = []) => ({ kind: 'GROUP', name, memberIds });

/** What a first request with a new token gives: `done`, or the refusal. */
async function firstSight(
  url: string,
  key: string,
  subject: string,
  role: 'agent' | 'service' = 'agent',
  options: TokenOptions = {},
) {
  const { status, errors } = await createClient(url, await signToken(person(key, subject, role), options)).query(
    '{ viewer { role } }',
  );
  return errors.length === 0 ? 'done' : { status, ...errors[0]?.extensions };
}

const countOf = async (db: Parameters<typeof readEntitlements>[0], what: 'rooms' | 'actors' | 'members') => {
  const [row] = await db.query(
    sql<{ count: bigint }>(`test.${what}`, `SELECT count(*) AS count FROM ${what} WHERE tenant_id = $1`),
  );
  return Number(row?.count);
};

describe('the limit of rooms', () => {
  test('G9 of 50 rooms created at once on two processes, exactly as many are made as the plan allows', async () => {
    const { key, admin, db } = await tenantWith(limited({ ROOMS: 10 }));
    const thereToo = await there.signIn(person(key, 'Ana', 'admin'));
    const before = await countRows(databaseUrl);
    const results = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        outcome(index % 2 ? admin : thereToo, 'createRoom', group(`room ${index}`)),
      ),
    );
    expect(results.filter((result) => at(result, '__typename') === 'CreateRoomPayload')).toHaveLength(10);
    expect(results.filter((result) => at(result, '__typename') !== 'CreateRoomPayload')).toEqual(
      Array.from({ length: 40 }, () => atLimit('ROOMS', 10)),
    );
    expect(await countOf(db, 'rooms')).toBe(10);
    const after = await countRows(databaseUrl);
    expect(after.members).toBe((before.members ?? 0) + 10);
    expect(after.room_changes).toBe((before.room_changes ?? 0) + 10);
    expect(after.audit_entries).toBe((before.audit_entries ?? 0) + 10);
  });

  test('G9, T2 counts direct rooms; opening one that exists is no growth', async () => {
    const { key, admin, db } = await tenantWith(limited({ ROOMS: 1 }));
    const bruno = await here.signIn(person(key, 'Bruno'));
    const carla = await here.signIn(person(key, 'Carla'));
    const opened = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        outcome(index % 2 ? admin : bruno, 'openDirectRoom', { userId: index % 2 ? bruno.id : admin.id }),
      ),
    );
    expect(new Set(opened.map((result) => at(result, '__typename')))).toEqual(new Set(['OpenDirectRoomPayload']));
    expect(await outcome(admin, 'openDirectRoom', { userId: carla.id })).toEqual(atLimit('ROOMS', 1));
    expect(await countOf(db, 'rooms')).toBe(1);
  });

  test('G9 archiving makes room, and bringing back is growth', async () => {
    const { admin } = await tenantWith(limited({ ROOMS: 1 }));
    const first = await createRoom(admin, group('first'));
    expect(await outcome(admin, 'createRoom', group('second'))).toEqual(atLimit('ROOMS', 1));
    await act(admin, 'archiveRoom', { roomId: first });
    const second = await createRoom(admin, group('second'));
    expect(await outcome(admin, 'unarchiveRoom', { roomId: first })).toEqual(atLimit('ROOMS', 1));
    await act(admin, 'archiveRoom', { roomId: second });
    await act(admin, 'unarchiveRoom', { roomId: first });
  });

  test('G9 of 20 archived rooms brought back at once, as many come back as the plan allows', async () => {
    const { admin, entitle, db } = await tenantWith((current) => current);
    const rooms = await Promise.all(
      Array.from({ length: 20 }, (_, index) => createRoom(admin, group(`room ${index}`))),
    );
    for (const roomId of rooms) await act(admin, 'archiveRoom', { roomId });
    await entitle(limited({ ROOMS: 5 }));
    const results = await Promise.all(rooms.map((roomId) => outcome(admin, 'unarchiveRoom', { roomId })));
    expect(results.filter((result) => at(result, '__typename') === 'UnarchiveRoomPayload')).toHaveLength(5);
    const [row] = await db.query(
      sql<{ count: bigint }>(
        'test.active',
        'SELECT count(*) AS count FROM rooms WHERE tenant_id = $1 AND archived_at IS NULL',
      ),
    );
    expect(row?.count).toBe(5n);
  });

  test('G9 what exists beyond a lowered limit stays usable; nothing is added; another tenant is not touched', async () => {
    const { key, admin, entitle } = await tenantWith((current) => current);
    const other = await tenantWith((current) => current);
    const rooms = [await createRoom(admin, group('one')), await createRoom(admin, group('two'))];
    await entitle(limited({ ROOMS: 1, USERS: 0 }));
    for (const roomId of rooms) await send(admin, roomId, 'still here');
    expect(await firstSight(here.url, key, 'Ana')).toBe('done');
    expect(await outcome(admin, 'createRoom', group('three'))).toEqual(atLimit('ROOMS', 1));
    await createRoom(other.admin, group('elsewhere'));
  });
});

describe('the limit of users', () => {
  const refused = (max: number) => ({ status: 403, code: 'ENTITLEMENT', feature: null, limit: 'USERS', max });

  test('G9 of 40 people who sign in for the first time at once on two processes, the free seats are taken', async () => {
    const { key, db } = await tenantWith(limited({ USERS: 8 }));
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, index) => firstSight(index % 2 ? here.url : there.url, key, `Person ${index}`)),
    );
    // Ana has one.
    expect(results.filter((result) => result === 'done')).toHaveLength(7);
    expect(results.filter((result) => result !== 'done')).toEqual(Array.from({ length: 33 }, () => refused(8)));
    expect(await countOf(db, 'actors')).toBe(8);
    expect(here.log.traces()).toEqual([]);
  });

  test('G9 one new person whom 30 requests bring at once takes the last seat, and all are answered', async () => {
    const { key } = await tenantWith(limited({ USERS: 2 }));
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        firstSight(index % 2 ? here.url : there.url, key, 'Bruno', 'agent', { claims: { jti: String(index) } }),
      ),
    );
    expect(new Set(results)).toEqual(new Set(['done']));
  });

  test('G9 a socket of somebody without a seat is closed as forbidden', async () => {
    const { key } = await tenantWith(limited({ USERS: 1 }));
    const socket = await openRawSocket(here.url);
    socket.send({ type: 'connection_init', payload: { token: await signToken(person(key, 'Bruno')) } });
    expect((await socket.closed).code).toBe(4403);
  });

  test('G9 deactivating gives the seat back, reactivating takes one, programs need none', async () => {
    const { key, admin } = await tenantWith(limited({ USERS: 2 }));
    const bruno = await here.signIn(person(key, 'Bruno'));
    expect(await firstSight(here.url, key, 'robot', 'service')).toBe('done');
    expect(await firstSight(here.url, key, 'Carla')).toEqual(refused(2));
    await act(admin, 'deactivateUser', { userId: bruno.id });
    expect(await firstSight(here.url, key, 'Carla')).toBe('done');
    expect(await outcome(admin, 'reactivateUser', { userId: bruno.id })).toEqual(atLimit('USERS', 2));
    expect(await firstSight(here.url, key, 'Bruno')).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  });

  test('G9, T14 imported people take a seat when they first sign in', async () => {
    const { key, db } = await tenantWith(limited({ USERS: 1 }));
    const imported = sql<never>(
      'test.imported',
      `INSERT INTO actors (tenant_id, id, kind, name, email) VALUES ($1, gen_random_uuid(), 'USER', 'Bruno', 'bruno@acme.example')`,
    );
    await db.query(imported);
    const claims = { email: 'bruno@acme.example' };
    expect(await firstSight(here.url, key, 'bruno', 'agent', { claims })).toEqual(refused(1));
    await db.transaction((tx) => setEntitlements(tx, limited({ USERS: 2 })));
    expect(await firstSight(here.url, key, 'bruno', 'agent', { claims })).toBe('done');
    expect(await countOf(db, 'actors')).toBe(2);
  });
});

describe('the limit of members of a room', () => {
  async function staffed(max: number) {
    const tenant = await tenantWith(limited({ MEMBERS_PER_ROOM: max }));
    const people: Visitor[] = [];
    for (const name of ['Bruno', 'Carla', 'Diego', 'Elise', 'Fabio', 'Gustavo']) {
      people.push(await here.signIn(person(tenant.key, name)));
    }
    return { ...tenant, people, ids: people.map(({ id }) => id) };
  }

  test('G9 of six who join a channel at once, as many become members as the plan allows', async () => {
    const { admin, people, db } = await staffed(4);
    const roomId = await createRoom(admin, { kind: 'CHANNEL', name: 'door' });
    const results = await Promise.all(people.map((visitor) => outcome(visitor, 'joinRoom', { roomId })));
    expect(results.filter((result) => at(result, '__typename') === 'JoinRoomPayload')).toHaveLength(3);
    expect(results.filter((result) => at(result, '__typename') !== 'JoinRoomPayload')).toEqual(
      Array.from({ length: 3 }, () => atLimit('MEMBERS_PER_ROOM', 4)),
    );
    expect(await countOf(db, 'members')).toBe(4);
  });

  test('G9 of a list that is too long nobody is added, whether to a room or with a new one', async () => {
    const { admin, ids, db } = await staffed(4);
    expect(await outcome(admin, 'createRoom', group('too many', ids))).toEqual(atLimit('MEMBERS_PER_ROOM', 4));
    expect(await countOf(db, 'rooms')).toBe(0);
    const roomId = await createRoom(admin, group('fits', ids.slice(0, 2)));
    expect(await outcome(admin, 'addMembers', { roomId, userIds: ids })).toEqual(atLimit('MEMBERS_PER_ROOM', 4));
    expect(await countOf(db, 'members')).toBe(3);
    await act(admin, 'addMembers', { roomId, userIds: ids.slice(0, 3) });
    // Who is a member already is no growth, also where there is no place left.
    await act(admin, 'addMembers', { roomId, userIds: ids.slice(0, 3) });
    expect(await countOf(db, 'members')).toBe(4);
  });
});

describe('features that are off', () => {
  test('G9 refuse what is new of them, and leave the rest', async () => {
    const { key, admin, entitle } = await tenantWith((current) => current);
    const bruno = await here.signIn(person(key, 'Bruno'));
    const carla = await here.signIn(person(key, 'Carla'));
    const channel = await createRoom(admin, { kind: 'CHANNEL', name: 'news' });
    const open = await createRoom(admin, group('open'));
    const direct = await openDirectRoom(admin, bruno.id);
    expect(await firstSight(here.url, key, 'robot', 'service')).toBe('done');
    await entitle(without('CHANNELS', 'DIRECT_ROOMS', 'SERVICE_ACCOUNTS'));
    expect(await outcome(admin, 'createRoom', { kind: 'CHANNEL', name: 'more' })).toEqual(off('CHANNELS'));
    expect(await outcome(bruno, 'joinRoom', { roomId: channel })).toEqual(off('CHANNELS'));
    expect(await outcome(admin, 'addMembers', { roomId: channel, userIds: [bruno.id] })).toEqual(off('CHANNELS'));
    expect(await outcome(admin, 'openDirectRoom', { userId: carla.id })).toEqual(off('DIRECT_ROOMS'));
    expect(await firstSight(here.url, key, 'another robot', 'service')).toMatchObject({
      status: 403,
      code: 'ENTITLEMENT',
      feature: 'SERVICE_ACCOUNTS',
    });
    expect(await openDirectRoom(bruno, admin.id)).toBe(direct);
    for (const roomId of [channel, direct, open]) await send(admin, roomId, 'goes on');
    expect(await firstSight(here.url, key, 'robot', 'service')).toBe('done');
    await createRoom(admin, group('another'));
    await entitle(without('GROUPS'));
    expect(await outcome(admin, 'createRoom', group('no more'))).toEqual(off('GROUPS'));
  });
});

describe('who sees and sets them', () => {
  const query = '{ viewer { entitlements { features maxUsers maxRooms maxMembersPerRoom } } }';
  const unlimited = { maxUsers: null, maxRooms: null, maxMembersPerRoom: null };

  test('G9 everybody in the tenant sees its own, and everything is on where nothing was set', async () => {
    const fresh = await here.signIn(person('a fresh tenant', 'Ana'));
    expect(at((await fresh.query(query)).data, 'viewer.entitlements')).toEqual({
      features: ['DIRECT_ROOMS', 'GROUPS', 'CHANNELS', 'SERVICE_ACCOUNTS'],
      ...unlimited,
    });
  });

  test('G9, G5 the operator sets them with a command, which is in the audit trail', async () => {
    const program = fileURLToPath(new URL('../../src/domains/identity/cli/tenant.ts', import.meta.url));
    const run = (...args: readonly string[]) =>
      promisify(execFile)(process.execPath, [program, ...args], { env: { ...process.env, DATABASE_URL: databaseUrl } });
    const key = 'set by command';
    await run('entitle', key, '--feature', 'channels=off', '--max-users', '100', '--max-rooms', '7');
    await run('entitle', key, '--feature', 'direct-rooms=off', '--max-rooms', 'none');
    const admin = await here.signIn(person(key, 'Ana', 'admin'));
    expect(at((await admin.query(query)).data, 'viewer.entitlements')).toEqual({
      ...unlimited,
      features: ['GROUPS', 'SERVICE_ACCOUNTS'],
      maxUsers: 100,
    });
    const shown = await run('show', key);
    expect(shown.stdout).toContain('channels: off');
    expect(shown.stdout).toContain('max-users: 100');
    const { data } = await admin.query(
      '{ auditLog(filter: { action: "tenant.entitle" }) { nodes { actorName metadata { name value } } } }',
    );
    const entries = listAt(data, 'auditLog.nodes');
    expect(entries).toHaveLength(2);
    expect(at(entries[0], 'actorName')).toBeNull();
    expect(JSON.stringify(entries)).toContain('CHANNELS');
  });

  test.each([
    [['entitle', 'acme'], 'nothing to change'],
    [['entitle', 'acme', '--feature', 'telepathy=off'], 'telepathy'],
    [['entitle', 'acme', '--feature', 'channels=maybe'], 'channels=maybe'],
    [['entitle', 'acme', '--max-users', '-1'], 'max-users'],
    [['entitle', 'acme', '--max-users', '1.5'], 'max-users'],
    [['entitle', 'acme', '--max-rooms', '9999999999'], 'max-rooms'],
    [['entitle', ' ', '--max-rooms', '9'], 'KEY'],
    [['show', 'nobody has this key'], 'there is no tenant'],
    [['remove', 'acme'], 'expected show or entitle'],
  ])('G9 %j is refused with how it is used, and nothing is written', async (args, expected) => {
    const program = fileURLToPath(new URL('../../src/domains/identity/cli/tenant.ts', import.meta.url));
    const before = await countRows(databaseUrl);
    const running = promisify(execFile)(process.execPath, [program, ...args], {
      env: { ...process.env, DATABASE_URL: databaseUrl },
    });
    const failure = await running.then(
      () => null,
      (error: unknown) => error,
    );
    expect(textAt(failure, 'stderr')).toContain(expected);
    expect(textAt(failure, 'stderr')).not.toMatch(/\n\s+at /);
    expect(await countRows(databaseUrl)).toEqual(before);
  });

  test('G9 no mutation of the API sets them', async () => {
    const { admin } = await tenantWith(limited({ ROOMS: 1 }));
    const names = Object.keys(schema.getMutationType()?.getFields() ?? {});
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => /entitle|plan|feature|limit/i.test(name))).toEqual([]);
    expect((await attempt(admin, 'createRoom', group('the one'))).errors).toEqual([]);
  });
});
