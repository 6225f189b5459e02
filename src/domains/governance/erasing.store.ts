import { sql, type TenantTransaction } from '../../db/sql.ts';

// What takes messages of a room away, or brings them back: counters and preview are
// right afterwards. The caller holds the room's lock, so that nobody else changes them meanwhile.

/** A message as far as it matters for taking it away. */
export interface Candidate {
  readonly id: string;
  readonly seq: bigint;
  readonly authorId: string;
  readonly createdAt: Date;
  readonly deleted: boolean;
  readonly purgeId: string | null;
  /** Whether it counts as unread for others, and can be the preview: all but the system's reports. */
  readonly countable: boolean;
}

/** A place in a room by age. */
export interface Place {
  readonly createdAt: Date;
  readonly seq: bigint;
}

const candidateColumns = `m.id, m.seq, m.author_id AS "authorId", m.created_at AS "createdAt",
  m.deleted_at IS NOT NULL AS deleted, m.purge_id AS "purgeId", m.kind <> 'SYSTEM' AS countable`;

const candidates = sql<Candidate>(
  'erasing.candidates',
  `SELECT ${candidateColumns} FROM messages m
   WHERE m.tenant_id = $1 AND m.room_id = $2 AND (m.created_at, m.seq) > ($3, $4) AND m.created_at < $5
   ORDER BY m.created_at, m.seq LIMIT $6`,
);

/** The next messages of the room by age, of any state. */
export async function readCandidates(
  tx: TenantTransaction,
  roomId: string,
  after: Place,
  before: Date,
  limit: number,
): Promise<Candidate[]> {
  return tx.query(candidates, roomId, after.createdAt, after.seq, before, limit);
}

const candidateById = sql<Candidate>(
  'erasing.candidateById',
  `SELECT ${candidateColumns} FROM messages m WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.id = $3`,
);

export async function findCandidate(tx: TenantTransaction, roomId: string, id: string): Promise<Candidate | null> {
  return (await tx.query(candidateById, roomId, id))[0] ?? null;
}

const hide = sql<never>(
  'erasing.hide',
  `UPDATE messages SET deleted_at = clock_timestamp(), purge_id = $3 WHERE tenant_id = $1 AND id = ANY($2::uuid[])`,
);

/** Hides messages that are not deleted, for the purge that can bring them back. */
export async function hideMessages(
  tx: TenantTransaction,
  roomId: string,
  purgeId: string,
  messages: readonly Candidate[],
): Promise<void> {
  await tx.query(hide, ids(messages), purgeId);
  await settle(tx, roomId, messages, 1);
}

const restore = sql<never>(
  'erasing.restore',
  `UPDATE messages SET deleted_at = NULL, purge_id = NULL WHERE tenant_id = $1 AND id = ANY($2::uuid[])`,
);

const raisePreview = sql<never>(
  'erasing.raisePreview',
  `UPDATE rooms SET last_message_seq = greatest(last_message_seq, $3) WHERE tenant_id = $1 AND id = $2`,
);

/** Brings back messages that a purge had hidden. */
export async function restoreMessages(
  tx: TenantTransaction,
  roomId: string,
  messages: readonly Candidate[],
): Promise<void> {
  await tx.query(restore, ids(messages));
  const seqs = messages.filter((message) => message.countable).map((message) => message.seq);
  if (seqs.length > 0) await tx.query(raisePreview, roomId, boundsOf(seqs).last);
  await settle(
    tx,
    roomId,
    messages.map((message) => ({ ...message, deleted: false })),
    -1,
  );
}

const detachReplies = sql<{ id: string }>(
  'erasing.detachReplies',
  `UPDATE messages SET reply_to_id = NULL
   WHERE tenant_id = $1 AND id IN (
     SELECT id FROM messages WHERE tenant_id = $1 AND reply_to_id = ANY($2::uuid[]) LIMIT $3)
   RETURNING id`,
);

