import { messageColumns } from '../db/columns.ts';
import type { MessageKind } from '../db/generated/client.ts';
import { ConstraintError, sql, type TenantQueries } from '../db/sql.ts';
import type { MessageRecord } from './catalogue.ts';
import { commitTogether } from './commitTogether.ts';

/** A message that is about to be sent. */
export interface MessageDraft {
  readonly id: string;
  readonly authorId: string;
  readonly kind: Exclude<MessageKind, 'SYSTEM'>;
  readonly body: string;
  readonly nonce: string | null;
  readonly replyToId: string | null;
  readonly mentionsRoom: boolean;
  readonly mentionedIds: readonly string[];
}

/** Why drafts were not added; nothing was written. */
export type AppendRefusal = 'room closed' | 'not a member' | 'nonce taken' | 'reply target gone';

/** The foreign key that a reply breaks whose message was removed for good a moment ago. */
const replyKey = 'messages_tenant_id_reply_to_id_fkey';

interface Addition {
  readonly db: TenantQueries;
  readonly roomId: string;
  readonly draft: MessageDraft;
}

type Additions = readonly [Addition, ...Addition[]];

/**
 * Writes messages, of which those that come at once are committed together: as many as one statement holds, in whichever
 * rooms of the tenant. What stands in the way of one does not hold up the others.
 * @param onWritten called for each after its commit, in the order of its room.
 */
export function createMessageWriter(onWritten: (db: TenantQueries, message: MessageRecord) => void) {
  const told =
    <Result extends MessageRecord | AppendRefusal | undefined>(
      write: (additions: Additions) => Promise<Result[] | null>,
    ) =>
    async (additions: Additions) => {
      const results = await write(additions);
      const [{ db }] = additions;
      for (const result of results ?? []) if (typeof result === 'object') onWritten(db, result);
      return results;
    };
  const addTogether = commitTogether<Addition, MessageRecord | AppendRefusal>({
    across: told(addAcross),
    within: told(addWithin),
  });
  return (db: TenantQueries, roomId: string, draft: MessageDraft): Promise<MessageRecord | AppendRefusal> =>
    addTogether(db.tenantId, roomId, { db, roomId, draft });
}

/** Adds what nothing stands in the way of, in whichever rooms of a tenant it is. */
async function addAcross(additions: Additions): Promise<(MessageRecord | undefined)[] | null> {
  const [{ db }] = additions;
  try {
    return await insertAcross(db, additions, new Set());
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
  }
  // One of them undid them all. Where it was a nonce, the others go without those that are known.
  try {
    return await insertAcross(db, additions, await findKnown(db, additions));
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    return null;
  }
}

async function insertAcross(db: TenantQueries, additions: Additions, known: ReadonlySet<string>) {
  const rows = await db.query(insertAcrossRooms, draftsParam(additions, known));
  const byId = new Map(rows.map((row) => [row.id, row]));
  return additions.map((addition) => {
    const added = byId.get(addition.draft.id);
    return added && toRecord(addition, added);
  });
}

/** Adds to one room, of which it takes the lock when it gets it; and tells what stands in the way. */
async function addWithin(additions: Additions): Promise<(MessageRecord | AppendRefusal)[] | null> {
  const [{ db, roomId }] = additions;
  try {
    const drafts = additions.map(({ draft }) => draft);
    const messages = await db.query(insertMessages, ...insertParams(roomId, drafts));
    if (messages.length === 0) return drafts.map(() => 'room closed' as const);
    return messages;
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    // One of them undid them all: each by itself tells which.
    if (additions.length > 1) return null;
    if (error.kind === 'not null') return ['not a member'];
    if (error.kind === 'unique') return ['nonce taken'];
    if (error.constraint === replyKey) return ['reply target gone'];
    throw error;
  }
}

/** The ids of the drafts whose nonce a message has already. */
async function findKnown(db: TenantQueries, additions: Additions): Promise<ReadonlySet<string>> {
  const withNonce = additions.filter(({ draft }) => draft.nonce !== null);
  const rows = await db.query(
    knownNonces,
    withNonce.map(({ draft }) => draft.id),
    withNonce.map(({ roomId }) => roomId),
    withNonce.map(({ draft }) => draft.authorId),
    withNonce.map(({ draft }) => draft.nonce),
  );
  return new Set(rows.map((row) => row.id));
}

