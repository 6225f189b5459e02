import type { Database } from '../../db/database.ts';
import type { PurgeMode } from '../../db/generated/client.ts';
import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';

/** What holds for a room, or (without one) for the tenant. */
export interface Policy {
  readonly roomId: string | null;
  readonly retentionDays: number | null;
  readonly retentionMode: PurgeMode | null;
  readonly heldAt: Date | null;
  readonly heldById: string | null;
  readonly holdReason: string | null;
  /** Days after which a room counts as silent; null for as many as the server says, and for a room. */
  readonly silentDays: number | null;
}

const policyColumns = `retention_days AS "retentionDays", retention_mode AS "retentionMode", held_at AS "heldAt",
  held_by_id AS "heldById", hold_reason AS "holdReason"`;
const roomColumns = `room_id AS "roomId", ${policyColumns}, NULL::int AS "silentDays"`;

const holdsKey = `hashtextextended('prosa.holds:' || $1::text, 0)`;
const shareHolds = sql<never>('policies.shareHolds', `SELECT pg_advisory_xact_lock_shared(${holdsKey})`);
const lockHolds = sql<never>('policies.lockHolds', `SELECT pg_advisory_xact_lock(${holdsKey})`);

/**
 * Keeps legal holds as they are until the transaction ends: whatever destroys messages takes this before it looks
 * whether they are held.
 */
export async function keepHolds(tx: TenantTransaction): Promise<void> {
  await tx.query(shareHolds);
}

/** Waits for what is destroying messages, and keeps it off until the transaction ends. */
export async function changeHolds(tx: TenantTransaction): Promise<void> {
  await tx.query(lockHolds);
}

const tenantPolicy = sql<Policy>(
  'policies.tenant',
  `SELECT NULL::uuid AS "roomId", ${policyColumns}, silent_days AS "silentDays" FROM tenant_policies WHERE tenant_id = $1`,
);

const roomPolicies = sql<Policy>(
  'policies.rooms',
  `SELECT ${roomColumns} FROM room_policies WHERE tenant_id = $1 AND room_id = ANY($2::uuid[])`,
);

const nothing = {
  retentionDays: null,
  retentionMode: null,
  heldAt: null,
  heldById: null,
  holdReason: null,
  silentDays: null,
};

/** The policy of the tenant, or of one room. */
export async function findPolicy(db: TenantQueries, roomId: string | null): Promise<Policy> {
  const rows = roomId === null ? await db.query(tenantPolicy) : await db.query(roomPolicies, [roomId]);
  return rows[0] ?? { roomId, ...nothing };
}

const policiesPage = (direction: 'ASC' | 'DESC') => `
  SELECT ${roomColumns} FROM room_policies
  WHERE tenant_id = $1 AND (retention_days IS NOT NULL OR held_at IS NOT NULL)
    AND ($2::uuid IS NULL OR room_id > $2) AND ($3::uuid IS NULL OR room_id < $3)
  ORDER BY room_id ${direction} LIMIT $4`;

const policiesForward = sql<Policy>('policies.forward', policiesPage('ASC'));
const policiesBackward = sql<Policy>('policies.backward', policiesPage('DESC'));

/** The rooms with a policy of their own: one more than the page holds, in its own direction. */
export async function readRoomPolicies(
  db: TenantQueries,
  page: { after: string | null; before: string | null; backward: boolean; size: number },
): Promise<Policy[]> {
  return db.query(page.backward ? policiesBackward : policiesForward, page.after, page.before, page.size + 1);
}

const setTenantRetention = sql<never>(
  'policies.setTenantRetention',
  `INSERT INTO tenant_policies (tenant_id, retention_days, retention_mode) VALUES ($1, $2, $3::purge_mode)
   ON CONFLICT (tenant_id) DO UPDATE SET retention_days = excluded.retention_days, retention_mode = excluded.retention_mode`,
);

const setRoomRetention = sql<never>(
  'policies.setRoomRetention',
  `INSERT INTO room_policies (tenant_id, retention_days, retention_mode, room_id) VALUES ($1, $2, $3::purge_mode, $4)
   ON CONFLICT (tenant_id, room_id) DO UPDATE
   SET retention_days = excluded.retention_days, retention_mode = excluded.retention_mode`,
);

export async function saveRetention(
  tx: TenantTransaction,
  roomId: string | null,
  days: number | null,
  mode: PurgeMode | null,
): Promise<void> {
  if (roomId === null) await tx.query(setTenantRetention, days, mode);
  else await tx.query(setRoomRetention, days, mode, roomId);
}

const setTenantHold = sql<never>(
  'policies.setTenantHold',
  `INSERT INTO tenant_policies (tenant_id, held_at, held_by_id, hold_reason) VALUES ($1, $2, $3, $4)
   ON CONFLICT (tenant_id) DO UPDATE
   SET held_at = excluded.held_at, held_by_id = excluded.held_by_id, hold_reason = excluded.hold_reason`,
);

const setRoomHold = sql<never>(
  'policies.setRoomHold',
  `INSERT INTO room_policies (tenant_id, held_at, held_by_id, hold_reason, room_id) VALUES ($1, $2, $3, $4, $5)
   ON CONFLICT (tenant_id, room_id) DO UPDATE
   SET held_at = excluded.held_at, held_by_id = excluded.held_by_id, hold_reason = excluded.hold_reason`,
);

/** @param hold null lifts it. */
export async function saveHold(
  tx: TenantTransaction,
  roomId: string | null,
  hold: { readonly at: Date; readonly byId: string; readonly reason: string } | null,
): Promise<void> {
  const values = [hold?.at ?? null, hold?.byId ?? null, hold?.reason ?? null] as const;
  if (roomId === null) await tx.query(setTenantHold, ...values);
  else await tx.query(setRoomHold, ...values, roomId);
}

const heldOf = sql<{ tenant: boolean; room: boolean }>(
  'policies.heldOf',
  `SELECT EXISTS (SELECT FROM tenant_policies WHERE tenant_id = $1 AND held_at IS NOT NULL) AS tenant,
     EXISTS (SELECT FROM room_policies WHERE tenant_id = $1 AND room_id = $2 AND held_at IS NOT NULL) AS room`,
);

/** Whether the tenant, or the room, is under a legal hold. */
export async function findHold(
  db: TenantQueries,
  roomId: string | null,
): Promise<{ readonly tenant: boolean; readonly room: boolean }> {
  const [row] = await db.query(heldOf, roomId);
  return row ?? { tenant: false, room: false };
}

const tenantsWithRetention = sql<{ tenantId: string }>(
  'policies.tenantsWithRetention',
  `SELECT tenant_id AS "tenantId" FROM tenant_policies WHERE retention_days IS NOT NULL
   UNION SELECT tenant_id FROM room_policies WHERE retention_days IS NOT NULL`,
);

export async function findTenantsWithRetention(database: Database): Promise<string[]> {
  return (await database.engine.run(tenantsWithRetention, [])).map((row) => row.tenantId);
}
