import type { Database } from '../../db/database.ts';
import type { PageRequest } from '../../db/pages.ts';
import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';

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

// Where a tenant has got to is a time in terms of the rooms' last messages, not of the runs: nights without a run, two
// runs at once, and other days than before then neither leave a room out nor note it twice.
const fellSilent = sql<{ tenantId: string }>(
  'silence.fellSilent',
  `SELECT DISTINCT r.tenant_id AS "tenantId" FROM rooms r LEFT JOIN tenant_policies p ON p.tenant_id = r.tenant_id
   WHERE r.archived_at IS NULL
     AND r.last_activity_at < $1::timestamptz - make_interval(hours => 24 * coalesce(p.silent_days, $2::int))
     AND (p.silence_noted IS NULL OR r.last_activity_at >= p.silence_noted)`,
);

/** The tenants with silent rooms that have not been noted. @param days after which rooms of tenants that say nothing are. */
export async function findTenantsFallenSilent(database: Database, now: Date, days: number): Promise<string[]> {
  return (await database.engine.run(fellSilent, [now, days])).map((row) => row.tenantId);
}

/** What a tenant says about silent rooms. */
export interface Silence {
  /** Null for as many as the server says. */
  readonly days: number | null;
  /** Rooms whose last message is older have been noted; null where none have. */
  readonly notedBefore: Date | null;
}

const lock = sql<Silence>(
  'silence.lock',
  `INSERT INTO tenant_policies (tenant_id) VALUES ($1)
   ON CONFLICT (tenant_id) DO UPDATE SET tenant_id = excluded.tenant_id
   RETURNING silent_days AS days, silence_noted AS "notedBefore"`,
);

/** Takes the lock under which a tenant's silent rooms are noted. */
export async function lockSilence(tx: TenantTransaction): Promise<Silence> {
  return (await tx.query(lock))[0] ?? { days: null, notedBefore: null };
}

const countBetween = sql<{ rooms: bigint }>(
  'silence.countBetween',
  `SELECT count(*) AS rooms FROM rooms
   WHERE tenant_id = $1 AND archived_at IS NULL AND last_activity_at < $2
     AND ($3::timestamptz IS NULL OR last_activity_at >= $3)`,
);

/** How many rooms had their last message before one time, and not before the other. */
export async function countSilentRooms(db: TenantQueries, before: Date, notBefore: Date | null): Promise<number> {
  return Number((await db.query(countBetween, before, notBefore))[0]?.rooms ?? 0n);
}

const saveNoted = sql<never>('silence.saveNoted', 'UPDATE tenant_policies SET silence_noted = $2 WHERE tenant_id = $1');

/** The caller holds the lock. */
export async function saveSilenceNoted(tx: TenantTransaction, before: Date): Promise<void> {
  await tx.query(saveNoted, before);
}

const saveDays = sql<never>(
  'silence.saveDays',
  `INSERT INTO tenant_policies (tenant_id, silent_days) VALUES ($1, $2)
   ON CONFLICT (tenant_id) DO UPDATE SET silent_days = excluded.silent_days`,
);

/** @param days null for as many as the server says. */
export async function saveSilentDays(tx: TenantTransaction, days: number | null): Promise<void> {
  await tx.query(saveDays, days);
}