/**
 * The drafts as rows, but for the known ones, and of those with the same nonce only the first. They are one parameter,
 * for which PostgreSQL keeps one plan whatever their number.
 */
function draftsParam(additions: Additions, known: ReadonlySet<string>): string {
  const taken = new Set<string>();
  const rows: object[] = [];
  for (const [place, { roomId, draft }] of additions.entries()) {
    const { id, authorId, kind, body, nonce, replyToId, mentionsRoom, mentionedIds } = draft;
    const key = nonce === null ? id : `${roomId}:${authorId}:${nonce}`;
    if (known.has(id) || taken.has(key)) continue;
    taken.add(key);
    const mentioned = mentionedIds.length > 0 ? { mentioned: mentionedIds } : {};
    rows.push({ place, roomId, id, authorId, kind, body, nonce, replyToId, mentionsRoom, ...mentioned });
  }
  return JSON.stringify(rows);
}

interface Added {
  readonly id: string;
  readonly seq: bigint;
  readonly createdAt: Date;
}

/** The row that was written for an addition. */
function toRecord({ db, roomId, draft }: Addition, { seq, createdAt }: Added): MessageRecord {
  const { id, authorId, kind, body, nonce, replyToId, mentionsRoom } = draft;
  return {
    tenantId: db.tenantId,
    id,
    roomId,
    seq,
    kind,
    systemEvent: null,
    authorId,
    body,
    nonce,
    replyToId,
    mentionsRoom,
    createdAt,
    editedAt: null,
    deletedAt: null,
    purgeId: null,
  };
}

function insertParams(roomId: string, drafts: readonly MessageDraft[]) {
  const mentions = drafts.flatMap((draft) => draft.mentionedIds.map((actorId) => [draft.id, actorId] as const));
  return [
    roomId,
    drafts.map((draft) => draft.id),
    drafts.map((draft) => draft.authorId),
    drafts.map((draft) => draft.kind),
    drafts.map((draft) => draft.body),
    drafts.map((draft) => draft.nonce),
    drafts.map((draft) => draft.replyToId),
    drafts.map((draft) => draft.mentionsRoom),
    mentions.map(([messageId]) => messageId),
    mentions.map(([, actorId]) => actorId),
    drafts.length,
  ] as const;
}

const knownNonces = sql<{ id: string }>(
  'messageWriter.knownNonces',
  `SELECT draft.id FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::text[]) AS draft(id, room_id, author_id, nonce)
   JOIN messages m ON m.tenant_id = $1 AND m.room_id = draft.room_id AND m.author_id = draft.author_id
     AND m.nonce = draft.nonce`,
);

