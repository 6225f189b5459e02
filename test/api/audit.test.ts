import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noteSilentRooms } from '../../src/domains/governance/retention.service.ts';
import { setEntitlements } from '../../src/domains/identity/entitlements.service.ts';
import { type AuditAction, auditActions } from '../../src/events/auditActions.ts';
import { importSlackExport } from '../../src/import/importSlack.ts';
import { openSlackExport } from '../../src/import/slack.export.ts';
import { small } from '../import/smallExport.ts';
import { writeExport } from '../import/world.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { digestOf, openTampering, type Tampering } from '../support/auditTampering.ts';
import { createClient } from '../support/client.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { createRandom } from '../support/random.ts';
import { startServer, type TestServer, type Visitor } from '../support/server.ts';

const databaseUrl = await createTestDatabase();
const redis = createTestRedis();
const open = () =>
  startServer({ databaseUrl, redisUrl: redis.url, redisPrefix: redis.prefix, settings: { AUDIT_KEEP_DAYS: '0' } });

const secretText = 'the words of nobody else';
let here: TestServer;
let there: TestServer;
let admin: Visitor;
let ana: Visitor;
let room: string;
let channel: string;
let message: string;
let tampering: Tampering;
let names = 0;

beforeAll(async () => {
  [here, there] = [await open(), await open()];
  tampering = await openTampering(databaseUrl);
  admin = await here.signIn(person('acme', 'Ada', 'admin'));
  ana = await there.signIn(person('acme', 'Ana'));
  room = await createRoom(admin, { kind: 'GROUP', name: 'Plans' });
  channel = await createRoom(admin, { kind: 'CHANNEL', name: 'News' });
  message = (await send(admin, room, secretText)).id;
  await here.signIn(person('other', 'Eve', 'admin'));
});
afterAll(() => tampering.close());

/** One real operation for each action of the catalogue, in an order in which each is possible. */
const doings: Record<AuditAction, () => Promise<unknown>> = {
  'admin.signIn': async () => {
    const token = await signToken(person('acme', 'Ada', 'admin'), { claims: { jti: String(names++) } });
    const { errors } = await createClient(here.url, token).query('{ viewer { role } }');
    if (errors.length > 0) throw new Error(errors[0]?.message);
  },
  'user.deactivate': () => act(admin, 'deactivateUser', { userId: ana.id }),
  'user.reactivate': () => act(admin, 'reactivateUser', { userId: ana.id }),
  'permission.grant': () => setGranted('grantPermission'),
  'permission.revoke': () => setGranted('revokePermission'),
  'room.create': () => createRoom(admin, { kind: 'GROUP', name: `Room ${names++}`, memberIds: [ana.id] }),
  'room.rename': () => act(admin, 'updateRoom', { roomId: room, name: `Plans ${names++}` }),
  'room.archive': () => act(admin, 'archiveRoom', { roomId: room }),
  'room.unarchive': () => act(admin, 'unarchiveRoom', { roomId: room }),
  'member.add': () => act(admin, 'addMembers', { roomId: room, userIds: [ana.id] }),
  'member.setRole': () => act(admin, 'setMemberRole', { roomId: room, userId: ana.id, role: 'MODERATOR' }),
  'member.remove': () => act(admin, 'removeMember', { roomId: room, userId: ana.id }),
  'member.join': () => act(ana, 'joinRoom', { roomId: channel }),
  'member.leave': () => act(ana, 'leaveRoom', { roomId: channel }),
  'message.delete': () => act(admin, 'deleteMessage', { messageId: message }),
  'message.remove': () => act(admin, 'removeMessage', { messageId: message }),
  'purge.create': () => purge(),
  'purge.cancel': () => cancelled(),
  'purge.undo': async () => act(admin, 'undoPurge', { id: await cancelled() }),
  'purge.finish': () => cancelled(),
  'retention.set': () => act(admin, 'setRetention', { roomId: room, days: 400 }),
  'silence.set': () => act(admin, 'setSilentDays', { days: 90 }),
  'hold.set': () => act(admin, 'setLegalHold', { roomId: room, held: true, reason: 'a lawsuit' }),
  'hold.lift': () => act(admin, 'setLegalHold', { roomId: room, held: false }),
  // In ninety days from now.
  'room.silent': async () => {
    const { jobDeps } = here.foundation;
    await noteSilentRooms({ ...jobDeps, log: here.log.logger }, new Date(Date.now() + 90 * 86_400_000));
  },
  'import.start': () => load(),
  'import.finish': () => load(),
  'audit.purge': () => purgeLog(admin, new Date(Date.now() - 1)),
  'tenant.embed': () => act(admin, 'setEmbedding', { frameAncestors: [`https://app${names++}.acme.example`] }),
  'tenant.entitle': async () => {
    const tenant = await here.foundation.database.prisma.tenant.findUniqueOrThrow({ where: { key: 'acme' } });
    const db = here.foundation.database.forTenant(tenant.id);
    await db.transaction((tx) =>
      setEntitlements(tx, (current) => ({ ...current, limits: { ...current.limits, USERS: 1000 } })),
    );
  },
};

