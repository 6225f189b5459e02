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

/** The bus channel on which an actor's processes hear that the actor joined or left a room. */
export function actorChannel(tenantId: string, actorId: string): string {
  return `actor:${tenantId}:${actorId}`;
}

/** The bus channel of a room. */
export function roomChannel(tenantId: string, roomId: string): string {
  return `room:${tenantId}:${roomId}`;
}
