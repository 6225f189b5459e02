import { type BriefMessage, briefMessageColumns, wholeMessage } from '../../db/briefMessages.ts';
import { messageColumns } from '../../db/columns.ts';
import type { MessageEdit } from '../../db/generated/client.ts';
import type { PageRequest } from '../../db/pages.ts';
import { lookup, sql, type TenantQueries, type TenantTransaction, unplanned } from '../../db/sql.ts';
import type { MessageRecord } from '../../events/catalogue.ts';
import { newId } from '../../kernel/ids.ts';

export type { MessageEdit, MessageRecord };

// The bounds stand inside the index condition (tenant_id, room_id, seq): a page costs the same anywhere in a room.
const between = `m.seq > ${unplanned('$3::bigint')} AND m.seq < ${unplanned('$4::bigint')}`;
const pageSize = unplanned('$5::bigint');

const messagesPage = (direction: 'ASC' | 'DESC') => `
  SELECT page.* FROM unnest(${unplanned('$2::uuid[]')}) AS room(id) CROSS JOIN LATERAL (
    SELECT ${messageColumns('m')} FROM messages m
    WHERE m.tenant_id = $1 AND m.room_id = room.id AND ${between}
    ORDER BY m.seq ${direction} LIMIT ${pageSize}
  ) AS page`;

const messagesForward = lookup<MessageRecord>('messages.forward', messagesPage('ASC'));
const messagesBackward = lookup<MessageRecord>('messages.backward', messagesPage('DESC'));

const beyondEverySeq = 2n ** 63n - 1n;

// Most pages are of one room. What is known of it need not come back with each message.
const messagesPageOfOne = (direction: 'ASC' | 'DESC') => `
  SELECT ${briefMessageColumns('m')} FROM messages m
  WHERE m.tenant_id = $1 AND m.room_id = ${unplanned('$2::uuid')} AND ${between}
  ORDER BY m.seq ${direction} LIMIT ${pageSize}`;

const messagesForwardOfOne = lookup<BriefMessage>('messages.forwardOfOne', messagesPageOfOne('ASC'));
const messagesBackwardOfOne = lookup<BriefMessage>('messages.backwardOfOne', messagesPageOfOne('DESC'));

/** For each room one message more than the page holds, in the page's own direction. */
export async function readMessages(
  db: TenantQueries,
  roomIds: readonly string[],
  { backward, after, before, size }: PageRequest<bigint>,
): Promise<MessageRecord[]> {
  const bounds = [after ?? 0n, before ?? beyondEverySeq, size + 1];
  const [roomId] = roomIds;
  if (roomId === undefined || roomIds.length > 1) {
    return db.query(backward ? messagesBackward : messagesForward, roomIds, ...bounds);
  }
  const { tenantId } = db;
  const messages = await db.query(backward ? messagesBackwardOfOne : messagesForwardOfOne, roomId, ...bounds);
  return messages.map((message) => wholeMessage(message, tenantId, roomId));
}

const messagesByIds = lookup<MessageRecord>(
  'messages.byIds',
  `SELECT ${messageColumns('m')} FROM messages m WHERE m.tenant_id = $1 AND m.id = ANY($2::uuid[])`,
);

export async function findMessages(db: TenantQueries, ids: readonly string[]): Promise<MessageRecord[]> {
  return db.query(messagesByIds, ids);
}

const messagesBySeq = lookup<MessageRecord>(
  'messages.bySeq',
  `SELECT ${messageColumns('m')} FROM unnest($2::uuid[], $3::bigint[]) AS wanted(room_id, seq)
   JOIN messages m ON m.tenant_id = $1 AND m.room_id = wanted.room_id AND m.seq = wanted.seq`,
);

export async function findMessagesBySeq(
  db: TenantQueries,
  places: readonly { readonly roomId: string; readonly seq: bigint }[],
): Promise<MessageRecord[]> {
  return db.query(
    messagesBySeq,
    places.map((place) => place.roomId),
    places.map((place) => place.seq),
  );
}

const messageByNonce = sql<MessageRecord>(
  'messages.byNonce',
  `SELECT ${messageColumns('m')} FROM messages m
   WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.author_id = $3 AND m.nonce = $4`,
);

export async function findMessageByNonce(
  db: TenantQueries,
  roomId: string,
  authorId: string,
  nonce: string,
): Promise<MessageRecord | null> {
  return (await db.query(messageByNonce, roomId, authorId, nonce))[0] ?? null;
}

const membersAmong = sql<{ actorId: string }>(
  'messages.membersAmong',
  `SELECT actor_id AS "actorId" FROM members WHERE tenant_id = $1 AND room_id = $2 AND actor_id = ANY($3::uuid[])`,
);

/** Those of the actors who are members of the room. */
export async function findMembersAmong(
  db: TenantQueries,
  roomId: string,
  actorIds: readonly string[],
): Promise<string[]> {
  return (await db.query(membersAmong, roomId, actorIds)).map((row) => row.actorId);
}

const keepBody = sql<never>(
  'messages.keepBody',
  `INSERT INTO message_edits (tenant_id, id, message_id, editor_id, body, replaced_at)
   SELECT $1, $3, id, $4, body, clock_timestamp() FROM messages WHERE tenant_id = $1 AND id = $2`,
);

const replaceBody = sql<MessageRecord>(
  'messages.replaceBody',
  `UPDATE messages AS m SET body = $3, kind = $4::message_kind, mentions_room = $5, edited_at = clock_timestamp()
   WHERE m.tenant_id = $1 AND m.id = $2 RETURNING ${messageColumns('m')}`,
);