async function setGranted(name: 'grantPermission' | 'revokePermission'): Promise<void> {
  const { errors } = await admin.query(
    `mutation { ${name}(input: { role: AGENT, permission: "room:create" }) { __typename } }`,
  );
  if (errors.length > 0) throw new Error(errors[0]?.message);
}

async function purge(): Promise<string> {
  const input = { before: '2000-01-01T00:00:00.000Z', mode: 'SOFT' };
  return textAt(await act(admin, 'purgeMessages', input, 'purge { id }'), 'purge.id');
}

async function cancelled(): Promise<string> {
  return textAt(await act(admin, 'cancelPurge', { id: await purge() }, 'purge { id }'), 'purge.id');
}

async function purgeLog(client: Visitor, before: Date): Promise<unknown> {
  const { data, errors } = await client.query(
    `mutation ($input: PurgeAuditLogInput!) { purgeAuditLog(input: $input) {
      __typename ... on PurgeAuditLogPayload { removed } ... on ValidationError { field reason } } }`,
    { input: { before: before.toISOString() } },
  );
  if (errors.length > 0) throw new Error(errors[0]?.message);
  return at(data, 'purgeAuditLog');
}

async function load(): Promise<void> {
  const source = await openSlackExport(writeExport(small));
  try {
    await importSlackExport(here.foundation.database, { source, tenant: 'acme' });
  } finally {
    source.close();
  }
}

const entries = `nodes { number action actorName actorRole targetType targetId requestId userAgent metadata { name value }
  actor { id } createdAt hash previousHash }`;

async function log(filter: object, client = admin): Promise<unknown[]> {
  const answer = await client.query(
    `query ($filter: AuditLogFilter) { auditLog(first: 100, filter: $filter) { ${entries} } }`,
    {
      filter,
    },
  );
  return listAt(answer, 'data.auditLog.nodes');
}

async function verify(client = admin): Promise<unknown> {
  const { data } = await client.query(
    '{ auditVerification { intact entries firstBadNumber problem lastNumber purgedUpTo } }',
  );
  return at(data, 'auditVerification');
}

