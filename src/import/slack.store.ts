import type { ActorKind, MessageKind, RoomKind, RoomRole, SystemEvent } from '../db/generated/client.ts';
import { sql, type TenantQueries, type TenantTransaction } from '../db/sql.ts';

// Enums come as text and are cast one by one: the embedded database learns of an enum's array type only when it is opened,
// and the migrations that make it may have run since.

/** An actor as it is written first; it stays as it is from then on. */
export interface ActorDraft {
  readonly id: string;
  readonly kind: Extract<ActorKind, 'USER' | 'SERVICE_ACCOUNT'>;
  readonly name: string;
  readonly email: string | null;
  readonly pictureUrl: string | null;
  readonly deactivated: boolean;
}

export interface RoomDraft {
  readonly id: string;
  readonly kind: RoomKind;
  readonly name: string | null;
  readonly topic: string | null;
  readonly creatorId: string | null;
  readonly directKey: string | null;
  readonly createdAt: Date;
  readonly archivedAt: Date | null;
}

export interface MemberDraft {
  readonly actorId: string;
  readonly role: RoomRole;
  readonly joinedAt: Date;
}

export interface MessageDraft {
  readonly id: string;
  readonly kind: MessageKind;
  readonly systemEvent: SystemEvent | null;
  readonly authorId: string;
  readonly body: string;
  readonly replyToId: string | null;
  readonly mentionsRoom: boolean;
  readonly mentionedIds: readonly string[];
  readonly createdAt: Date;
  readonly editedAt: Date | null;
}

const actorsByIds = sql<{ id: string; kind: ActorKind }>(
  'import.actorsByIds',
  'SELECT id, kind FROM actors WHERE tenant_id = $1 AND id = ANY($2::uuid[])',
);

/** Those of the actors that exist, with their kind. */
export async function findActors(db: TenantQueries, ids: readonly string[]): Promise<ReadonlyMap<string, ActorKind>> {
  return new Map((await db.query(actorsByIds, ids)).map((row) => [row.id, row.kind]));
}

const signedInByEmail = sql<{ id: string; email: string }>(
  'import.signedInByEmail',
  `SELECT DISTINCT ON (email) id, email FROM actors
   WHERE tenant_id = $1 AND kind = 'USER' AND subject IS NOT NULL AND email = ANY($2::text[])
   ORDER BY email, deactivated_at NULLS FIRST, id`,
);

/** People who have signed in with these addresses. */
export async function findSignedIn(db: TenantQueries, emails: readonly string[]): Promise<ReadonlyMap<string, string>> {
  return new Map((await db.query(signedInByEmail, emails)).map((row) => [row.email, row.id]));
}

const insertActorsStatement = sql<{ id: string }>(
  'import.insertActors',
  `INSERT INTO actors (tenant_id, id, kind, name, email, picture_url, deactivated_at)
   SELECT $1, id, kind::actor_kind, name, email, picture_url, CASE WHEN deactivated THEN now() END
   FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[])
     AS new(id, kind, name, email, picture_url, deactivated)
   ON CONFLICT (tenant_id, id) DO NOTHING RETURNING id`,
);

/** Adds those actors that do not exist. @returns how many. */
export async function insertActors(db: TenantQueries, actors: readonly ActorDraft[]): Promise<number> {
  const rows = await db.query(
    insertActorsStatement,
    actors.map((actor) => actor.id),
    actors.map((actor) => actor.kind),
    actors.map((actor) => actor.name),
    actors.map((actor) => actor.email),
    actors.map((actor) => actor.pictureUrl),
    actors.map((actor) => actor.deactivated),
  );
  return rows.length;
}

const findRoomStatement = sql<{ id: string }>(
  'import.findRoom',
  `SELECT id FROM rooms WHERE tenant_id = $1 AND (id = $2 OR direct_key = $3)`,
);

/** The room of an earlier run, or the direct room of the same two. */
export async function findRoom(
  db: TenantQueries,
  { id, directKey }: Pick<RoomDraft, 'id' | 'directKey'>,
): Promise<string | null> {
  return (await db.query(findRoomStatement, id, directKey))[0]?.id ?? null;
}

// Without a target the conflict may be on the id or on the direct key.
const insertRoomStatement = sql<{ id: string }>(
  'import.insertRoom',
  `INSERT INTO rooms (tenant_id, id, kind, name, topic, creator_id, direct_key, created_at, updated_at,
     last_activity_at, archived_at)
   VALUES ($1, $2, $3::room_kind, $4, $5, $6, $7, $8, $8, $8, $9) ON CONFLICT DO NOTHING RETURNING id`,
);

/** Writes a new room; false where another transaction was faster, whose commit has been waited for. */
export async function insertRoom(tx: TenantTransaction, room: RoomDraft): Promise<boolean> {
  const { id, kind, name, topic, creatorId, directKey, createdAt, archivedAt } = room;
  const params = [id, kind, name, topic, creatorId, directKey, createdAt, archivedAt];
  return (await tx.query(insertRoomStatement, ...params)).length > 0;
}

