import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { sendMessage } from '../../src/domains/messages/messages.service.ts';
import { removeMember } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { setArchived } from '../../src/domains/rooms/rooms.service.ts';
import { DomainError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { watchStatements } from '../support/statements.ts';

const databaseUrl = await createTestDatabase();
const statements = watchStatements();
const house = await openHouse({ databaseUrl });
const ana = await house.callerOf(person('acme', 'Ana', 'admin'));
const bruno = await house.callerOf(person('acme', 'Bruno'));
const carla = await house.callerOf(person('acme', 'Carla'));

const say = (caller: Caller, roomId: string, body: string, nonce?: string) =>
  sendMessage(caller, { roomId, body, nonce, replyToId: undefined });

const outcome = async (attempt: Promise<unknown>) => {
  try {
    await attempt;
    return 'sent';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
};

let rooms: string[] = [];
beforeAll(async () => {
  const room = { kind: 'GROUP', topic: undefined, memberIds: [bruno.actor.id, carla.actor.id] } as const;
  rooms = await Promise.all(Array.from({ length: 40 }, (_, index) => createRoom(ana, { ...room, name: `${index}` })));
});

const stateOf = sql<{ version: bigint; last: bigint; count: bigint; seen: bigint; unread: bigint }>(
  'test.stateOf',
  `SELECT r.version, r.last_message_seq AS last, r.message_count AS count, r.message_count - m.read_count AS unread,
     (SELECT count(*) FROM messages WHERE tenant_id = $1 AND room_id = $2 AND kind <> 'SYSTEM') AS seen
   FROM rooms r JOIN members m ON m.tenant_id = $1 AND m.room_id = r.id AND m.actor_id = $3
   WHERE r.tenant_id = $1 AND r.id = $2`,
);

const roomState = async (roomId: string, reader: Caller) => (await ana.db.query(stateOf, roomId, reader.actor.id))[0];

/** Holds the row lock of a room, as a long change of it would, until it is let go. */
async function holdLock(roomId: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  await client.query('BEGIN');
  await client.query('SELECT 1 FROM rooms WHERE id = $1 FOR UPDATE', [roomId]);
  return async () => {
    await client.query('COMMIT');
  };
}

describe('sends that come at once', () => {
  test('R6 a plain send is one statement', async () => {
    const sent = await statements.during(() => say(bruno, rooms[0] ?? '', 'alone'));
    expect(sent).toHaveLength(1);
  });

  test('T6, T9 over many rooms are one statement, with the counters of each room right', async () => {
    const before = await Promise.all(rooms.map((roomId) => roomState(roomId, carla)));
    let answers: Awaited<ReturnType<typeof say>>[] = [];
    const sent = await statements.during(async () => {
      answers = await Promise.all(
        rooms.flatMap((roomId) => [say(bruno, roomId, 'one', newId()), say(carla, roomId, 'two')]),
      );
    });
    expect(sent).toHaveLength(1);
    for (const [index, roomId] of rooms.entries()) {
      const [was, state] = [before[index], await roomState(roomId, carla)];
      expect(state).toEqual({
        version: (was?.version ?? 0n) + 2n,
        last: (was?.version ?? 0n) + 2n,
        count: (was?.count ?? 0n) + 2n,
        seen: (was?.seen ?? 0n) + 2n,
        unread: (was?.unread ?? 0n) + 1n,
      });
    }
    expect(answers.map((message) => message.roomId)).toEqual(rooms.flatMap((roomId) => [roomId, roomId]));
  });

  test('R6 the answer is the row that was written', async () => {
    const body = 'quotes " \\ and \u{1f600}, \t tabs, {"json": [1]} and \u2028 lines';
    const nonce = 'a "nonce" \\ with, everything\u{1f600}';
    const message = await say(bruno, rooms[1] ?? '', body, nonce);
    const row = await ana.db.prisma.message.findFirstOrThrow({ where: { id: message.id } });
    expect(message).toEqual(row);
    expect(message).toMatchObject({ body, nonce });
    expect(await say(bruno, rooms[1] ?? '', 'again', nonce)).toEqual(row);
  });

  test('R6, T9 what stands in the way of some is no affair of the others', async () => {
    const [archived = '', left = '', repeated = '', fine = '', finer = ''] = rooms.slice(2);
    await setArchived(ana, archived, true);
    await removeMember(ana, left, carla.actor.id);
    const first = await say(bruno, repeated, 'first', 'known');
    const elsewhere = await house.callerOf(person('other', 'Dora', 'admin'));
    const before = await roomState(repeated, bruno);
    const [again, twice, ...outcomes] = await Promise.all([
      say(bruno, repeated, 'again', 'known'),
      Promise.all([say(bruno, repeated, 'x', 'new'), say(bruno, repeated, 'y', 'new')]),
      outcome(say(bruno, archived, 'a')),
      outcome(say(carla, left, 'b')),
      outcome(say(elsewhere, fine, 'c')),
      outcome(say(bruno, newId(), 'd')),
      outcome(say(bruno, fine, 'e', 'known')),
      outcome(say(carla, finer, 'f')),
      outcome(say(bruno, left, 'g')),
    ]);
    expect(again.id).toBe(first.id);
    expect(new Set(twice.map((message) => message.id)).size).toBe(1);
    expect(outcomes).toEqual(['ROOM_ARCHIVED', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'sent', 'sent', 'sent']);
    const after = await roomState(repeated, bruno);
    expect(after?.version).toBe((before?.version ?? 0n) + 1n);
    expect(after?.count).toBe((before?.count ?? 0n) + 1n);
  });

  test('R6 the retries of one do not make the sends of the others slow', async () => {
    const [repeated = '', ...others] = rooms.slice(10, 30);
    await say(bruno, repeated, 'first', 'retried');
    const sent = await statements.during(() =>
      Promise.all([say(bruno, repeated, 'again', 'retried'), ...others.map((roomId) => say(bruno, roomId, 'hello'))]),
    );
    // The failed one, a look for the nonce, the others in one; and the retry by itself: the failure, and the message.
    expect(sent.length).toBeLessThanOrEqual(6);
  });

  test('R5 a room whose lock is held holds up nobody else, and has its own in order', async () => {
    const [locked = '', free = ''] = rooms.slice(30);
    const release = await holdLock(locked);
    const waiting = [say(bruno, locked, 'first'), say(carla, locked, 'second')];
    await say(bruno, free, 'at once');
    let answered = false;
    const later = say(bruno, locked, 'third').finally(() => {
      answered = true;
    });
    for (let index = 0; index < 5; index++) await say(carla, free, `and ${index}`);
    expect(answered).toBe(false);
    await release();
    const versions = (await Promise.all([...waiting, later])).map((message) => message.seq);
    expect(versions).toEqual(versions.toSorted((a, b) => Number(a - b)));
    expect(versions[2]).toBe((versions[0] ?? 0n) + 2n);
  });
});
