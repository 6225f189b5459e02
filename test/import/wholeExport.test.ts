import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { postgresEngine } from '../../src/db/engine.ts';
import { createTestDatabase } from '../services/database.ts';
import { chooseExport, type ExportContents, type FileMessage, type FileRoom, readContents } from './exportFile.ts';
import { bothDatabases, findDrift, fingerprint, importFile, messagesOf, rows } from './world.ts';

const postgresUrl = await createTestDatabase();
const { file, what } = chooseExport();
console.log(`T14 is checked with ${what}`);
const contents = await readContents(file);

/** What Slack says of itself: everything else in these exports was written by somebody. */
const reports = new Set(['channel_join', 'channel_leave', 'channel_topic', 'pinned_item']);

const isReport = (message: FileMessage) => message.subtype !== undefined && reports.has(message.subtype);
/** These say what they report without any text. */
const wordless = new Set(['channel_join', 'channel_leave', 'channel_topic']);

const isShown = (message: FileMessage) =>
  message.text.trim() !== '' || (message.files ?? []).length > 0 || wordless.has(message.subtype ?? '');

/** A comment on a file names its author in the text only. */
const authorOf = (message: FileMessage) => message.user ?? /^<@(\w+)> commented/.exec(message.text)?.[1] ?? null;

/** The messages of a room that show something, in Slack's order. */
function shownIn({ messagesOf: read }: ExportContents, room: FileRoom): FileMessage[] {
  const micros = (ts: string) => BigInt(ts.replace('.', ''));
  return read(room)
    .filter(isShown)
    .sort((a, b) => Number(micros(a.ts) - micros(b.ts)));
}

const time = (ts: string) => new Date(Math.floor(Number(ts.replace('.', '')) / 1000));

describe.each(bothDatabases(postgresUrl))('a whole export on $name', ({ name, open }) => {
  const opened = open();
  afterAll(async () => (await opened).close());
  const imported = opened.then((database) => importFile(database, file, 'whole'));
  beforeAll(async () => void (await imported));

  test('T14 the counts are those of the file', async () => {
    const { tenantId, ...report } = await imported;
    console.log(`${name}: ${report.messages.added} messages in ${report.seconds.toFixed(1)} s`);
    const shown = contents.rooms.map((room) => shownIn(contents, room).length);
    const all = contents.rooms.map((room) => contents.messagesOf(room).length);
    const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
    expect(report.rooms).toEqual({ added: contents.rooms.length, existing: 0 });
    expect(report.members.added).toBe(sum(contents.rooms.map((room) => new Set(room.members).size)));
    expect(report.messages).toEqual({ added: sum(shown), existing: 0 });
    expect(report.skipped.get('empty')).toBe(sum(all) - sum(shown));
    expect(report.problemCount).toBe(0);
    const [stored] = await rows(
      await opened,
      `SELECT (SELECT count(*) FROM actors WHERE tenant_id = $1 AND email IS NOT NULL)::int AS users,
         (SELECT count(*) FROM rooms WHERE tenant_id = $1)::int AS rooms,
         (SELECT count(*) FROM members WHERE tenant_id = $1)::int AS members,
         (SELECT count(*) FROM messages WHERE tenant_id = $1)::int AS messages`,
      tenantId,
    );
    expect(stored).toEqual({
      users: contents.users.length,
      rooms: contents.rooms.length,
      members: report.members.added,
      messages: report.messages.added,
    });
  });

  test('T14 the order inside every room is the order of Slack, without gaps, and replies hang on their parents', async () => {
    const database = await opened;
    const { tenantId } = await imported;
    for (const room of contents.rooms) {
      const expected = shownIn(contents, room);
      const stored = await messagesOf(database, tenantId, room.name);
      expect(stored.map(({ seq }) => Number(seq))).toEqual(expected.map((_, index) => index + 1));
      expect(stored.map(({ createdAt }) => createdAt)).toEqual(expected.map(({ ts }) => time(ts)));
      expect(stored.map(({ kind }) => kind === 'SYSTEM')).toEqual(expected.map(isReport));
    }
    expect(await parentsOf(database, tenantId)).toEqual(expectedParents());
  });

  test('T14 the unread count of every member is the recount of the database, and that of the file', async () => {
    const database = await opened;
    const { tenantId } = await imported;
    expect(await findDrift(database, tenantId)).toEqual([]);
    const stored = await rows<{ room: string; email: string; unread: number }>(
      database,
      `SELECT r.name AS room, a.email, (r.message_count - b.read_count)::int AS unread FROM members b
       JOIN rooms r ON r.tenant_id = $1 AND r.id = b.room_id
       JOIN actors a ON a.tenant_id = $1 AND a.id = b.actor_id
       WHERE b.tenant_id = $1 AND a.email IS NOT NULL`,
      tenantId,
    );
    const emails = new Map(contents.users.map((user) => [user.id, user.profile.email]));
    const expected = contents.rooms.flatMap((room) => {
      const written = shownIn(contents, room).filter((message) => !isReport(message));
      return [...new Set(room.members)].flatMap((member) => {
        const email = emails.get(member);
        const unread = written.filter((message) => authorOf(message) !== member).length;
        return email ? [`${room.name} ${email} ${unread}`] : [];
      });
    });
    expect(stored.length).toBeGreaterThan(1_000);
    expect(stored.map(({ room, email, unread }) => `${room} ${email} ${unread}`).sort()).toEqual(expected.sort());
  });

  test('T14 running it again changes nothing', async () => {
    const database = await opened;
    const { tenantId } = await imported;
    const before = await fingerprint(database, tenantId);
    const again = await importFile(database, file, 'whole');
    expect(again.messages.added).toBe(0);
    expect(await fingerprint(database, tenantId)).toEqual(before);
  });
});

