import type { MessageEvent } from '../../events/catalogue.ts';
import { filterMap } from '../../events/iterators.ts';
import type { Resync } from '../../events/live.ts';
import { roomPosition } from '../../events/position.ts';
import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { resetLoaders } from '../../graphql/loaders.ts';
import { parseId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { followRoom } from './following.service.ts';
import { Message } from './messages.graphql.ts';
import { messageRules } from './messages.rules.ts';

interface InRoom {
  readonly roomId: string;
  readonly version: bigint;
}

const cursorOf = ({ roomId, version }: InRoom) => roomPosition(roomId, version);

/** What every durable event has. */
export const RoomChange = builder.interfaceRef<InRoom>('RoomChange').implement({
  description: 'A durable change of a room: everybody who follows the room gets it once, in the same order.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Its place in the room: a subscription `after` it goes on with what comes next.',
      resolve: cursorOf,
    }),
  }),
});

const messageField = { type: Message, resolve: ({ message }: MessageEvent) => message } as const;

export const MessageAdded = builder.objectRef<MessageEvent>('MessageAdded').implement({
  description: 'A message was sent.',
  interfaces: [RoomChange],
  fields: (t) => ({ message: t.field({ ...messageField, description: 'The message.' }) }),
});

export const MessageEdited = builder.objectRef<MessageEvent>('MessageEdited').implement({
  description: 'A message was edited.',
  interfaces: [RoomChange],
  fields: (t) => ({ message: t.field({ ...messageField, description: 'The message as it is now.' }) }),
});

export const MessageDeleted = builder.objectRef<MessageEvent>('MessageDeleted').implement({
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
    cursor: t.string({
      description: 'What this subscription gives next comes after it.',
      resolve: ({ roomId, version }) => roomPosition(roomId, version),
    }),
  }),
});

const MessageAddedEvent = builder.unionType('MessageAddedEvent', {
  description: 'What `messageAdded` gives.',
  types: [MessageAdded, ResyncRequired],
  resolveType: (event) => (event.type === 'RESYNC' ? ResyncRequired : MessageAdded),
});

const MessageChangedEvent = builder.unionType('MessageChangedEvent', {
  description: 'What `messageChanged` gives.',
  types: [MessageEdited, MessageDeleted, ResyncRequired],
  resolveType: (event) => {
    if (event.type === 'RESYNC') return ResyncRequired;
    return event.type === 'MESSAGE_EDITED' ? MessageEdited : MessageDeleted;
  },
});

builder.subscriptionFields((t) => {
  const args = {
    roomId: t.arg.id({ required: true, description: 'The room to follow.' }),
    after: t.arg.string({
      description: 'A cursor of this room: everything since comes first. Left out, only what comes from now on.',
    }),
  };
  return {
    messageAdded: t.field({
      type: MessageAddedEvent,
      access: messageRules.read,
      description: 'The messages of a room as they are sent.',
      args,
      subscribe: async (_root, { roomId, after }, context) => {
        const events = await followRoom(callerOf(context), parseId('Room', roomId, 'roomId'), after ?? undefined);
        return filterMap(events, (event) =>
          event.type === 'MESSAGE_ADDED' || event.type === 'RESYNC' ? event : undefined,
        );
      },
      resolve: (event, _args, context) => {
        resetLoaders(context);
        return event;
      },
    }),
    messageChanged: t.field({
      type: MessageChangedEvent,
      access: messageRules.read,
      description: 'The edits and deletions of messages of a room as they happen.',
      args,
      subscribe: async (_root, { roomId, after }, context) => {
        const events = await followRoom(callerOf(context), parseId('Room', roomId, 'roomId'), after ?? undefined);
        return filterMap(events, (event) =>
          event.type === 'MESSAGE_EDITED' || event.type === 'MESSAGE_DELETED' || event.type === 'RESYNC'
            ? event
            : undefined,
        );
      },
      resolve: (event, _args, context) => {
        resetLoaders(context);
        return event;
      },
    }),
  };
});
