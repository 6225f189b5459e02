import type { Database } from '../db/database.ts';
import { sql } from '../db/sql.ts';

// The rooms' rows are locked (by the update) before their changes go, as for every change of a room. A room's newest
// change stays: a snapshot is placed in the log by the newest entry that it saw.
const trim = sql<{ trimmed: bigint }>(
  'trimming.trim',
  `WITH old AS (
     SELECT c.tenant_id, c.room_id, c.version FROM room_changes c
     WHERE c.created_at < $1 AND EXISTS (
       SELECT FROM room_changes newer
       WHERE newer.tenant_id = c.tenant_id AND newer.room_id = c.room_id AND newer.version > c.version)
     ORDER BY c.created_at LIMIT $2
   ), room AS (
     UPDATE rooms r SET log_floor = greatest(r.log_floor, old.version)
     FROM (SELECT tenant_id, room_id, max(version) AS version FROM old GROUP BY tenant_id, room_id) AS old
     WHERE r.tenant_id = old.tenant_id AND r.id = old.room_id
     RETURNING r.tenant_id, r.id
   ), gone AS (
     DELETE FROM room_changes c USING old, room
     WHERE c.tenant_id = old.tenant_id AND c.room_id = old.room_id AND c.version = old.version
       AND room.tenant_id = old.tenant_id AND room.id = old.room_id
     RETURNING 1
   )
   SELECT count(*) AS trimmed FROM gone`,
);

/** Changes in one transaction: short enough that no send waits noticeably for a room's row. */
const batch = 500;

/**
 * Takes changes made before `before` out of the rooms' logs; subscribers with an older cursor are told to resync.
 * @returns how many went.
 */
export async function trimRoomLogs(database: Database, before: Date): Promise<number> {
  let total = 0;
  for (;;) {
    const [row] = await database.engine.run(trim, [before, batch]);
    const trimmed = Number(row?.trimmed ?? 0);
    total += trimmed;
    if (trimmed < batch) return total;
  }
}
