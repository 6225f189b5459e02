import { messageColumns } from '../db/columns.ts';
import type { PurgeMode, RoomChangeKind, SystemEvent } from '../db/generated/client.ts';
import { sql, type TenantQueries, type TenantTransaction } from '../db/sql.ts';
import { newId } from '../kernel/ids.ts';
import type { Bus } from './bus.ts';
import { actorChannel, type MessageRecord, type RoomEvent, type RoomHint, roomChannel } from './catalogue.ts';
import { encodeHint } from './hints.ts';
import { type AppendRefusal, createMessageWriter, type MessageDraft } from './messageWriter.ts';

type RoomChange =
  | { readonly kind: 'MESSAGE_EDITED' | 'MESSAGE_DELETED'; readonly actorId: string; readonly message: MessageRecord }
  | {
      readonly kind: 'MEMBER_ADDED' | 'MEMBER_UPDATED' | 'MEMBER_REMOVED';
      readonly actorId: string;
      readonly memberId: string;
    }
  | { readonly kind: 'ROOM_UPDATED'; readonly actorId: string }
  | {
      readonly kind: 'MESSAGES_PURGED';
      readonly actorId: string | null;
      readonly before: Date;
      readonly mode: PurgeMode;
      readonly complete: boolean;
    }
  | { readonly kind: 'MESSAGES_RESTORED'; readonly actorId: string | null; readonly before: Date }
  | { readonly kind: 'MESSAGE_REMOVED'; readonly actorId: string; readonly messageId: string };

/**
 * The room's log: the only place where a room's version advances, and from which events are announced. Each append
 * takes the room's row lock by its UPDATE and holds it until the commit, so versions are taken and become visible in
 * one order, without gaps. Announcements go out after the commit and carry the whole event.
 */
export interface RoomLog {
  /** Adds a message, and counts it as read for its author. What comes to a room at once is committed together. */
  addMessage(db: TenantQueries, roomId: string, draft: MessageDraft): Promise<MessageRecord | AppendRefusal>;
  /** Adds a message of kind SYSTEM: it is never unread and does not change the preview. */
  addSystemMessage(
    tx: TenantTransaction,
    roomId: string,
    system: { readonly authorId: string; readonly event: SystemEvent; readonly body: string },
  ): Promise<MessageRecord>;
  /** Records a change that the transaction makes, and gives the version of it. */
  addChange(tx: TenantTransaction, roomId: string, change: RoomChange): Promise<bigint>;
  /** Tells the room's listeners of something that is not in the log. */
  announce(tenantId: string, hint: RoomHint): void;
}

export function createRoomLog(bus: Bus): RoomLog {
  function announce(tenantId: string, hint: RoomHint): void {
    bus.publish(roomChannel(tenantId, hint.roomId), encodeHint(hint));
  }

  function announceAfter(db: TenantQueries | TenantTransaction, event: RoomEvent): void {
    if ('afterCommit' in db) db.afterCommit(() => announce(db.tenantId, event));
    else announce(db.tenantId, event);
  }

  function announceMessage(db: TenantQueries, message: MessageRecord): void {
    const { roomId, seq: version, authorId: actorId } = message;
    announceAfter(db, { type: 'MESSAGE_ADDED', roomId, version, actorId, message });
  }

  return {
    announce,
    addMessage: createMessageWriter(announceMessage),
    async addSystemMessage(tx, roomId, { authorId, event, body }) {
      const [message] = await tx.query(insertSystemMessage, roomId, newId(), authorId, event, body);
      if (!message) throw new Error('the room of a system message has to be locked before');
      announceMessage(tx, message);
      return message;
    },
    async addChange(tx, roomId, change) {
      const [row] = await tx.query(insertChange, roomId, change.kind, change.actorId, ...detailsOf(change));
      if (!row) throw new Error('the room of a change has to be locked before');
      announceAfter(tx, toEvent(change, roomId, row.version));
      if (change.kind === 'MEMBER_ADDED' || change.kind === 'MEMBER_REMOVED') {
        const channel = actorChannel(tx.tenantId, change.memberId);
        tx.afterCommit(() => bus.publish(channel, change.kind));
      }
      return row.version;
    },
  };
}

function detailsOf(change: RoomChange) {
  const messageId = 'message' in change ? change.message.id : 'messageId' in change ? change.messageId : null;
  const memberId = 'memberId' in change ? change.memberId : null;
  const before = 'before' in change ? change.before : null;
  const mode = 'mode' in change ? change.mode : null;
  const complete = 'complete' in change ? change.complete : null;
  return [messageId, memberId, before, mode, complete] as const;
}

