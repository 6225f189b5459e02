import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { createRoomLog } from '../../src/events/roomLog.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { message, small } from './smallExport.ts';
import { bothDatabases, findDrift, fingerprint, importFile, messagesOf, rows, writeExport } from './world.ts';

const postgresUrl = await createTestDatabase();

describe.each(bothDatabases(postgresUrl))('a Slack export that comes again, on $name', ({ open }) => {
  const opened = open();
  beforeAll(async () => void (await opened));
  afterAll(async () => (await opened).close());

  test('T14 a second run changes nothing, not even in rows that it would write as they are', async () => {
    const database = await opened;
    const file = writeExport(small);
    const { tenantId, messages, rooms, members, actors } = await importFile(database, file, 'twice');
    const before = await fingerprint(database, tenantId);
    const again = await importFile(database, file, 'twice');
    expect(await fingerprint(database, tenantId)).toEqual(before);
    expect(again).toMatchObject({
      actors: { added: 0, existing: actors.added },
      rooms: { added: 0, existing: rooms.added },
      members: { added: 0, existing: members.added },
      messages: { added: 0, existing: messages.added },
    });
    const marked = await importFile(database, file, 'twice', { markRead: true });
    expect(marked.messages.added).toBe(0);
    expect(await fingerprint(database, tenantId)).toEqual(before);
  });

  test('T14 tenants do not see each other: the same file makes other rows', async () => {
    const database = await opened;
    const file = writeExport(small);
    const [one, other] = [await importFile(database, file, 'one'), await importFile(database, file, 'other')];
    expect(other.messages).toEqual(one.messages);
    const shared = await rows(
      database,
      'SELECT a.id FROM messages a JOIN messages b ON a.id = b.id WHERE a.tenant_id = $1 AND b.tenant_id = $2',
      one.tenantId,
      other.tenantId,
    );
    expect(shared).toEqual([]);
  });

  test('T14 a newer export adds what is new at the end of rooms that live on, and leaves changes as they are', async () => {
    const database = await opened;
    const first = { ...small, 'general/2020-01-02.json': [] };
    const { tenantId } = await importFile(database, writeExport(first), 'newer');
    const [room] = await rows<{ id: string; zoe: string }>(
      database,
      `SELECT r.id, a.id AS zoe FROM rooms r JOIN actors a ON a.tenant_id = $1 AND a.name = 'Zoe'
       WHERE r.tenant_id = $1 AND r.name = 'general'`,
      tenantId,
    );
    if (!room) throw new Error('the room is missing');
    await rows(database, `UPDATE rooms SET topic = 'ours' WHERE tenant_id = $1 AND id = $2`, tenantId, room.id);
    await rows(database, `UPDATE actors SET name = 'Zoë' WHERE tenant_id = $1 AND id = $2`, tenantId, room.zoe);
    await rows(database, `DELETE FROM members WHERE tenant_id = $1 AND actor_id <> $2`, tenantId, room.zoe);
    await rows(
      database,
      `UPDATE actors SET membership_version = 0 WHERE tenant_id = $1 AND id <> $2`,
      tenantId,
      room.zoe,
    );
    await send(database, tenantId, room.id, room.zoe, 'sent in Prosa');
    const before = await messagesOf(database, tenantId, 'general');

    const thread = message('1577836810.000100', 'U2', 'late reply', {
      thread_ts: '1577836800.000100',
      parent_user_id: 'U1',
    });
    const second = { ...small, 'general/2020-01-01.json': [thread] };
    const report = await importFile(database, writeExport(second), 'newer');
    expect(report).toMatchObject({ messages: { added: 4, existing: 3 }, rooms: { added: 0 }, members: { added: 0 } });
    const after = await messagesOf(database, tenantId, 'general');
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.slice(before.length).map(({ body, author, replyTo }) => [body, author, replyTo])).toEqual([
      ['between the first two', 'Zoë', null],
      ['late reply', 'Max', 'first'],
      ['second day', 'Zoë', null],
      ['second day, later', 'Max', null],
    ]);
    expect(await findDrift(database, tenantId)).toEqual([]);
    const [kept] = await rows(database, 'SELECT topic FROM rooms WHERE tenant_id = $1 AND id = $2', tenantId, room.id);
    expect(kept).toEqual({ topic: 'ours' });
  });

  test('T14 a direct room that these two have is used, and who has signed in by e-mail is the same person', async () => {
    const database = await opened;
    const tenantId = newId();
    await rows(database, `INSERT INTO tenants (id, key, name) VALUES ($1, 'living', 'Living')`, tenantId);
    const ids = [newId(), newId()];
    for (const [index, email] of ['zoe@example.com', 'max@example.com'].entries()) {
      const text = `INSERT INTO actors (tenant_id, id, kind, subject, name, email) VALUES ($1, $2, 'USER', $3, $3, $3)`;
      await rows(database, text, tenantId, ids[index] ?? '', email);
    }
    const roomId = newId();
    const key = ids.toSorted().join(':');
    await rows(
      database,
      `INSERT INTO rooms (tenant_id, id, kind, direct_key) VALUES ($1, $2, 'DIRECT', $3)`,
      tenantId,
      roomId,
      key,
    );
    const report = await importFile(database, writeExport(small), 'living');
    expect(report.tenantId).toBe(tenantId);
    expect(report.remarks.get('users who are known by their e-mail address')).toBe(2);
    const direct = await rows(
      database,
      `SELECT r.id, m.body FROM rooms r JOIN messages m ON m.tenant_id = $1 AND m.room_id = r.id
       WHERE r.tenant_id = $1 AND r.kind = 'DIRECT'`,
      tenantId,
    );
    expect(direct).toEqual([{ id: roomId, body: 'direct' }]);
    const before = await fingerprint(database, tenantId);
    await importFile(database, writeExport(small), 'living');
    expect(await fingerprint(database, tenantId)).toEqual(before);
  });

  test('T14 an import that died half-way is completed by the next one, without duplicates', async () => {
    const database = await opened;
    const many = Array.from({ length: 2_500 }, (_, index) =>
      message(`${1_577_900_000 + index}.000100`, index % 2 ? 'U1' : 'U2', `number ${index}`),
    );
    const file = writeExport({ ...small, 'old/2020-01-01.json': many });
    const { tenantId } = await importFile(database, file, 'whole');
    const whole = await contents(database, tenantId);
    // Room by room, and in between the batches of the large one.
    for (const survived of [0, 1, 2, 3]) {
      const tenant = `killed after ${survived}`;
      await expect(importFile(dyingAfter(database, survived), file, tenant)).rejects.toThrow('killed');
      const report = await importFile(database, file, tenant);
      expect(report.messages.added + report.messages.existing).toBe(2_520);
      expect(await contents(database, report.tenantId)).toEqual(whole);
      expect(await findDrift(database, report.tenantId)).toEqual([]);
    }
  });
});

