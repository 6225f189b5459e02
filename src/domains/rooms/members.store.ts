import type { Member } from '../../db/generated/client.ts';
import type { PageRequest } from '../../db/pages.ts';
import { lookup, sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';

export type { Member };

const memberColumns = `
  m.tenant_id AS "tenantId", m.room_id AS "roomId", m.actor_id AS "actorId", m.role, m.muted, m.joined_at AS "joinedAt",
  m.joined_version AS "joinedVersion", m.last_read_seq AS "lastReadSeq", m.last_read_at AS "lastReadAt", m.read_count AS "readCount"`;

// In one order, whoever adds these people elsewhere at the same time. A statement of its own: one that locks and then
// updates goes to the old version of a row a second time, where those may stand who wait for this very lock.
const lockActorsStatement = sql<never>(
  'rooms.lockActors',
  'SELECT FROM actors WHERE tenant_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE',
);

const insertMembersStatement = sql<Member>(
  'rooms.insertMembers',
  `WITH added AS (
     INSERT INTO members AS m (tenant_id, room_id, actor_id, role, joined_version, last_read_seq, read_count)
     SELECT $1, r.id, new.actor_id, new.role::room_role, r.version, r.version, r.message_count
     FROM rooms r CROSS JOIN unnest($3::uuid[], $4::text[]) AS new(actor_id, role)
     WHERE r.tenant_id = $1 AND r.id = $2
     ON CONFLICT DO NOTHING RETURNING m.*
   ), noted AS (
     UPDATE actors SET membership_version = membership_version + 1
     WHERE tenant_id = $1 AND id IN (SELECT actor_id FROM added)
   )
   SELECT ${memberColumns} FROM added m`,
);

/**
 * Adds members, for whom what is in the room already counts as read; who is a member already stays as is.
 * @returns those that were added.
 * @throws ConstraintError (foreign key) when one of the actors does not exist in the tenant.
 */
export async function insertMembers(
  tx: TenantTransaction,
  roomId: string,
  members: readonly { readonly actorId: string; readonly role: Member['role'] }[],
): Promise<Member[]> {
  const actorIds = members.map((member) => member.actorId);
  await tx.query(lockActorsStatement, actorIds);
  return tx.query(
    insertMembersStatement,
    roomId,
    actorIds,
    members.map((member) => member.role),
  );
}

const deleteMemberStatement = sql<never>(
  'rooms.deleteMember',
  `WITH deleted AS (
     DELETE FROM members WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $3 RETURNING actor_id
   )
   UPDATE actors SET membership_version = membership_version + 1
   WHERE tenant_id = $1 AND id IN (SELECT actor_id FROM deleted)`,
);

export async function deleteMember(tx: TenantTransaction, roomId: string, actorId: string): Promise<void> {
  await tx.query(deleteMemberStatement, roomId, actorId);
}

const memberOf = sql<Member>(
  'rooms.memberOf',
  `SELECT ${memberColumns} FROM members m WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.actor_id = $3`,
);

export async function findMember(db: TenantQueries, roomId: string, actorId: string): Promise<Member | null> {
  return (await db.query(memberOf, roomId, actorId))[0] ?? null;
}

const memberCounts = sql<{ all: bigint; owners: bigint }>(
  'rooms.memberCounts',
  `SELECT count(*) AS all, count(*) FILTER (WHERE role = 'OWNER') AS owners
   FROM members WHERE tenant_id = $1 AND room_id = $2`,
);

export async function countMembers(db: TenantQueries, roomId: string): Promise<{ all: number; owners: number }> {
  const [row] = await db.query(memberCounts, roomId);
  return { all: Number(row?.all ?? 0), owners: Number(row?.owners ?? 0) };
}

const updateRoleStatement = sql<Member>(
  'rooms.updateRole',
  `UPDATE members AS m SET role = $4::room_role WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.actor_id = $3
   RETURNING ${memberColumns}`,
);

export async function updateRole(
  tx: TenantTransaction,
  roomId: string,
  actorId: string,
  role: Member['role'],
): Promise<Member | null> {
  return (await tx.query(updateRoleStatement, roomId, actorId, role))[0] ?? null;
}

const updateMutedStatement = sql<Member>(
  'rooms.updateMuted',
  `UPDATE members AS m SET muted = $4 WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.actor_id = $3
   RETURNING ${memberColumns}`,
);

/** Muting is the member's own affair: it is not in the room's log, and takes no room lock. */
export async function updateMuted(db: TenantQueries, roomId: string, actorId: string, muted: boolean): Promise<void> {
  await db.query(updateMutedStatement, roomId, actorId, muted);
}

export interface MemberPosition {
  readonly joinedAt: Date;
  readonly actorId: string;
}

const membersPage = (direction: 'ASC' | 'DESC') => `
  SELECT page.* FROM unnest($2::uuid[]) AS room(id) CROSS JOIN LATERAL (
    SELECT ${memberColumns} FROM members m
    WHERE m.tenant_id = $1 AND m.room_id = room.id
      AND ($3::timestamptz IS NULL OR (m.joined_at, m.actor_id) > ($3, $4::uuid))
      AND ($5::timestamptz IS NULL OR (m.joined_at, m.actor_id) < ($5, $6::uuid))
    ORDER BY m.joined_at ${direction}, m.actor_id ${direction} LIMIT $7
  ) AS page`;

const membersForward = lookup<Member>('rooms.membersForward', membersPage('ASC'));
const membersBackward = lookup<Member>('rooms.membersBackward', membersPage('DESC'));

/** For each room one member more than the page holds, in the page's own direction; by time of joining. */
export async function readMembers(
  db: TenantQueries,
  roomIds: readonly string[],
  { after, before, backward, size }: PageRequest<MemberPosition>,
): Promise<Member[]> {
  const bounds = [after?.joinedAt ?? null, after?.actorId ?? null, before?.joinedAt ?? null, before?.actorId ?? null];
  return db.query(backward ? membersBackward : membersForward, roomIds, ...bounds, size + 1);
}

const memberTotals = sql<{ roomId: string; total: bigint }>(
  'rooms.memberTotals',
  `SELECT room_id AS "roomId", count(*) AS total FROM members
   WHERE tenant_id = $1 AND room_id = ANY($2::uuid[]) GROUP BY room_id`,
);

/** How many members each room has. */
export async function countMembersOf(
  db: TenantQueries,
  roomIds: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query(memberTotals, roomIds);
  return new Map(rows.map((row) => [row.roomId, Number(row.total)]));
}