// The room is new, so they were added before its first version. Whoever serves these actors live reads their rooms again.
const insertMembersStatement = sql<never>(
  'import.insertMembers',
  `WITH added AS (
     INSERT INTO members (tenant_id, room_id, actor_id, role, joined_at)
     SELECT $1, $2, actor_id, role::room_role, joined_at
     FROM unnest($3::uuid[], $4::text[], $5::timestamptz[]) AS new(actor_id, role, joined_at)
     RETURNING actor_id
   )
   UPDATE actors SET membership_version = membership_version + 1
   WHERE tenant_id = $1 AND id IN (SELECT actor_id FROM added)`,
);

/** Adds the members of a room that this transaction has made: nothing is read as yet. */
export async function insertMembers(
  tx: TenantTransaction,
  roomId: string,
  members: readonly MemberDraft[],
): Promise<void> {
  if (members.length === 0) return;
  await tx.query(
    insertMembersStatement,
    roomId,
    members.map((member) => member.actorId),
    members.map((member) => member.role),
    members.map((member) => member.joinedAt),
  );
}

const lockStatement = sql<{ id: string }>(
  'import.lockRoom',
  'SELECT id FROM rooms WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
);

/** Takes the room's lock, which every durable change of a room holds until its commit. */
export async function lockRoom(tx: TenantTransaction, roomId: string): Promise<boolean> {
  return (await tx.query(lockStatement, roomId)).length > 0;
}

// The room is no condition: without statistics the planner could take it for the narrower one, and read the whole room.
const messagesAmong = sql<{ id: string; here: boolean }>(
  'import.messagesAmong',
  'SELECT id, room_id = $2 AS here FROM messages WHERE tenant_id = $1 AND id = ANY($3::uuid[])',
);

/** Those of the messages that are in the room. */
export async function findMessagesAmong(
  db: TenantQueries,
  roomId: string,
  ids: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = await db.query(messagesAmong, roomId, ids);
  return new Set(found.filter((row) => row.here).map((row) => row.id));
}

// Messages take the versions after the room's own, in their order. Reports of the system are never unread, do not count
// and are no preview. A member has read what he wrote himself; authors who are no members have no counter.
const insertMessagesStatement = sql<never>(
  'import.insertMessages',
  `WITH draft AS (
     SELECT * FROM unnest($3::uuid[], $4::text[], $5::text[], $6::uuid[], $7::text[], $8::uuid[],
       $9::boolean[], $10::timestamptz[], $11::timestamptz[])
       WITH ORDINALITY AS d(id, kind, system_event, author_id, body, reply_to_id, mentions_room, created_at, edited_at, place)
   ), total AS (
     SELECT count(*) AS all, count(*) FILTER (WHERE kind <> 'SYSTEM') AS countable,
       max(place) FILTER (WHERE kind <> 'SYSTEM') AS last_countable, max(created_at) AS newest
     FROM draft
   ), room AS (
     UPDATE rooms SET version = version + total.all, message_count = message_count + total.countable,
       xid = pg_current_xact_id(), last_message_seq = coalesce(version + total.last_countable, last_message_seq),
       last_activity_at = greatest(last_activity_at, total.newest)
     FROM total WHERE tenant_id = $1 AND id = $2
     RETURNING version - total.all AS base
   ), author AS (
     UPDATE members SET read_count = read_count + own.count
     FROM (SELECT author_id, count(*) FROM draft WHERE kind <> 'SYSTEM' GROUP BY author_id) AS own
     WHERE tenant_id = $1 AND room_id = $2 AND actor_id = own.author_id
   ), mention AS (
     INSERT INTO mentions (tenant_id, message_id, actor_id)
     SELECT $1, message_id, actor_id FROM unnest($12::uuid[], $13::uuid[]) AS t(message_id, actor_id)
   )
   INSERT INTO messages (tenant_id, id, room_id, seq, kind, system_event, author_id, body, reply_to_id, mentions_room,
     created_at, edited_at)
   SELECT $1, draft.id, $2, room.base + draft.place, draft.kind::message_kind, draft.system_event::system_event, draft.author_id, draft.body,
     draft.reply_to_id, draft.mentions_room, draft.created_at, draft.edited_at
   FROM draft CROSS JOIN room`,
);

/** Adds messages at the end of a room in their order. The caller holds the room's lock. */
export async function insertMessages(
  tx: TenantTransaction,
  roomId: string,
  messages: readonly MessageDraft[],
): Promise<void> {
  const mentions = messages.flatMap(({ id, mentionedIds }) => mentionedIds.map((actorId) => [id, actorId] as const));
  await tx.query(
    insertMessagesStatement,
    roomId,
    messages.map((message) => message.id),
    messages.map((message) => message.kind),
    messages.map((message) => message.systemEvent),
    messages.map((message) => message.authorId),
    messages.map((message) => message.body),
    messages.map((message) => message.replyToId),
    messages.map((message) => message.mentionsRoom),
    messages.map((message) => message.createdAt),
    messages.map((message) => message.editedAt),
    mentions.map(([messageId]) => messageId),
    mentions.map(([, actorId]) => actorId),
  );
}

const markReadStatement = sql<never>(
  'import.markRead',
  `UPDATE members SET last_read_seq = r.version, read_count = r.message_count, last_read_at = clock_timestamp()
   FROM rooms r
   WHERE members.tenant_id = $1 AND members.room_id = $2 AND r.tenant_id = $1 AND r.id = $2`,
);

/** Everybody has read everything. The caller holds the room's lock, so that the counters stand still. */
export async function markRead(tx: TenantTransaction, roomId: string): Promise<void> {
  await tx.query(markReadStatement, roomId);
}
