import type { Database } from '../../db/database.ts';
import type { PageRequest } from '../../db/pages.ts';
import { sql, type TenantQueries } from '../../db/sql.ts';

/** A room in which nothing was said for long. */
export interface SilentRoom {
  readonly roomId: string;
  readonly kind: 'DIRECT' | 'GROUP' | 'CHANNEL' | 'CONVERSATION';
  readonly name: string | null;
  readonly lastActivityAt: Date;
}

export interface SilentPosition {
  readonly lastActivityAt: Date;
  readonly id: string;
}

const page = (direction: 'ASC' | 'DESC') => `
  SELECT r.id AS "roomId", r.kind, r.name, r.last_activity_at AS "lastActivityAt" FROM rooms r
  WHERE r.tenant_id = $1 AND r.archived_at IS NULL AND r.last_activity_at < $2
    AND ($3::timestamptz IS NULL OR (r.last_activity_at, r.id) > ($3, $4::uuid))
    AND ($5::timestamptz IS NULL OR (r.last_activity_at, r.id) < ($5, $6::uuid))
  ORDER BY r.last_activity_at ${direction}, r.id ${direction} LIMIT $7`;

const longestFirst = sql<SilentRoom>('silence.forward', page('ASC'));
const shortestFirst = sql<SilentRoom>('silence.backward', page('DESC'));

/** Rooms without a message since a time, the longest silent first: one more than the page holds. */
export async function readSilentRooms(
  db: TenantQueries,
  since: Date,
  { after, before, backward, size }: PageRequest<SilentPosition>,
): Promise<SilentRoom[]> {
  const bounds = [after?.lastActivityAt ?? null, after?.id ?? null, before?.lastActivityAt ?? null, before?.id ?? null];
  return db.query(backward ? shortestFirst : longestFirst, since, ...bounds, size + 1);
}

const fellSilent = sql<{ tenantId: string; rooms: bigint }>(
  'silence.fellSilent',
  `SELECT tenant_id AS "tenantId", count(*) AS rooms FROM rooms
   WHERE archived_at IS NULL AND last_activity_at >= $1 AND last_activity_at < $2 GROUP BY tenant_id`,
);

/** Of all tenants, how many rooms had their last message between two times. */
export async function findRoomsFallenSilent(
  database: Database,
  from: Date,
  until: Date,
): Promise<{ readonly tenantId: string; readonly rooms: bigint }[]> {
  return database.engine.run(fellSilent, [from, until]);
}
