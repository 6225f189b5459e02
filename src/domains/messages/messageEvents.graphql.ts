import type { MessageEvent } from '../../events/catalogue.ts';
import type { Delivered, Resync } from '../../events/delivered.ts';
import { filterMap } from '../../events/stream.ts';
import { builder } from '../../graphql/builder.ts';
import { type Context, callerOf } from '../../graphql/context.ts';
import { parseId } from '../../kernel/ids.ts';
import { Actor, loadActor, Viewer } from '../identity/identity.graphql.ts';
import { Room, shownRoomLoader } from '../rooms/rooms.graphql.ts';
import { follow, viewerCursor } from './following.service.ts';
import { Message } from './messages.graphql.ts';
import { messageRules } from './messages.rules.ts';
import { MessageRemoved, MessagesPurged, MessagesRestored } from './purgeEvents.graphql.ts';
import { RoomChange } from './roomChange.graphql.ts';

type DeliveredMessage = MessageEvent & { readonly cursor: string };
type ChangedMessage = DeliveredMessage & { readonly type: 'MESSAGE_EDITED' | 'MESSAGE_DELETED' };

const messageField = { type: Message, resolve: ({ message }: DeliveredMessage) => message } as const;

export const MessageAdded = builder.objectRef<DeliveredMessage>('MessageAdded').implement({
  description: 'A message was sent.',
  interfaces: [RoomChange],
  fields: (t) => ({ message: t.field({ ...messageField, description: 'The message.' }) }),
});

export const MessageEdited = builder.objectRef<ChangedMessage>('MessageEdited').implement({
  description: 'A message was edited.',
  interfaces: [RoomChange],
  fields: (t) => ({ message: t.field({ ...messageField, description: 'The message as it is now.' }) }),
});

export const MessageDeleted = builder.objectRef<ChangedMessage>('MessageDeleted').implement({
  description: 'A message was deleted.',
  interfaces: [RoomChange],
  fields: (t) => ({
    message: t.field({ ...messageField, description: 'The message, without its body.' }),
    deletedBy: t.field({
      type: Actor,
      description: 'Who deleted it.',
      resolve: (event, _args, context) => loadActor(context, event.actorId),
    }),
  }),
});

const ResyncReason = builder.enumType('ResyncReason', {
  description: 'Why not everything could be delivered.',
  values: {
    CURSOR_TOO_OLD: { description: 'The changes since the cursor are not kept any more.' },
    TOO_SLOW: { description: 'Too many events waited for this subscriber. The subscription ends; subscribe again.' },
  } as const,
});

export const ResyncRequired = builder.objectRef<Resync>('ResyncRequired').implement({
  description: 'Something may be missing here: read the room afresh, and go on from there.',
  fields: (t) => ({
    reason: t.field({ type: ResyncReason, description: 'Why.', resolve: ({ reason }) => reason }),
    cursor: t.exposeString('cursor', { description: 'What this subscription gives next comes after it.' }),
    room: t.field({
      type: Room,
      nullable: true,
      description: 'The room to read afresh; null for all of them.',
      resolve: async ({ roomId }, _args, context) => (roomId === null ? null : shownRoomLoader(context).load(roomId)),
    }),
  }),
});

const MessageAddedEvent = builder.unionType('MessageAddedEvent', {
  description: 'What `messageAdded` gives.',
  types: [MessageAdded, ResyncRequired],
  resolveType: (event) => (event.type === 'RESYNC' ? ResyncRequired : MessageAdded),
});

const changedTypes = {
  MESSAGE_EDITED: MessageEdited,
  MESSAGE_DELETED: MessageDeleted,
  MESSAGES_PURGED: MessagesPurged,
  MESSAGES_RESTORED: MessagesRestored,
  MESSAGE_REMOVED: MessageRemoved,
} as const;

type MessageChange =
  | ChangedMessage
  | Extract<Delivered, { type: 'MESSAGES_PURGED' | 'MESSAGES_RESTORED' | 'MESSAGE_REMOVED' }>;

const isMessageChange = (event: Delivered): event is MessageChange => Object.hasOwn(changedTypes, event.type);

const MessageChangedEvent = builder.unionType('MessageChangedEvent', {
  description: 'What `messageChanged` gives.',
  types: [...Object.values(changedTypes), ResyncRequired],
  resolveType: (event) => (event.type === 'RESYNC' ? ResyncRequired : changedTypes[event.type]),
});

type Types = typeof builder.$inferSchemaTypes;

/** The arguments of every subscription to rooms. */
export const followArgs = (t: PothosSchemaTypes.SubscriptionFieldBuilder<Types, Types['Root']>) => ({
  roomId: t.arg.id({
    description:
      "The room to follow, until the viewer may not read it any more or it is archived; left out, all of the viewer's, also those joined later.",
  }),
  after: t.arg.string({
    description:
      'Where to go on: the cursor of an event of this subscription, `Room.cursor` or a cursor of `Room.messages` for one room, `Viewer.cursor` for all. Everything since comes first. Left out, only what comes from now on.',
  }),
});

/** What a subscription's arguments ask for. */
export function following(
  args: { readonly roomId?: string | null | undefined; readonly after?: string | null | undefined },
  context: Context,
) {
  const roomId = args.roomId == null ? null : parseId('Room', args.roomId, 'roomId');
  return follow(callerOf(context), roomId, args.after ?? undefined);
}

const ifAdded = (event: Delivered) => (event.type === 'MESSAGE_ADDED' || event.type === 'RESYNC' ? event : undefined);
const ifChanged = (event: Delivered) => (isMessageChange(event) || event.type === 'RESYNC' ? event : undefined);

builder.subscriptionFields((t) => ({
  messageAdded: t.field({
    type: MessageAddedEvent,
    access: messageRules.read,
    description: "The messages of a room, or of all of the viewer's rooms, as they are sent.",
    args: followArgs(t),
    subscribe: async (_root, args, context) => filterMap(await following(args, context), ifAdded),
    resolve: (event) => event,
  }),
  messageChanged: t.field({
    type: MessageChangedEvent,
    access: messageRules.read,
    description:
      "The edits, deletions and purges of messages, of a room or of all of the viewer's rooms, as they happen.",
    args: followArgs(t),
    subscribe: async (_root, args, context) => filterMap(await following(args, context), ifChanged),
    resolve: (event) => event,
  }),
}));

builder.objectField(Viewer, 'cursor', (t) =>
  t.string({
    description:
      "Where all of the viewer's rooms stand now: ask for it before reading the rooms, and subscribe without a room `after` it.",
    resolve: (_viewer, _args, context) => viewerCursor(callerOf(context)),
  }),
);