const replaceMentions = sql<never>(
  'messages.replaceMentions',
  `WITH gone AS (
     DELETE FROM mentions WHERE tenant_id = $1 AND message_id = $2 AND actor_id <> ALL($3::uuid[])
   )
   INSERT INTO mentions (tenant_id, message_id, actor_id) SELECT $1, $2, unnest($3::uuid[]) ON CONFLICT DO NOTHING`,
);

/** Replaces body and mentions; the body before goes into the history. The caller holds the room's lock. */
export async function editMessage(
  tx: TenantTransaction,
  messageId: string,
  editorId: string,
  next: Pick<MessageRecord, 'body' | 'kind' | 'mentionsRoom'> & { readonly mentionedIds: readonly string[] },
): Promise<MessageRecord> {
  await tx.query(keepBody, messageId, newId(), editorId);
  await tx.query(replaceMentions, messageId, next.mentionedIds);
  const [message] = await tx.query(replaceBody, messageId, next.body, next.kind, next.mentionsRoom);
  if (!message) throw new Error('a message vanished under its room lock');
  return message;
}

const markDeleted = sql<MessageRecord>(
  'messages.markDeleted',
  `UPDATE messages AS m SET deleted_at = clock_timestamp()
   WHERE m.tenant_id = $1 AND m.id = $2 AND m.deleted_at IS NULL RETURNING ${messageColumns('m')}`,
);

// Whoever had not read it has one unread message less: it counts as read from now on.
const settleUnread = sql<never>(
  'messages.settleUnread',
  `UPDATE members SET read_count = read_count + 1
   WHERE tenant_id = $1 AND room_id = $2 AND last_read_seq < $3 AND actor_id <> $4`,
);

const settlePreview = sql<never>(
  'messages.settlePreview',
  `UPDATE rooms SET last_message_seq = (
     SELECT seq FROM messages WHERE tenant_id = $1 AND room_id = $2 AND deleted_at IS NULL AND kind <> 'SYSTEM'
     ORDER BY seq DESC LIMIT 1)
   WHERE tenant_id = $1 AND id = $2 AND last_message_seq = $3`,
);

/** Deletes softly, keeping unread counts and preview right. The caller holds the room's lock. Null if deleted before. */
export async function deleteMessage(tx: TenantTransaction, messageId: string): Promise<MessageRecord | null> {
  const [message] = await tx.query(markDeleted, messageId);
  if (!message) return null;
  await tx.query(settleUnread, message.roomId, message.seq, message.authorId);
  await tx.query(settlePreview, message.roomId, message.seq);
  return message;
}

const mentionsOf = lookup<{ messageId: string; actorId: string }>(
  'messages.mentionsOf',
  `SELECT message_id AS "messageId", actor_id AS "actorId" FROM mentions
   WHERE tenant_id = $1 AND message_id = ANY($2::uuid[]) ORDER BY message_id, actor_id`,
);

export async function findMentionsOf(db: TenantQueries, messageIds: readonly string[]) {
  return db.query(mentionsOf, messageIds);
}

export interface EditPosition {
  readonly replacedAt: Date;
  readonly id: string;
}

const editsPage = (direction: 'ASC' | 'DESC') => `
  SELECT page.* FROM unnest($2::uuid[]) AS message(id) CROSS JOIN LATERAL (
    SELECT e.tenant_id AS "tenantId", e.id, e.message_id AS "messageId", e.editor_id AS "editorId", e.body,
      e.replaced_at AS "replacedAt"
    FROM message_edits e
    WHERE e.tenant_id = $1 AND e.message_id = message.id
      AND ($3::timestamptz IS NULL OR (e.replaced_at, e.id) > ($3, $4::uuid))
      AND ($5::timestamptz IS NULL OR (e.replaced_at, e.id) < ($5, $6::uuid))
    ORDER BY e.replaced_at ${direction}, e.id ${direction} LIMIT $7
  ) AS page`;

const editsForward = lookup<MessageEdit>('messages.editsForward', editsPage('ASC'));
const editsBackward = lookup<MessageEdit>('messages.editsBackward', editsPage('DESC'));

/** For each message one edit more than the page holds, in the page's own direction. */
export async function readEdits(
  db: TenantQueries,
  messageIds: readonly string[],
  { after, before, backward, size }: PageRequest<EditPosition>,
): Promise<MessageEdit[]> {
  const bounds = [after?.replacedAt ?? null, after?.id ?? null, before?.replacedAt ?? null, before?.id ?? null];
  return db.query(backward ? editsBackward : editsForward, messageIds, ...bounds, size + 1);
}

const repliesPage = (direction: 'ASC' | 'DESC') => `
  SELECT page.* FROM unnest(${unplanned('$2::uuid[]')}) AS parent(id) CROSS JOIN LATERAL (
    SELECT ${messageColumns('m')} FROM messages m
    WHERE m.tenant_id = $1 AND m.reply_to_id = parent.id AND ${between}
    ORDER BY m.seq ${direction} LIMIT ${pageSize}
  ) AS page`;

const repliesForward = lookup<MessageRecord>('messages.repliesForward', repliesPage('ASC'));
const repliesBackward = lookup<MessageRecord>('messages.repliesBackward', repliesPage('DESC'));

/** For each message one reply more than the page holds, in the page's own direction. */
export async function readReplies(
  db: TenantQueries,
  messageIds: readonly string[],
  request: PageRequest<bigint>,
): Promise<MessageRecord[]> {
  const statement = request.backward ? repliesBackward : repliesForward;
  return db.query(statement, messageIds, request.after ?? 0n, request.before ?? beyondEverySeq, request.size + 1);
}
