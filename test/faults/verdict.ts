import pg from 'pg';
import { expect } from 'vitest';
import { parseId } from '../../src/kernel/ids.ts';
import type { Crew } from './crew.ts';
import { eventually } from './progress.ts';
import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

interface Row {
  readonly id: string;
  readonly body: string;
  readonly nonce: string;
  readonly author: string;
}

/**
 * What must hold after a load, whatever went wrong meanwhile. The writers have stopped.
 * @param lasts the last message of each room: who has it has everything before it.
 */
export async function checkPromises(databaseUrl: string, crew: Crew, lasts: readonly string[]): Promise<void> {
  const { world, writers, readers } = crew;
  const has = (reader: Reader) => reader.rooms.every((room) => reader.received.get(room)?.includes(lasts[room] ?? ''));
  await eventually(
    () => {
      const late = readers.filter((reader) => !has(reader)).map(({ name, connections }) => ({ name, connections }));
      return `the last messages: ${JSON.stringify({ late, violations: world.violations })}`;
    },
    () => readers.every(has),
  );
  expect(world.violations).toEqual([]);
  const received = readers.map((reader) => new Map([...reader.received].map(([room, texts]) => [room, [...texts]])));
  const tables = await Promise.all(world.rooms.map((room) => readTable(databaseUrl, room)));
  const stored = tables.flatMap(({ messages }) => messages);
  checkSends(writers, stored);
  for (const [room, { version, versions, messages }] of tables.entries()) {
    // R5: no version is missing from the room's log, and none is there twice.
    expect({
      room,
      hole: firstDifference(
        versions,
        Array.from({ length: version }, (_, index) => index + 1),
      ),
    }).toEqual({
      room,
      hole: null,
    });
    // R5, R9: each message once and in the order of the table, at every reader. A send that was given up may have come
    // through after the last messages, and be on its way to some.
    const bodies = messages.map((message) => message.body);
    const end = bodies.indexOf(lasts[room] ?? '') + 1;
    for (const [index, { name, rooms }] of readers.entries()) {
      if (!rooms.includes(room)) continue;
      const texts = received[index]?.get(room) ?? [];
      const wanted = bodies.slice(0, Math.max(end, texts.length));
      expect({ name, room, difference: firstDifference(texts, wanted) }).toEqual({ name, room, difference: null });
    }
  }
  await checkUnread(databaseUrl, crew);
}

/** R6: what was acknowledged is there, as the message that was answered; anything else at most once. */
function checkSends(writers: readonly Writer[], stored: readonly Row[]): void {
  const rows = new Map(stored.map((row) => [row.body, row]));
  expect(rows.size).toBe(stored.length);
  expect(new Set(stored.map(({ author, nonce }) => `${author} ${nonce}`)).size).toBe(stored.length);
  const acknowledged = writers.flatMap((writer) => [...writer.acknowledged]);
  expect(acknowledged.filter(([body, id]) => rows.get(body)?.id !== parseId('Message', id, 'id'))).toEqual([]);
  const attempted = new Set(writers.flatMap((writer) => [...writer.attempted]));
  expect([...rows.keys()].filter((body) => !attempted.has(body))).toEqual([]);
}

/** T11: unread is what others have written, for nobody has read anything. */
async function checkUnread(databaseUrl: string, { world, unreadCounts }: Crew): Promise<void> {
  const readAll = async () =>
    (await Promise.all(world.rooms.map((room) => readTable(databaseUrl, room)))).map(({ messages }) => messages);
  for (let before = await readAll(); ; ) {
    const counts = await unreadCounts();
    const after = await readAll();
    const settled = before.flat().length === after.flat().length;
    before = after;
    // A send that was given up has come through just now.
    if (!settled) continue;
    const wanted = [...counts.keys()].map((name) => [
      name,
      after.map((messages) => messages.filter((message) => message.author !== name).length),
    ]);
    expect([...counts]).toEqual(wanted);
    return;
  }
}

function firstDifference<T>(got: readonly T[], wanted: readonly T[]) {
  const length = Math.max(got.length, wanted.length);
  for (let index = 0; index < length; index++) {
    if (got[index] === wanted[index]) continue;
    const around = [Math.max(0, index - 2), index + 3] as const;
    return { index, got: got.slice(...around), wanted: wanted.slice(...around) };
  }
  return null;
}

async function readTable(databaseUrl: string, publicId: string) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const id = parseId('Room', publicId, 'id');
  try {
    // One statement, and so one moment.
    const { rows } = await client.query<{ version: string; versions: string[] | null; messages: Row[] | null }>(
      `SELECT r.version,
         (SELECT array_agg(version ORDER BY version) FROM (
           SELECT seq AS version FROM messages WHERE room_id = r.id
           UNION ALL SELECT version FROM room_changes WHERE room_id = r.id) AS log) AS versions,
         (SELECT json_agg(json_build_object('id', m.id, 'body', m.body, 'nonce', m.nonce, 'author', a.name) ORDER BY m.seq)
          FROM messages m JOIN actors a ON a.tenant_id = m.tenant_id AND a.id = m.author_id
          WHERE m.room_id = r.id AND m.kind <> 'SYSTEM') AS messages
       FROM rooms r WHERE r.id = $1`,
      [id],
    );
    const { version, versions, messages } = rows[0] ?? { version: '0', versions: [], messages: [] };
    return { version: Number(version), versions: (versions ?? []).map(Number), messages: messages ?? [] };
  } finally {
    await client.end();
  }
}
