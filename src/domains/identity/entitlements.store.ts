import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';

/** What the operator has set; a null limit is none. */
export interface EntitlementRow {
  readonly featuresOff: readonly string[];
  readonly maxUsers: number | null;
  readonly maxRooms: number | null;
  readonly maxMembersPerRoom: number | null;
}

const columns = `features_off AS "featuresOff", max_users AS "maxUsers", max_rooms AS "maxRooms",
  max_members_per_room AS "maxMembersPerRoom"`;

const readStatement = sql<EntitlementRow>(
  'entitlements.read',
  `SELECT ${columns} FROM tenant_entitlements WHERE tenant_id = $1`,
);

/** @returns null where nothing was ever set. */
export async function findEntitlements(db: TenantQueries): Promise<EntitlementRow | null> {
  return (await db.query(readStatement))[0] ?? null;
}

const lockStatement = sql<EntitlementRow>(
  'entitlements.lock',
  `SELECT ${columns} FROM tenant_entitlements WHERE tenant_id = $1 FOR UPDATE`,
);

/** As `findEntitlements`; the row, where there is one, stays locked until the commit. */
export async function lockEntitlements(tx: TenantTransaction): Promise<EntitlementRow | null> {
  return (await tx.query(lockStatement))[0] ?? null;
}

const saveStatement = sql<never>(
  'entitlements.save',
  `INSERT INTO tenant_entitlements (tenant_id, features_off, max_users, max_rooms, max_members_per_room)
   VALUES ($1, $2::text[], $3, $4, $5)
   ON CONFLICT (tenant_id) DO UPDATE SET features_off = excluded.features_off, max_users = excluded.max_users,
     max_rooms = excluded.max_rooms, max_members_per_room = excluded.max_members_per_room, updated_at = now()`,
);

export async function saveEntitlements(tx: TenantTransaction, row: EntitlementRow): Promise<void> {
  await tx.query(saveStatement, row.featuresOff, row.maxUsers, row.maxRooms, row.maxMembersPerRoom);
}

// No more rows are read than it takes to tell whether the limit is kept.
const seatsTaken = sql<{ taken: bigint }>(
  'entitlements.seatsTaken',
  `SELECT count(*) AS taken FROM (
     SELECT FROM actors
     WHERE tenant_id = $1 AND kind = 'USER' AND subject IS NOT NULL AND deactivated_at IS NULL
     LIMIT $2
   ) AS seat`,
);

/** How many people have a seat; counted up to one more than `max`. */
export async function countSeats(tx: TenantTransaction, max: number): Promise<number> {
  return Number((await tx.query(seatsTaken, max + 1))[0]?.taken ?? 0);
}