describe('G5: the audit trail', () => {
  test('knows an operation for every action of its catalogue', () => {
    expect(Object.keys(doings).sort()).toEqual(Object.keys(auditActions).sort());
  });

  test.each(Object.entries(doings))(
    '%s is written by the transaction that does it, or neither is',
    async (action, doIt) => {
      await tampering.run(`CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN RAISE EXCEPTION ''the trail is full''; END'`);
      await tampering.run('CREATE TRIGGER fail BEFORE INSERT ON audit_entries EXECUTE FUNCTION fail()');
      const before = await digestOf(databaseUrl);
      await expect(doIt()).rejects.toThrow();
      expect(await digestOf(databaseUrl)).toBe(before);
      await tampering.run('DROP FUNCTION fail CASCADE');
      await doIt();
      const [entry] = await log({ action });
      expect(entry).toMatchObject({ action, requestId: expect.stringMatching(/./), createdAt: expect.any(String) });
    },
  );

  test('says who, what, to what, from where, and never what a message said', async () => {
    const client = createClient(here.url, await signToken(person('acme', 'Ada', 'admin')));
    await act(client, 'updateRoom', { roomId: room, name: 'Facts' });
    const [entry] = await log({ action: 'room.rename' });
    expect(entry).toMatchObject({
      actorName: 'Ada',
      actorRole: 'ADMIN',
      actor: { id: admin.id },
      targetType: 'Room',
      targetId: room,
      userAgent: 'node',
      metadata: [
        { name: 'to', value: 'Facts' },
        { name: 'from', value: expect.stringMatching(/^Plans/) },
      ]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .reverse(),
    });
    const { rows } = await tampering.run("SELECT string_agg(e::text, '') AS all FROM audit_entries e");
    expect(rows[0].all).not.toContain(secretText);
  });

  test('is filtered by actor, action, target and time, in pages, newest first', async () => {
    await act(ana, 'joinRoom', { roomId: channel });
    await act(ana, 'leaveRoom', { roomId: channel });
    const numbers = (await log({})).map((entry) => Number(at(entry, 'number')));
    expect(numbers).toEqual([...numbers].sort((one, other) => other - one));
    const byAna = await log({ actorId: ana.id });
    expect(new Set(byAna.map((entry) => at(entry, 'actorName')))).toEqual(new Set(['Ana']));
    const inChannel = await log({ actorId: ana.id, targetId: channel, action: 'member.join' });
    expect(inChannel.length).toBeGreaterThan(0);
    const newest = textAt(byAna[0], 'createdAt');
    const later = await log({ from: newest });
    expect(later.every((entry) => textAt(entry, 'createdAt') >= newest)).toBe(true);
    const earlier = await log({ to: newest, actorId: ana.id });
    expect(earlier.every((entry) => textAt(entry, 'createdAt') < newest)).toBe(true);
    expect(await log({ from: '2999-01-01T00:00:00.000Z' })).toEqual([]);
    const paged: number[] = [];
    for (let after: string | null = null, more = true; more; ) {
      const { data } = await admin.query(
        'query ($after: String) { auditLog(first: 2, after: $after) { nodes { number } pageInfo { hasNextPage endCursor } } }',
        { after },
      );
      paged.push(...listAt(data, 'auditLog.nodes').map((node) => Number(at(node, 'number'))));
      more = at(data, 'auditLog.pageInfo.hasNextPage') === true;
      after = more ? textAt(data, 'auditLog.pageInfo.endCursor') : null;
    }
    expect(paged).toEqual(numbers);
    const bad = await admin.query('{ auditLog(filter: { action: "room.explode" }) { nodes { number } } }');
    expect(bad.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'filter.action' });
    for (const time of ['0000-06-01T00:00:00Z', '+010000-01-01T00:00:00Z', '9999-12-31T23:59:59-12:00']) {
      for (const field of ['from', 'to']) {
        const odd = await admin.query(`{ auditLog(filter: { ${field}: "${time}" }) { nodes { number } } }`);
        expect(odd.errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: `filter.${field}` });
      }
    }
    const before = '0000-06-01T00:00:00Z';
    const purged = await admin.query(
      'mutation ($input: PurgeAuditLogInput!) { purgeAuditLog(input: $input) { ... on ValidationError { field } } }',
      { input: { before } },
    );
    expect(purged.data).toEqual({ purgeAuditLog: { field: 'input.before' } });
  });

  test('is for those with the permission, of their own tenant', async () => {
    const { errors } = await ana.query('{ auditLog { nodes { number } } }');
    expect(errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', permission: 'audit:read' });
    const eve = await here.signIn(person('other', 'Eve', 'admin'));
    expect(await log({ targetId: room }, eve)).toEqual([]);
  });

  test('a token of an admin is recorded once, on however many processes it is used', async () => {
    const token = await signToken(person('acme', 'Ada', 'admin'), { claims: { jti: 'once' } });
    const before = (await log({ action: 'admin.signIn' })).length;
    const clients = [here, there, here, there].map(({ url }) => createClient(url, token));
    await Promise.all(clients.map((client) => client.query('{ viewer { role } }')));
    expect((await log({ action: 'admin.signIn' })).length).toBe(before + 1);
  });

  test('stays one chain while several processes write to it at once', async () => {
    const clients = [admin, await there.signIn(person('acme', 'Ada', 'admin'))];
    const made = Array.from({ length: 40 }, (_, index) =>
      createRoom(clients[index % 2] ?? admin, { kind: 'CHANNEL', name: `Room ${index}`, memberIds: [ana.id] }),
    );
    await Promise.all(made);
    expect(await verify()).toMatchObject({ intact: true, firstBadNumber: null });
  });
});

