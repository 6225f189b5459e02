import type { Database } from '../../db/database.ts';
import { sql, type TenantQueries } from '../../db/sql.ts';

/** Who was seen last when. */
export interface Sighting {
  readonly tenantId: string;
  readonly actorId: string;
  readonly seenAt: Date;
}

// $1 is an array here: a sweep is for all tenants, as the leases of a process that died are.
const saveStatement = sql<{ tenantId: string; actorId: string }>(
  'presence.saveLastSeen',
  `UPDATE actors SET last_seen_at = greatest(last_seen_at, seen.at)
   FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS seen(tenant_id, id, at)
   WHERE actors.tenant_id = seen.tenant_id AND actors.id = seen.id
   RETURNING actors.tenant_id AS "tenantId", actors.id AS "actorId"`,
);

/** Writes when these were last seen; an earlier time changes nothing. @returns those that exist in this database. */
export async function saveLastSeen(
  database: Database,
  sightings: readonly Sighting[],
): Promise<{ tenantId: string; actorId: string }[]> {
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