function toEvent(change: RoomChange, roomId: string, version: bigint): RoomEvent {
  const { kind: type, ...rest } = change;
  return { type, roomId, version, ...rest } as RoomEvent;
}

const insertSystemMessage = sql<MessageRecord>(
  'roomLog.insertSystemMessage',
  `WITH room AS (
     UPDATE rooms SET version = version + 1, xid = pg_current_xact_id(),
       last_activity_at = greatest(last_activity_at, clock_timestamp())
     WHERE tenant_id = $1 AND id = $2
     RETURNING version, last_activity_at
   ), added AS (
     INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, system_event, body, created_at)
     SELECT $1, $3, $2, version, 'SYSTEM', $4, $5::system_event, $6, last_activity_at FROM room
     RETURNING *
   )
   SELECT ${messageColumns('added')} FROM added`,
);

const insertChange = sql<{ version: bigint }>(
  'roomLog.insertChange',
  `WITH room AS (
     UPDATE rooms SET version = version + 1, xid = pg_current_xact_id() WHERE tenant_id = $1 AND id = $2 RETURNING version
   )
   INSERT INTO room_changes (tenant_id, room_id, version, kind, actor_id, message_id, member_id, purge_before, purge_mode,
     purge_complete, created_at)
   SELECT $1, $2, version, $3::room_change_kind, $4, $5, $6, $7, $8::purge_mode, $9, clock_timestamp() FROM room
   RETURNING version`,
);

type LogRow = MessageRecord & {
  readonly version: bigint;
  readonly type: 'MESSAGE_ADDED' | RoomChangeKind;
  readonly actorId: string | null;
  readonly messageId: string | null;
  readonly memberId: string | null;
  readonly before: Date | null;
  readonly mode: PurgeMode | null;
  readonly complete: boolean | null;
};

const logPage = sql<LogRow>(
  'roomLog.page',
  `SELECT entry.version, entry.type, entry.actor_id AS "actorId", entry.message_id AS "messageId",
     entry.member_id AS "memberId", entry.purge_before AS before, entry.purge_mode AS mode,
     entry.purge_complete AS complete, ${messageColumns('m')}
   FROM (
     (SELECT seq AS version, 'MESSAGE_ADDED' AS type, author_id AS actor_id, id AS message_id, NULL::uuid AS member_id,
        NULL::timestamptz AS purge_before, NULL::purge_mode AS purge_mode, NULL::boolean AS purge_complete
      FROM messages WHERE tenant_id = $1 AND room_id = $2 AND seq > $3 ORDER BY seq LIMIT $4)
     UNION ALL
     (SELECT version, kind::text, actor_id, message_id, member_id, purge_before, purge_mode, purge_complete
      FROM room_changes WHERE tenant_id = $1 AND room_id = $2 AND version > $3 ORDER BY version LIMIT $4)
   ) AS entry
   LEFT JOIN messages m ON m.tenant_id = $1 AND m.id = entry.message_id
   ORDER BY entry.version LIMIT $4`,
);

/**
 * The room's log after a version, oldest first. An entry shows its message as it is now; where the message has been
 * removed for good, its entry is left out.
 */
export async function readRoomLog(db: TenantQueries, roomId: string, after: bigint, limit: number) {
  const rows = await db.query(logPage, roomId, after, limit);
  return {
    events: rows.map((row) => rowToEvent(roomId, row)).filter((event) => event !== null),
    /** The last version that the page covers; null for an empty one. */
    last: rows.at(-1)?.version ?? null,
    /** Whether the log ends here. */
    complete: rows.length < limit,
  };
}

function rowToEvent(roomId: string, row: LogRow): RoomEvent | null {
  const { version, type, actorId, messageId, memberId, before, mode, complete, ...message } = row;
  const governed = { roomId, version, actorId };
  switch (type) {
    case 'MESSAGES_PURGED':
      return before && mode && complete !== null ? { type, ...governed, before, mode, complete } : null;
    case 'MESSAGES_RESTORED':
      return before ? { type, ...governed, before } : null;
    case 'MESSAGE_REMOVED':
      return messageId ? { type, ...governed, messageId } : null;
  }
  if (actorId === null) return null;
  const durable = { roomId, version, actorId };
  switch (type) {
    case 'MESSAGE_ADDED':
    case 'MESSAGE_EDITED':
    case 'MESSAGE_DELETED':
      return message.id ? { type, ...durable, message } : null;
    case 'MEMBER_ADDED':
    case 'MEMBER_UPDATED':
    case 'MEMBER_REMOVED':
      return memberId ? { type, ...durable, memberId } : null;
    case 'ROOM_UPDATED':
      return { type, ...durable };
    // Of a newer version of Prosa, which runs beside this one: what it does not know it passes over.
    default:
      return null;
  }
}