describe('G5: nobody changes the audit trail', () => {
  test.each([
    ['an update', "UPDATE audit_entries SET actor_name = 'Nobody'"],
    ['a removal', 'DELETE FROM audit_entries'],
    ['a removal of all', 'TRUNCATE audit_entries'],
    ['a head that goes back', 'UPDATE audit_heads SET number = number - 1'],
    ['a cut that no entry explains', 'UPDATE audit_heads SET cut_number = number - 1'],
    ['a removal of the head', 'DELETE FROM audit_heads'],
  ])('the database refuses %s, also to its owner', async (_, text) => {
    await expect(tampering.run(text)).rejects.toThrow(/append-only/);
    await tampering.run('ROLLBACK');
    await expect(tampering.run(`SET session_replication_role = replica; ${text}`)).rejects.toThrow(/append-only/);
    await tampering.run('ROLLBACK; RESET session_replication_role');
  });

  const random = createRandom('tampering with the audit trail');
  const fields = [
    "actor_id = '00000000-0000-7000-8000-000000000000'",
    "actor_name = coalesce(actor_name, '') || '!'",
    "actor_role = coalesce(actor_role, '') || '!'",
    "action = action || '!'",
    "target_type = target_type || '!'",
    "target_id = coalesce(target_id, '') || '!'",
    'metadata = metadata || \'{"more": 1}\'',
    "request_id = request_id || '!'",
    "address = coalesce(address, '') || '!'",
    "user_agent = coalesce(user_agent, '') || '!'",
    "created_at = created_at - interval '1 ms'",
    "id = '00000000-0000-7000-8000-000000000000'",
    "hash = 'f' || substr(hash, 2) || 'f'",
    "previous_hash = previous_hash || 'f'",
  ];

  async function someNumber(): Promise<number> {
    const { rows } = await tampering.run(
      "SELECT number FROM audit_entries WHERE tenant_id = (SELECT id FROM tenants WHERE key = 'acme') ORDER BY number",
    );
    return Number(random.pick(rows).number);
  }
  const own = "tenant_id = (SELECT id FROM tenants WHERE key = 'acme')";

  test.each(fields)('an entry with another %s is found', async (change) => {
    const number = await someNumber();
    await tampering.undoAfter(`UPDATE audit_entries SET ${change} WHERE ${own} AND number = $1`, [number], async () => {
      expect(await verify()).toMatchObject({ intact: false, firstBadNumber: number, problem: 'ALTERED' });
      // Whatever was done to it, the trail can be read.
      expect((await log({})).length).toBeGreaterThan(0);
    });
    expect(await verify()).toMatchObject({ intact: true });
  });

  test('an entry that was removed is found, also the last one', async () => {
    const number = await someNumber();
    const last = Number(at(await verify(), 'lastNumber'));
    for (const gone of [number, last]) {
      await tampering.undoAfter(`DELETE FROM audit_entries WHERE ${own} AND number = $1`, [gone], async () => {
        expect(await verify()).toMatchObject({ intact: false, firstBadNumber: gone, problem: 'REMOVED' });
      });
    }
    await tampering.undoAfter(
      `WITH gone AS (DELETE FROM audit_entries WHERE ${own} AND number <= $1)
       UPDATE audit_heads SET cut_number = $1, cut_hash = (SELECT hash FROM audit_entries WHERE ${own} AND number = $1)
       WHERE ${own}`,
      [last - 1],
      async () => expect(await verify()).toMatchObject({ intact: false, problem: 'REMOVED' }),
    );
  });

  test('an entry that was inserted is found, and the chain of another tenant is none of its business', async () => {
    const last = Number(at(await verify(), 'lastNumber'));
    const copy = `INSERT INTO audit_entries
      SELECT (jsonb_populate_record(e, jsonb_build_object('number', $1::int, 'id', gen_random_uuid()))).*
      FROM audit_entries e WHERE ${own} AND number = $2`;
    for (const number of [last + 1, 0]) {
      await tampering.undoAfter(copy, [number, last], async () => {
        expect(await verify()).toMatchObject({ intact: false, firstBadNumber: number, problem: 'INSERTED' });
        const eve = await here.signIn(person('other', 'Eve', 'admin'));
        expect(await verify(eve)).toMatchObject({ intact: true });
      });
    }
  });

  test('old entries leave through their own audited operation, and the chain goes on from there', async () => {
    const before = at(await verify(), 'lastNumber');
    expect(Number(at(await purgeLog(admin, new Date()), 'removed'))).toBeGreaterThan(0);
    expect(await verify()).toMatchObject({ intact: true, entries: 1, purgedUpTo: before });
    await act(admin, 'updateRoom', { roomId: channel, name: 'After the purge' });
    expect((await log({})).map((entry) => at(entry, 'action'))).toEqual(['room.rename', 'audit.purge']);
    expect(await verify()).toMatchObject({ intact: true, entries: 2 });
  });

  test('what is too young to be purged stays', async () => {
    const strict = await startServer({ databaseUrl });
    const client = await strict.signIn(person('acme', 'Ada', 'admin'));
    expect(await purgeLog(client, new Date())).toMatchObject({ __typename: 'ValidationError', field: 'input.before' });
  });
});
