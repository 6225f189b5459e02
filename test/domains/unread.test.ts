import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { deleteMessage, editMessage, listMessages, sendMessage } from '../../src/domains/messages/messages.service.ts';
import { markRead } from '../../src/domains/reading/reading.service.ts';
import { joinRoom, leaveRoom } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { loadRooms, setArchived, unreadCount } from '../../src/domains/rooms/rooms.service.ts';
import { DomainError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 12 });
const ana = await house.callerOf(person('acme', 'Ana', 'admin'));
const others = await Promise.all(
  ['Bruno', 'Carla', 'Diego', 'Elise'].map((name) => house.callerOf(person('acme', name))),
);
const callers = [ana, ...others];

/** What is unread by its definition: live messages by others behind the marker, reports of the system apart. */
const recount = sql<{ actorId: string; unread: bigint }>(
  'test.recount',
  `SELECT m.actor_id AS "actorId", (
     SELECT count(*) FROM messages msg
     WHERE msg.tenant_id = m.tenant_id AND msg.room_id = m.room_id AND msg.seq > m.last_read_seq
       AND msg.deleted_at IS NULL AND msg.kind <> 'SYSTEM' AND msg.author_id <> m.actor_id
   ) AS unread
   FROM members m WHERE m.tenant_id = $1 AND m.room_id = $2`,
);

const newestLive = sql<{ id: string; seq: bigint }>(
  'test.newestLive',
  `SELECT id, seq FROM messages WHERE tenant_id = $1 AND room_id = $2 AND deleted_at IS NULL AND kind <> 'SYSTEM'
   ORDER BY seq DESC LIMIT 1`,
);

const logged = sql<{ version: bigint; entries: bigint }>(
  'test.logged',
  `SELECT version, (SELECT count(*) FROM messages WHERE tenant_id = $1 AND room_id = $2)
     + (SELECT count(*) FROM room_changes WHERE tenant_id = $1 AND room_id = $2) AS entries
   FROM rooms WHERE tenant_id = $1 AND id = $2`,
);

test('T9, T5 a random walk of sends, edits, deletes, reads, joins and leaves keeps counts, preview and versions right', async () => {
  const random = createRandom('unread');
  const roomId = await createRoom(ana, { kind: 'CHANNEL', name: 'walk', topic: undefined, memberIds: [] });
  for (const caller of others) await joinRoom(caller, roomId);

  /** A message of the room, of any kind, old ones less often; null while there is none. */
  async function someMessage() {
    const [page] = await listMessages(ana, [roomId], { last: random.pick([1, 5, 20, 100]) });
    return page && page.rows.length > 0 ? random.pick(page.rows) : null;
  }

  async function step(): Promise<void> {
    const caller = random.pick(callers);
    const choice = random.integer(100);
    if (choice < 40) {
      await sendMessage(caller, { roomId, body: `by ${caller.actor.name}`, nonce: undefined, replyToId: undefined });
    } else if (choice < 68) {
      // Anywhere: forward, back and to the middle; and now and then to the end.
      const message = random.integer(4) === 0 ? null : await someMessage();
      await markRead(caller, roomId, message?.id);
    } else if (choice < 82) {
      const message = await someMessage();
      // The author, or the owner as a moderator, or somebody who may not.
      if (message) await deleteMessage(random.pick([ana, caller]), message.id);
    } else if (choice < 88) {
      const message = await someMessage();
      const author = callers.find((candidate) => candidate.actor.id === message?.authorId);
      if (message && author) await editMessage(author, message.id, `edited ${random.integer(1_000)}`);
    } else if (choice < 94) {
      await leaveRoom(random.pick(others), roomId);
    } else if (choice < 99) {
      await joinRoom(random.pick(others), roomId);
    } else {
      await setArchived(ana, roomId, true);
      await setArchived(ana, roomId, false);
    }
  }

  async function check(): Promise<void> {
    const truth = new Map((await ana.db.query(recount, roomId)).map((row) => [row.actorId, Number(row.unread)]));
    for (const caller of callers) {
      const [view] = await loadRooms(caller, [roomId]);
      const shown = view ? unreadCount(view) : undefined;
      expect({ name: caller.actor.name, unread: shown }).toEqual({
        name: caller.actor.name,
        unread: truth.get(caller.actor.id) ?? 0,
      });
      const [preview] = await ana.db.query(newestLive, roomId);
      expect(view?.room.lastMessageSeq ?? null).toBe(preview?.seq ?? null);
    }
    const [log] = await ana.db.query(logged, roomId);
    expect(log?.entries).toBe(log?.version);
  }

  const outcomes = { done: 0, refused: 0 };
  for (let round = 0; round < 200; round++) {
    // Alternately one by one and all at once.
    const size = 5 + random.integer(12);
    const steps = Array.from({ length: size }, () => step);
    const attempts = round % 3 === 0 ? await inTurn(steps) : await Promise.allSettled(steps.map((run) => run()));
    for (const attempt of attempts) {
      if (attempt.status === 'fulfilled') outcomes.done++;
      else if (attempt.reason instanceof DomainError) outcomes.refused++;
      else throw attempt.reason;
    }
    await check();
  }
  expect(outcomes.done).toBeGreaterThanOrEqual(400);
});

async function inTurn(steps: readonly (() => Promise<void>)[]): Promise<PromiseSettledResult<void>[]> {
  const results: PromiseSettledResult<void>[] = [];
  for (const run of steps) results.push(...(await Promise.allSettled([run()])));
  return results;
}
