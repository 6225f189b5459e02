import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';

const insertMany = sql<never>(
  'test.insertMany',
  `WITH room AS (
     UPDATE rooms SET version = version + $4::int, message_count = message_count + $4::int,
       last_message_seq = version + $4::int, xid = pg_current_xact_id()
     WHERE tenant_id = $1 AND id = $2 RETURNING version - $4::int AS base
   ), read AS (
     UPDATE members SET read_count = read_count + $4::int WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $3
   )
   INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, created_at)
   SELECT $1, gen_random_uuid(), $2, room.base + n, 'TEXT', $3, 'one of many',
     clock_timestamp() - make_interval(secs => $4::int - n + 1)
   FROM room, generate_series(1, $4::int) AS n`,
);

/** Many messages of the caller at once, one a second up to now, counted as sends count them. */
export async function fillRoom(caller: Caller, roomId: string, count: number): Promise<void> {
  await caller.db.query(insertMany, roomId, caller.actor.id, count);
}