// Locks what rooms it gets without waiting: it holds many, so it must not stand in a queue for any, and two of these
// never wait for each other. It leaves out the drafts of rooms that are locked or closed, and those whose author is not
// a member, which the update of the author's row tells, for it sees the newest. A nonce that exists breaks its unique
// index, and with it the whole statement.
// The plan has to stay right while the tables grow and their statistics are old: LATERAL is always a lookup by key, and
// behind a LIMIT that it cannot see through the planner expects some ten drafts, where it would expect a hundred, and
// would read all members for one.
const insertAcrossRooms = sql<Added>(
  'messageWriter.insertAcrossRooms',
  `WITH draft AS MATERIALIZED (
     SELECT place, "roomId" AS room_id, id, "authorId" AS author_id, kind, body, nonce, "replyToId" AS reply_to_id,
       "mentionsRoom" AS mentions_room, mentioned
     FROM json_to_recordset($2::json) AS d(place int, "roomId" uuid, id uuid, "authorId" uuid, kind text, body text,
       nonce text, "replyToId" uuid, "mentionsRoom" boolean, mentioned uuid[])
     LIMIT (SELECT 1000)
   ), room AS MATERIALIZED (
     SELECT room.id FROM (SELECT DISTINCT room_id FROM draft) AS wanted CROSS JOIN LATERAL (
       SELECT id FROM rooms WHERE tenant_id = $1 AND id = wanted.room_id AND archived_at IS NULL
       FOR NO KEY UPDATE SKIP LOCKED
     ) AS room
   ), author AS (
     UPDATE members SET read_count = read_count + sent.count
     FROM (
       SELECT draft.room_id, author_id, count(*) FROM draft JOIN room ON room.id = draft.room_id
       GROUP BY draft.room_id, author_id
     ) AS sent
     WHERE tenant_id = $1 AND members.room_id = sent.room_id AND actor_id = sent.author_id
     RETURNING members.room_id, actor_id
   ), advanced AS (
     UPDATE rooms SET version = version + sent.count, message_count = message_count + sent.count,
       last_message_seq = version + sent.count, xid = pg_current_xact_id(),
       last_activity_at = greatest(last_activity_at, clock_timestamp())
     FROM (
       SELECT draft.room_id, count(*), array_agg(place ORDER BY place) AS places
       FROM draft JOIN author ON author.room_id = draft.room_id AND author.actor_id = draft.author_id
       GROUP BY draft.room_id
     ) AS sent
     WHERE tenant_id = $1 AND id = sent.room_id
     RETURNING version - sent.count AS base, last_activity_at, sent.places
   ), accepted AS MATERIALIZED (
     SELECT draft.*, base + step AS seq, last_activity_at AS created_at
     FROM advanced CROSS JOIN unnest(places) WITH ORDINALITY AS taken(place, step) JOIN draft USING (place)
   ), mention AS (
     INSERT INTO mentions (tenant_id, message_id, actor_id)
     SELECT $1, id, unnest(mentioned) FROM accepted WHERE mentioned IS NOT NULL
   )
   INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, nonce, reply_to_id, mentions_room, created_at)
   SELECT $1, id, room_id, seq, kind::message_kind, author_id, body, nonce, reply_to_id, mentions_room, created_at
   FROM accepted
   RETURNING id, seq, created_at AS "createdAt"`,
);

// An author who is not a member (any more) leaves author_id null, which breaks the not-null constraint and so undoes the
// whole statement: no version is used up, and the check is made under the room's lock. A nonce that exists breaks its
// unique index in the same way.
const insertMessages = sql<MessageRecord>(
  'messageWriter.insertMessages',
  `WITH draft AS (
     SELECT * FROM unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[], $9::boolean[])
       WITH ORDINALITY AS d(id, author_id, kind, body, nonce, reply_to_id, mentions_room, place)
   ), room AS (
     UPDATE rooms SET version = version + $12, message_count = message_count + $12, last_message_seq = version + $12, xid = pg_current_xact_id(),
       last_activity_at = greatest(last_activity_at, clock_timestamp())
     WHERE tenant_id = $1 AND id = $2 AND archived_at IS NULL
     RETURNING version - $12 AS base, last_activity_at
   ), author AS (
     UPDATE members SET read_count = read_count + sent.count
     FROM (SELECT author_id, count(*) FROM draft GROUP BY author_id) AS sent, room
     WHERE tenant_id = $1 AND room_id = $2 AND actor_id = sent.author_id
     RETURNING actor_id
   ), mention AS (
     INSERT INTO mentions (tenant_id, message_id, actor_id)
     SELECT $1, message_id, actor_id FROM unnest($10::uuid[], $11::uuid[]) AS t(message_id, actor_id), room
   ), added AS (
     INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, nonce, reply_to_id, mentions_room, created_at)
     SELECT $1, draft.id, $2, room.base + draft.place, draft.kind::message_kind, author.actor_id, draft.body, draft.nonce,
       draft.reply_to_id, draft.mentions_room, room.last_activity_at
     FROM room CROSS JOIN draft LEFT JOIN author ON author.actor_id = draft.author_id
     RETURNING *
   )
   SELECT ${messageColumns('added')} FROM added ORDER BY seq`,
);