async function send(database: Database, tenantId: string, roomId: string, authorId: string, body: string) {
  const roomLog = createRoomLog(createLocalBus());
  const draft = { id: newId(), authorId, kind: 'TEXT', body, nonce: null, replyToId: null } as const;
  const complete = { ...draft, mentionsRoom: false, mentionedIds: [] };
  expect(await roomLog.addMessage(database.forTenant(tenantId), roomId, complete)).toMatchObject({ body });
}

/** The database of a process that dies in the transaction after so many. */
function dyingAfter(database: Database, survived: number): Database {
  let transactions = 0;
  return {
    ...database,
    forTenant(tenantId) {
      const db = database.forTenant(tenantId);
      return {
        ...db,
        transaction: (work) =>
          db.transaction(async (tx) => {
            const result = await work(tx);
            if (transactions++ >= survived) throw new Error('killed');
            return result;
          }),
      };
    },
  };
}

/** What a tenant has, apart from ids, which are the tenant's own. */
function contents(database: Database, tenantId: string) {
  return rows(
    database,
    `SELECT r.name, m.seq, m.kind::text, a.name AS author, regexp_replace(m.body, '<@[a-z0-9_]+>', '@', 'g') AS body,
       p.seq AS parent, r.version, r.message_count, (SELECT count(*) FROM members b
         WHERE b.tenant_id = $1 AND b.room_id = r.id) AS members
     FROM messages m JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id
     JOIN actors a ON a.tenant_id = $1 AND a.id = m.author_id
     LEFT JOIN messages p ON p.tenant_id = $1 AND p.id = m.reply_to_id
     WHERE m.tenant_id = $1 ORDER BY r.created_at, r.name, m.seq`,
    tenantId,
  );
}
