import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { createRoomLog } from '../../src/events/roomLog.ts';
import { decodeId, newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import {
  bothDatabases,
  type Files,
  findDrift,
  fingerprint,
  importFile,
  messagesOf,
  rows,
  writeExport,
} from './world.ts';

const postgresUrl = await createTestDatabase();

const users = [
  {
    id: 'U1',
    name: 'zoe',
    real_name: 'Zoe',
    profile: { email: 'Zoe@Example.com', image_192: 'https://example.com/z.png' },
  },
  { id: 'U2', name: 'max', real_name: 'Max', profile: { email: 'max@example.com' } },
  { id: 'U3', name: 'gone', real_name: 'Gone', deleted: true, profile: {} },
  { id: 'U4', name: 'robot', real_name: 'Robot', is_bot: true, profile: { bot_id: 'B4' } },
];
const general = {
  id: 'C1',
  name: 'general',
  created: 1_500_000_000,
  creator: 'U1',
  members: ['U1', 'U2', 'U9'],
  topic: { value: 'All &amp; sundry' },
};
const message = (ts: string, user: string, text: string, more: object = {}) => ({
  type: 'message',
  ...{ user, text, ts, ...more },
});

const small: Files = {
  'users.json': users,
  'channels.json': [general, { id: 'C2', name: 'old', created: 1_500_000_000, creator: 'U2', is_archived: true }],
  'groups.json': [{ id: 'G1', name: 'secret', created: 1_500_000_001, creator: 'U2', members: ['U2'] }],
  'dms.json': [{ id: 'D1', created: 1_500_000_002, members: ['U1', 'U2'] }],
  'mpims.json': [{ id: 'G2', name: 'mpdm-zoe--max--gone-1', created: 1_500_000_003, members: ['U1', 'U2', 'U3'] }],
  // The days are out of order, and so is what is in them.
  'general/2020-01-02.json': [
    message('1577923202.000100', 'U2', 'second day, later'),
    message('1577923201.000100', 'U1', 'second day'),
    message('1577836800.000150', 'U1', 'between the first two'),
  ],
  'general/2020-01-01.json': [
    message('1577836800.000100', 'U1', 'first', { edited: { user: 'U1', ts: '1577836900.000000' } }),
    message(
      '1577836800.000200',
      'U2',
      'hi <@U1>, <@U4|robot>, <@U77> &lt;b&gt; <!here> see <https://x.org/?a=1&amp;b|x> in <#C2|old>',
    ),
    message('1577836801.000100', 'U2', 'a reply', { thread_ts: '1577836800.000100' }),
    message('1577836802.000100', 'U2', 'to nothing', { thread_ts: '1577830000.000100' }),
    message('1577836803.000100', 'U3', '<@U3> has left', { subtype: 'channel_leave' }),
    message('1577836803.000200', 'U2', '<@U2> has joined', { subtype: 'channel_join', inviter: 'U1' }),
    message('1577836803.000300', 'U1', '', { subtype: 'channel_topic', topic: 'tea' }),
    message('1577836803.000400', 'U1', 'pinned', { subtype: 'pinned_item' }),
    {
      type: 'message',
      subtype: 'bot_message',
      bot_id: 'B8',
      username: 'Builder',
      text: 'built',
      ts: '1577836804.000100',
    },
    { type: 'message', subtype: 'bot_message', bot_id: 'B4', text: 'as a user', ts: '1577836804.000200' },
    message('1577836805.000100', 'U1', 'waves', { subtype: 'me_message' }),
    message('1577836806.000100', 'U1', '', {
      files: [{ name: 'a.png', url_private: 'https://f/a.png' }, { name: 'b' }],
    }),
    message('1577836807.000100', 'U1', '   '),
    message('1577836808.000100', 'U88', 'from outside\u0000'),
    message('1577836809.000100', 'U1', 'x'.repeat(40_001)),
    message('1577836800.000100', 'U1', 'first', {}),
  ],
  'secret/2020-01-01.json': [message('1577836800.000100', 'U2', 'alone')],
  'D1/2020-01-01.json': [message('1577836800.000100', 'U1', 'direct')],
  'mpdm-zoe--max--gone-1/2020-01-01.json': [message('1577836800.000100', 'U3', 'three of us')],
};

describe.each(bothDatabases(postgresUrl))('a Slack export on $name', ({ open }) => {
  const opened = open();
  beforeAll(async () => void (await opened));
  afterAll(async () => (await opened).close());

  test('T14 loads users, rooms, members and messages with their own times and order', async () => {
    const database = await opened;
    const report = await importFile(database, writeExport(small), 'full');
    const { tenantId } = report;
    expect(report).toMatchObject({
      rooms: { added: 5, existing: 0 },
      members: { added: 9, existing: 0 },
      messages: { added: 20, existing: 0 },
      problemCount: 0,
    });
    expect(Object.fromEntries(report.skipped)).toEqual({ empty: 1, duplicate: 1 });
    expect(Object.fromEntries(report.remarks)).toEqual({
      'placeholders for users that are not in users.json': 3,
      'replies to a message that is not in the export': 1,
      'bodies cut at the limit': 1,
    });

    const actors = await rows<{ name: string }>(
      database,
      `SELECT name, kind::text, email, subject, role::text, picture_url AS picture, deactivated_at IS NOT NULL AS gone
       FROM actors WHERE tenant_id = $1 ORDER BY name`,
      tenantId,
    );
    const plain = { kind: 'USER', email: null, subject: null, role: null, picture: null, gone: false };
    const byName = [
      { ...plain, name: 'Builder', kind: 'SERVICE_ACCOUNT' },
      { ...plain, name: 'Gone', gone: true },
      { ...plain, name: 'Max', email: 'max@example.com' },
      { ...plain, name: 'Robot', kind: 'SERVICE_ACCOUNT' },
      { ...plain, name: 'U77' },
      { ...plain, name: 'U88' },
      { ...plain, name: 'U9' },
      { ...plain, name: 'Zoe', email: 'zoe@example.com', picture: 'https://example.com/z.png' },
    ];
    expect(actors.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual(byName);

    const rooms = await rows(
      database,
      `SELECT r.kind::text, r.name, r.topic, c.name AS creator, r.archived_at IS NOT NULL AS archived,
         r.created_at AS "createdAt", ARRAY(SELECT a.name || ' ' || b.role::text FROM members b
           JOIN actors a ON a.tenant_id = $1 AND a.id = b.actor_id
           WHERE b.tenant_id = $1 AND b.room_id = r.id ORDER BY a.name COLLATE "C") AS members
       FROM rooms r LEFT JOIN actors c ON c.tenant_id = $1 AND c.id = r.creator_id
       WHERE r.tenant_id = $1 ORDER BY r.kind, r.name COLLATE "C"`,
      tenantId,
    );
    const at = (seconds: number) => new Date(seconds * 1000);
    const empty = { topic: null, creator: null, archived: false };
    expect(rooms).toEqual([
      { ...empty, kind: 'DIRECT', name: null, createdAt: at(1_500_000_002), members: ['Max MEMBER', 'Zoe MEMBER'] },
      {
        ...empty,
        kind: 'GROUP',
        name: 'Zoe, Max, Gone',
        createdAt: at(1_500_000_003),
        members: ['Gone MEMBER', 'Max MEMBER', 'Zoe MEMBER'],
      },
      {
        ...empty,
        kind: 'GROUP',
        name: 'secret',
        creator: 'Max',
        createdAt: at(1_500_000_001),
        members: ['Max OWNER'],
      },
      {
        ...empty,
        kind: 'CHANNEL',
        name: 'general',
        topic: 'All & sundry',
        creator: 'Zoe',
        createdAt: at(1_500_000_000),
        members: ['Max MEMBER', 'U9 MEMBER', 'Zoe OWNER'],
      },
      {
        ...empty,
        kind: 'CHANNEL',
        name: 'old',
        creator: 'Max',
        archived: true,
        createdAt: at(1_500_000_000),
        members: [],
      },
    ]);
    expect(await findDrift(database, tenantId)).toEqual([]);
  });

  test('T14 puts messages in the order of their times, with edits, threads, mentions, reports, bots and files', async () => {
    const database = await opened;
    const { tenantId } = await importFile(database, writeExport(small), 'contents');
    const messages = await messagesOf(database, tenantId, 'general');
    expect(messages.map(({ seq }) => Number(seq))).toEqual(messages.map((_, index) => index + 1));
    const [
      first,
      between,
      mention,
      reply,
      orphan,
      left,
      joined,
      topic,
      pinned,
      bot,
      botUser,
      me,
      files,
      outside,
      long,
      ...rest
    ] = messages;
    expect(first).toMatchObject({ body: 'first', author: 'Zoe', kind: 'TEXT', createdAt: new Date(1_577_836_800_000) });
    expect(first?.editedAt).toEqual(new Date(1_577_836_900_000));
    expect(between).toMatchObject({ body: 'between the first two', editedAt: null });
    expect(mention).toMatchObject({ kind: 'MENTION', mentionsRoom: true, mentioned: ['Robot', 'U77', 'Zoe'] });
    expect(mention?.body.replaceAll(/<@[^>]+>/g, '@')).toBe(
      'hi @, @, @ <b> <!room> see [x](https://x.org/?a=1&b) in #old',
    );
    const mentioned = [...(mention?.body ?? '').matchAll(/<@([^>]+)>/g)].map((match) => decodeId(match[1] ?? ''));
    expect(mentioned.map((id) => id?.type)).toEqual(['User', 'ServiceAccount', 'User']);
    expect(reply).toMatchObject({ body: 'a reply', replyTo: 'first' });
    expect(orphan).toMatchObject({ body: 'to nothing', replyTo: null });
    expect(left).toMatchObject({ kind: 'SYSTEM', systemEvent: 'MEMBER_LEFT', author: 'Gone', body: 'Gone left' });
    expect(joined).toMatchObject({ systemEvent: 'MEMBER_JOINED', body: 'Max joined, invited by Zoe', mentioned: [] });
    expect(topic).toMatchObject({ systemEvent: 'TOPIC_CHANGED', body: 'Zoe set the topic to tea' });
    expect(pinned).toMatchObject({ kind: 'SYSTEM', systemEvent: 'OTHER', body: 'pinned' });
    expect(bot).toMatchObject({ body: 'built', author: 'Builder', authorKind: 'SERVICE_ACCOUNT', kind: 'TEXT' });
    expect(botUser).toMatchObject({ body: 'as a user', author: 'Robot', authorKind: 'SERVICE_ACCOUNT' });
    expect(me?.body).toBe('_waves_');
    expect(files).toMatchObject({ kind: 'FILE', body: '📎 a.png (https://f/a.png)\n📎 b' });
    expect(outside).toMatchObject({ author: 'U88', body: 'from outside' });
    expect(long?.body).toHaveLength(40_000);
    expect(rest.map(({ body }) => body)).toEqual(['second day', 'second day, later']);
  });

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

  test('T14 with --mark-read nothing is unread', async () => {
    const database = await opened;
    const { tenantId } = await importFile(database, writeExport(small), 'read', { markRead: true });
    const unread = await rows(
      database,
      `SELECT r.name FROM members b JOIN rooms r ON r.tenant_id = $1 AND r.id = b.room_id
       WHERE b.tenant_id = $1 AND (r.message_count <> b.read_count OR r.version <> b.last_read_seq)`,
      tenantId,
    );
    expect(unread).toEqual([]);
    expect(await findDrift(database, tenantId)).toEqual([]);
  });

  test('T14 broken entries are counted and listed, and the rest is loaded', async () => {
    const database = await opened;
    const broken: Files = {
      'users.json': [...users, { name: 'nobody' }, 7],
      'channels.json': [general, { id: 'C5' }, { id: 'C6', name: 'x', members: 'all' }],
      'groups.json': '{ this is no JSON',
      'dms.json': { not: 'a list' },
      'general/2020-01-01.json': [
        message('1577836800.000100', 'U1', 'good'),
        { type: 'message', user: 'U1', text: 'no time' },
        message('yesterday', 'U1', 'no time either'),
        { ...message('1577836801.000100', 'U1', ''), text: 17 },
        null,
        message('1577836802.000100', 'U2', 'good too'),
        ...Array.from({ length: 30 }, () => ({})),
      ],
      'general/2020-01-02.json': '[{"ts": ',
      'general/notes.txt': 'not read',
      'nowhere/2020-01-01.json': [message('1577836800.000100', 'U1', 'lost')],
    };
    const report = await importFile(database, writeExport(broken), 'broken');
    expect(report.messages.added).toBe(2);
    expect(report.rooms.added).toBe(2);
    expect(report.skipped.get('broken')).toBe(34);
    expect(report.problemCount).toBe(41);
    expect(report.problems).toHaveLength(20);
    expect(report.problems.slice(0, 7).map(({ file, index }) => [file, index])).toEqual([
      ['users.json', 4],
      ['users.json', 5],
      ['channels.json', 2],
      ['groups.json', null],
      ['dms.json', null],
      ['general/2020-01-01.json', 1],
      ['general/2020-01-01.json', 2],
    ]);
    expect(report.problems[6]?.reason).toBe('ts: is not a time');
    expect(await findDrift(database, report.tenantId)).toEqual([]);
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
  const drafts = [{ ...draft, mentionsRoom: false, mentionedIds: [] }];
  expect(await roomLog.addMessages(database.forTenant(tenantId), roomId, drafts)).toHaveLength(1);
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
