import type { Member, Room } from '../../db/generated/client.ts';
import { lookup, sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';
import type { MessageRecord } from '../../events/catalogue.ts';
import { newId } from '../../kernel/ids.ts';

export type { Room };

/** A room with the membership of one actor, read in one statement so that the unread count is exact. */
export interface RoomView {
  readonly room: Room;
  readonly member: Member | null;
  /** The room's last message, null for none; absent where it was not asked for. */
  readonly preview?: MessageRecord | null;
}

const roomColumns = `
  r.id, r.kind, r.name, r.topic, r.creator_id AS "creatorId", r.direct_key AS "directKey",
  r.version, r.log_floor AS "logFloor", r.message_count AS "messageCount", r.last_message_seq AS "lastMessageSeq",
  r.last_activity_at AS "lastActivityAt", r.created_at AS "createdAt", r.updated_at AS "updatedAt",
  r.archived_at AS "archivedAt"`;

/** Without what whoever asks knows: a list has fifty rows, and each id takes 36 bytes. */
export const viewColumns = `${roomColumns}, m.role, m.muted, m.joined_at AS "joinedAt",
  m.joined_version AS "joinedVersion", m.last_read_seq AS "lastReadSeq", m.last_read_at AS "lastReadAt", m.read_count AS "readCount"`;

type RoomRow = Omit<Room, 'tenantId'>;

export type ViewRow = RoomRow & {
  readonly [Field in keyof Omit<Member, 'tenantId' | 'roomId' | 'actorId'>]: Member[Field] | null;
};

export function toView(row: ViewRow, tenantId: string, actorId: string): RoomView {
  const { id, kind, name, topic, creatorId, directKey, version, logFloor, messageCount, lastMessageSeq } = row;
  const { lastActivityAt, createdAt, updatedAt, archivedAt } = row;
  const known = { tenantId, id, kind, name, topic, creatorId, directKey, version, logFloor, messageCount };
  const room = { ...known, lastMessageSeq, lastActivityAt, createdAt, updatedAt, archivedAt };
  return { room, member: memberOf(row, tenantId, actorId) };
}

function memberOf(row: ViewRow, tenantId: string, actorId: string): Member | null {
  const { id: roomId, role, muted, joinedAt, joinedVersion, lastReadSeq, lastReadAt, readCount } = row;
  if (role === null || muted === null || joinedAt === null) return null;
  if (joinedVersion === null || lastReadSeq === null || readCount === null) return null;
  return { tenantId, roomId, actorId, role, muted, joinedAt, joinedVersion, lastReadSeq, lastReadAt, readCount };
}

// For the many that look at one room: of a list, PostgreSQL does not know the length, and plans anew each time.
const viewById = lookup<ViewRow>(
  'rooms.viewById',
  `SELECT ${viewColumns} FROM rooms r
   LEFT JOIN members m ON m.tenant_id = $1 AND m.room_id = r.id AND m.actor_id = $2
   WHERE r.tenant_id = $1 AND r.id = $3`,
);

const viewsByIds = lookup<ViewRow>(
  'rooms.viewsByIds',
  `SELECT ${viewColumns} FROM rooms r
   LEFT JOIN members m ON m.tenant_id = $1 AND m.room_id = r.id AND m.actor_id = $2
   WHERE r.tenant_id = $1 AND r.id = ANY($3::uuid[])`,
);

/** The rooms with these ids as an actor has them; those that do not exist in the tenant are missing. */
export async function findRoomViews(
  db: TenantQueries,
  actorId: string,
  roomIds: readonly string[],
): Promise<RoomView[]> {
  const [first] = roomIds;
  if (first === undefined) return [];
  const rows = db.query(roomIds.length === 1 ? viewById : viewsByIds, actorId, roomIds.length === 1 ? first : roomIds);
  return (await rows).map((row) => toView(row, db.tenantId, actorId));
}

const viewsOfMany = sql<ViewRow & { place: bigint }>(
  'rooms.viewsOfMany',
  `SELECT asked.place, ${viewColumns} FROM unnest($2::uuid[], $3::uuid[]) WITH ORDINALITY AS asked(viewer_id, room_id, place)
   JOIN rooms r ON r.tenant_id = $1 AND r.id = asked.room_id
   LEFT JOIN members m ON m.tenant_id = $1 AND m.room_id = r.id AND m.actor_id = asked.viewer_id`,
);

/** Somebody's view of a room. */
export interface Viewing {
  readonly actorId: string;
  readonly roomId: string;
}

/** As \`findRoomViews\`, for many actors in one statement. */
export async function findViewsOfMany<Asked extends Viewing>(
  db: TenantQueries,
  viewings: readonly Asked[],
): Promise<Map<Asked, RoomView>> {
  const rows = await db.query(
    viewsOfMany,
    viewings.map(({ actorId }) => actorId),
    viewings.map(({ roomId }) => roomId),
  );
  const views = new Map<Asked, RoomView>();
  for (const { place, ...row } of rows) {
    const viewing = viewings[Number(place) - 1];
    if (viewing) views.set(viewing, toView(row, db.tenantId, viewing.actorId));
  }
  return views;
}

const lockStatement = sql<{ id: string }>(
  'rooms.lock',
  'SELECT id FROM rooms WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
);

/**
 * Takes the room's lock, which every durable change of a room holds until its commit, and then reads the room as
 * nobody can change it any more.
 */
export async function lockRoom(tx: TenantTransaction, actorId: string, roomId: string): Promise<RoomView | null> {
  const [locked] = await tx.query(lockStatement, roomId);
  if (!locked) return null;
  const [view] = await findRoomViews(tx, actorId, [roomId]);
  return view ?? null;
}

const insertRoomStatement = sql<RoomRow>(
  'rooms.insert',
  `INSERT INTO rooms AS r (tenant_id, id, kind, name, topic, creator_id, direct_key)
   VALUES ($1, $2, $3::room_kind, $4, $5, $6, $7)
   ON CONFLICT (tenant_id, direct_key) DO NOTHING RETURNING ${roomColumns}`,
);

/** Writes a new room; null when the direct room of these two exists already (its transaction was waited for). */
export async function insertRoom(
  tx: TenantTransaction,
  room: Pick<Room, 'kind' | 'name' | 'topic' | 'directKey'> & { readonly creatorId: string },
): Promise<Room | null> {
  const { kind, name, topic, creatorId, directKey } = room;
  const [inserted] = await tx.query(insertRoomStatement, newId(), kind, name, topic, creatorId, directKey);
  return inserted ? { ...inserted, tenantId: tx.tenantId } : null;
}

// No more rows are read than it takes to tell whether the limit is kept.
const activeRooms = sql<{ active: bigint }>(
  'rooms.active',
  `SELECT count(*) AS active FROM (
     SELECT FROM rooms
     WHERE tenant_id = $1 AND kind IN ('DIRECT', 'GROUP', 'CHANNEL') AND archived_at IS NULL
     LIMIT $2
   ) AS room`,
);

/** How many rooms are not archived, conversations apart; counted up to one more than `max`. */
export async function countActiveRooms(tx: TenantTransaction, max: number): Promise<number> {
  return Number((await tx.query(activeRooms, max + 1))[0]?.active ?? 0);
}

const directRoom = sql<{ id: string }>(
  'rooms.directRoom',
  'SELECT id FROM rooms WHERE tenant_id = $1 AND direct_key = $2',
);

export async function findDirectRoom(db: TenantQueries, directKey: string): Promise<string | null> {
  return (await db.query(directRoom, directKey))[0]?.id ?? null;
}

const updateRoomStatement = sql<never>(
  'rooms.update',
  `UPDATE rooms AS r SET name = $3, topic = $4, archived_at = $5, updated_at = clock_timestamp()
   WHERE r.tenant_id = $1 AND r.id = $2`,
);

export async function updateRoom(
  tx: TenantTransaction,
  roomId: string,
  values: Pick<Room, 'name' | 'topic' | 'archivedAt'>,
): Promise<void> {
  await tx.query(updateRoomStatement, roomId, values.name, values.topic, values.archivedAt);
}
