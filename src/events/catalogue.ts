import { z } from 'zod';
import type { Message, PurgeMode } from '../db/generated/client.ts';

/** A message as events and pages carry it: a row, of whose deleted body nothing is left. */
export type MessageRecord = Message;

interface Durable {
  readonly roomId: string;
  /** The room's version that this change made: its place in the room's order. */
  readonly version: bigint;
  /** Who made the change. */
  readonly actorId: string;
}

export type MessageEvent = Durable & {
  readonly type: 'MESSAGE_ADDED' | 'MESSAGE_EDITED' | 'MESSAGE_DELETED';
  readonly message: MessageRecord;
};

export type MemberEvent = Durable & {
  readonly type: 'MEMBER_ADDED' | 'MEMBER_UPDATED' | 'MEMBER_REMOVED';
  readonly memberId: string;
};

export type RoomUpdatedEvent = Durable & { readonly type: 'ROOM_UPDATED' };

/** The durable changes that Prosa may make by itself, as retention does: then there is no actor. */
type Governed = Omit<Durable, 'actorId'> & { readonly actorId: string | null };

/** The messages of the room sent before a time are gone: hidden, or removed for good. */
export type MessagesPurgedEvent = Governed & {
  readonly type: 'MESSAGES_PURGED';
  readonly before: Date;
  readonly mode: PurgeMode;
  /** False for a purge that was stopped on its way through the room: some of them are still there. */
  readonly complete: boolean;
};

/** What a purge hid of the messages sent before a time is back. */
export type MessagesRestoredEvent = Governed & { readonly type: 'MESSAGES_RESTORED'; readonly before: Date };

/** One message is removed for good. */
export type MessageRemovedEvent = Governed & { readonly type: 'MESSAGE_REMOVED'; readonly messageId: string };

/** A durable change: an entry of the room's log. */
export type RoomEvent =
  | MessageEvent
  | MemberEvent
  | RoomUpdatedEvent
  | MessagesPurgedEvent
  | MessagesRestoredEvent
  | MessageRemovedEvent;

/** A read marker moved. State, not history: it has no version, is not replayed, and the members' rows have the latest. */
export interface ReadEvent {
  readonly type: 'READ';
  readonly roomId: string;
  readonly actorId: string;
  readonly lastReadSeq: bigint;
  readonly lastReadAt: Date;
}

export type RoomHint = RoomEvent | ReadEvent;

const uuid = z.string();
const bigint = z.coerce.bigint();
const date = z.coerce.date();

const message = z.object({
  tenantId: uuid,
  id: uuid,
  roomId: uuid,
  seq: bigint,
  kind: z.enum(['TEXT', 'MENTION', 'FILE', 'SYSTEM']),
  systemEvent: z
    .enum([
      'MEMBER_JOINED',
      'MEMBER_LEFT',
      'MEMBER_ADDED',
      'MEMBER_REMOVED',
      'ROOM_RENAMED',
      'TOPIC_CHANGED',
      'ROOM_ARCHIVED',
      'ROOM_UNARCHIVED',
      'OTHER',
    ])
    .nullable(),
  authorId: uuid,
  body: z.string(),
  nonce: z.string().nullable(),
  replyToId: uuid.nullable(),
  mentionsRoom: z.boolean(),
  createdAt: date,
  editedAt: date.nullable(),
  deletedAt: date.nullable(),
  purgeId: uuid.nullable(),
}) satisfies z.ZodType<MessageRecord>;

const durable = { roomId: uuid, version: bigint, actorId: uuid };
const governed = { roomId: uuid, version: bigint, actorId: uuid.nullable() };

const hint = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['MESSAGE_ADDED', 'MESSAGE_EDITED', 'MESSAGE_DELETED']), ...durable, message }),
  z.object({ type: z.enum(['MEMBER_ADDED', 'MEMBER_UPDATED', 'MEMBER_REMOVED']), ...durable, memberId: uuid }),
  z.object({ type: z.literal('ROOM_UPDATED'), ...durable }),
  z.object({
    type: z.literal('MESSAGES_PURGED'),
    ...governed,
    before: date,
    mode: z.enum(['SOFT', 'PERMANENT']),
    complete: z.boolean(),
  }),
  z.object({ type: z.literal('MESSAGES_RESTORED'), ...governed, before: date }),
  z.object({ type: z.literal('MESSAGE_REMOVED'), ...governed, messageId: uuid }),
  z.object({ type: z.literal('READ'), roomId: uuid, actorId: uuid, lastReadSeq: bigint, lastReadAt: date }),
]);

/** The text that goes over the bus. */
export function encodeHint(value: RoomHint): string {
  // The most frequent ones without a call for each of their fields.
  if ('message' in value) {
    const { version, message } = value;
    return JSON.stringify({ ...value, version: `${version}`, message: { ...message, seq: `${message.seq}` } });
  }
  return JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? field.toString() : field));
}

/** @throws ZodError for text that no process of this version would have sent. */
export function decodeHint(text: string): RoomHint {
  return hint.parse(JSON.parse(text));
}

/** The bus channel on which an actor's processes hear that the actor joined or left a room. */
export function actorChannel(tenantId: string, actorId: string): string {
  return `actor:${tenantId}:${actorId}`;
}

/** The bus channel of a room. */
export function roomChannel(tenantId: string, roomId: string): string {
  return `room:${tenantId}:${roomId}`;
}
