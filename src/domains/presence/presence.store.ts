import type { Database } from '../../db/database.ts';
import { sql, type TenantQueries } from '../../db/sql.ts';

/** Who was seen last when. */
export interface Sighting {
  readonly tenantId: string;
  readonly actorId: string;
  readonly seenAt: Date;
}

// $1 is an array here: a sweep is for all tenants, as the leases of a process that died are. Several processes sweep at the
// same time, in any order, and a row may be locked for long: nobody waits for it.
const saveStatement = sql<{ tenantId: string; actorId: string; isSaved: boolean }>(
  'presence.saveLastSeen',
  `WITH seen AS (SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS seen(tenant_id, id, at)),
   mine AS (
     SELECT a.tenant_id, a.id, seen.at FROM actors a JOIN seen ON a.tenant_id = seen.tenant_id AND a.id = seen.id
     WHERE a.last_seen_at IS NULL OR a.last_seen_at < seen.at
     ORDER BY a.tenant_id, a.id FOR NO KEY UPDATE OF a SKIP LOCKED
   ),
   saved AS (
     UPDATE actors SET last_seen_at = mine.at FROM mine
     WHERE actors.tenant_id = mine.tenant_id AND actors.id = mine.id RETURNING actors.tenant_id, actors.id
   )
   SELECT a.tenant_id AS "tenantId", a.id AS "actorId", saved.id IS NOT NULL OR coalesce(a.last_seen_at >= seen.at, false) AS "isSaved"
   FROM seen JOIN actors a ON a.tenant_id = seen.tenant_id AND a.id = seen.id
   LEFT JOIN saved ON saved.tenant_id = a.tenant_id AND saved.id = a.id`,
);

/**
 * Writes when these were last seen, unless it was later.
 * @returns those that exist in this database; not saved are those whose row somebody else holds just now.
 */
export async function saveLastSeen(
  database: Database,
  sightings: readonly Sighting[],
): Promise<{ tenantId: string; actorId: string; isSaved: boolean }[]> {
  if (sightings.length === 0) return [];
  return database.engine.run(saveStatement, [
    sightings.map((sighting) => sighting.tenantId),
    sightings.map((sighting) => sighting.actorId),
    sightings.map((sighting) => sighting.seenAt),
  ]);
}

const lastSeenStatement = sql<{ id: string; lastSeenAt: Date | null }>(
  'presence.lastSeen',
  'SELECT id, last_seen_at AS "lastSeenAt" FROM actors WHERE tenant_id = $1 AND id = ANY($2::uuid[])',
);

/** When each of these was last seen; those who never were are missing. */
export async function readLastSeen(db: TenantQueries, actorIds: readonly string[]): Promise<ReadonlyMap<string, Date>> {
  if (actorIds.length === 0) return new Map();
  const rows = await db.query(lastSeenStatement, actorIds);
  return new Map(rows.flatMap(({ id, lastSeenAt }) => (lastSeenAt ? [[id, lastSeenAt] as const] : [])));
}
