import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { general, message, small, users } from './smallExport.ts';
import { bothDatabases, type Files, findDrift, importFile, messagesOf, rows, writeExport } from './world.ts';

const postgresUrl = await createTestDatabase();

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
});