// Their edits and mentions would go with them by the foreign keys, but one message at a time.
const removals = [
  sql<never>('erasing.removeEdits', `DELETE FROM message_edits WHERE tenant_id = $1 AND message_id = ANY($2::uuid[])`),
  sql<never>('erasing.removeMentions', `DELETE FROM mentions WHERE tenant_id = $1 AND message_id = ANY($2::uuid[])`),
  sql<never>('erasing.remove', `DELETE FROM messages WHERE tenant_id = $1 AND id = ANY($2::uuid[])`),
];

/**
 * Removes messages with everything that belongs to them: what a message owns elsewhere, as files, has to be let go here.
 * Replies stay, and are replies no more.
 * @param replyLimit rows that may be changed besides; a thread may be longer than any batch.
 * @returns false when there are more replies: those of this turn are detached, the messages are still there.
 */
export async function removeMessages(
  tx: TenantTransaction,
  roomId: string,
  messages: readonly Candidate[],
  replyLimit: number,
): Promise<boolean> {
  const detached = await tx.query(detachReplies, ids(messages), replyLimit);
  if (detached.length === replyLimit) return false;
  for (const removal of removals) await tx.query(removal, ids(messages));
  await settle(tx, roomId, messages, 1);
  return true;
}

// For most members all of them are unread, or none: only who is in the middle has them counted. The correlated parts use
// parameters alone, so that a row for whose lock it waited is counted by the marker that it has by then.
const settleUnread = sql<never>(
  'erasing.settleUnread',
  `UPDATE members m SET read_count = m.read_count + $3::int * (
     CASE WHEN m.last_read_seq < $6 THEN $8::int
       ELSE (SELECT count(*) FROM unnest($4::bigint[]) AS gone(seq) WHERE gone.seq > m.last_read_seq) END
     - CASE WHEN m.actor_id = ANY($9::uuid[]) THEN (
         SELECT count(*) FROM unnest($4::bigint[], $5::uuid[]) AS gone(seq, author_id)
         WHERE gone.seq > m.last_read_seq AND gone.author_id = m.actor_id) ELSE 0 END)
   WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.last_read_seq < $7`,
);

/** Whoever had not read them has as many unread messages less (1), or more (-1). */
async function settle(
  tx: TenantTransaction,
  roomId: string,
  messages: readonly Candidate[],
  direction: 1 | -1,
): Promise<void> {
  const counted = messages.filter((message) => message.countable && !message.deleted);
  if (counted.length === 0) return;
  const seqs = counted.map((message) => message.seq);
  const authors = counted.map((message) => message.authorId);
  const { first, last } = boundsOf(seqs);
  const known = [first, last, counted.length, [...new Set(authors)]] as const;
  await tx.query(settleUnread, roomId, direction, seqs, authors, ...known);
}

// From the end of the room backwards, past what is deleted: messages that were imported or brought back meanwhile may
// stand anywhere in it, so nothing can be left out. Only done when the preview itself is among what went.
const lowerPreview = sql<never>(
  'erasing.lowerPreview',
  `UPDATE rooms SET last_message_seq = (
     SELECT seq FROM messages WHERE tenant_id = $1 AND room_id = $2 AND deleted_at IS NULL AND kind <> 'SYSTEM'
     ORDER BY seq DESC LIMIT 1)
   WHERE tenant_id = $1 AND id = $2 AND last_message_seq = ANY($3::bigint[])`,
);

/** The preview after messages went. */
export async function settlePreview(
  tx: TenantTransaction,
  roomId: string,
  messages: readonly Candidate[],
): Promise<void> {
  await tx.query(
    lowerPreview,
    roomId,
    messages.map((message) => message.seq),
  );
}

const ids = (messages: readonly Candidate[]) => messages.map((message) => message.id);

/** The first and the last of the places; zero where there are none. */
function boundsOf(seqs: readonly bigint[]): { readonly first: bigint; readonly last: bigint } {
  const sorted = seqs.toSorted((a, b) => (a < b ? -1 : 1));
  return { first: sorted[0] ?? 0n, last: sorted.at(-1) ?? 0n };
}