test('T14 a process that is killed in the middle is completed by the next one', async () => {
  const database = openDatabase(postgresEngine(postgresUrl, 2, () => undefined));
  afterAll(() => database.close());
  const written = async () => {
    const text = `SELECT count(m.id)::int AS messages FROM tenants t LEFT JOIN messages m ON m.tenant_id = t.id
      WHERE t.key = 'killed'`;
    return (await rows<{ messages: number }>(database, text))[0]?.messages ?? 0;
  };
  const program = fileURLToPath(new URL('../../src/import/cli/import.ts', import.meta.url));
  const child = spawn(process.execPath, [program, 'slack', file, '--tenant', 'killed'], {
    env: { PATH: process.env.PATH, DATABASE_URL: postgresUrl },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
  while ((await written()) === 0 && child.exitCode === null) await delay(5);
  child.kill('SIGKILL');
  expect(await ended).toBe('SIGKILL');
  // What the killed process had sent off may still be committed.
  await delay(200);
  const total = contents.rooms.reduce((sum, room) => sum + shownIn(contents, room).length, 0);
  const before = await written();
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThan(total);
  const report = await importFile(database, file, 'killed');
  expect(report.messages).toEqual({ added: total - before, existing: before });
  expect(await written()).toBe(total);
  expect(await findDrift(database, report.tenantId)).toEqual([]);
});

/** Each reply as room, its place and its parent's. */
async function parentsOf(database: Database, tenantId: string): Promise<string[]> {
  const found = await rows<{ link: string }>(
    database,
    `SELECT r.name || ' ' || m.seq || ' ' || p.seq AS link FROM messages m
     JOIN messages p ON p.tenant_id = $1 AND p.id = m.reply_to_id AND p.room_id = m.room_id
     JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id WHERE m.tenant_id = $1`,
    tenantId,
  );
  return found.map(({ link }) => link).sort();
}

function expectedParents(): string[] {
  return contents.rooms
    .flatMap((room) => {
      const shown = shownIn(contents, room);
      const place = new Map(shown.map((message, index) => [message.ts, index + 1]));
      return shown.flatMap((message, index) => {
        const parent = message.thread_ts === message.ts ? undefined : place.get(message.thread_ts ?? '');
        return parent === undefined ? [] : [`${room.name} ${index + 1} ${parent}`];
      });
    })
    .sort();
}
