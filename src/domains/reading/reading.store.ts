import { sql, type TenantTransaction } from '../../db/sql.ts';

export interface ReadMarker {
  readonly lastReadSeq: bigint;
  readonly lastReadAt: Date;
}

const lockMember = sql<{ actorId: string }>(
  'reading.lockMember',
  `SELECT actor_id AS "actorId" FROM members WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $3 FOR UPDATE`,
);

// What is unread after the new marker is counted over the shorter of the two stretches: from the old marker to the new
// one, or from the new one to the end of the room. Reading along or jumping to the end both count (almost) nothing.
const moveMarker = sql<ReadMarker>(
  'reading.moveMarker',
  `WITH place AS (
     SELECT m.last_read_seq AS old, least($4, r.version) AS new, r.version AS end, r.message_count,
       r.message_count - m.read_count AS unread
     FROM members m JOIN rooms r ON r.tenant_id = $1 AND r.id = $2
     WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.actor_id = $3
   ), rest AS (
     SELECT CASE WHEN place.end - place.new <= place.new - place.old
       THEN (SELECT count(*) FROM messages WHERE tenant_id = $1 AND room_id = $2 AND seq > place.new
             AND deleted_at IS NULL AND kind <> 'SYSTEM' AND author_id <> $3)
       ELSE place.unread - (SELECT count(*) FROM messages WHERE tenant_id = $1 AND room_id = $2
             AND seq > place.old AND seq <= place.new AND deleted_at IS NULL AND kind <> 'SYSTEM' AND author_id <> $3)
       END AS unread
     FROM place
   )
   UPDATE members SET last_read_seq = place.new, last_read_at = clock_timestamp(),
     read_count = place.message_count - rest.unread
   FROM place, rest
   WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $3 AND last_read_seq < place.new
   RETURNING last_read_seq AS "lastReadSeq", last_read_at AS "lastReadAt"`,
);

const beyondEverySeq = 2n ** 63n - 1n;

/**
 * Moves the member's read marker forward to a message, or to the end of the room. Takes the lock of the member's row
 * before it counts: a deletion that adjusts the same row is either counted whole or not at all.
 * @returns the marker if it moved, null if it was there already.
 */
export async function moveReadMarker(
  tx: TenantTransaction,
  roomId: string,
  actorId: string,
  seq: bigint | null,
): Promise<ReadMarker | null> {
  await tx.query(lockMember, roomId, actorId);
  const [moved] = await tx.query(moveMarker, roomId, actorId, seq ?? beyondEverySeq);
  return moved ?? null;
}
