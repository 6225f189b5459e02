import type { MessageRemovedEvent, MessagesPurgedEvent, MessagesRestoredEvent } from '../../events/catalogue.ts';
import { builder } from '../../graphql/builder.ts';
import { encodeId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { RoomChange } from './roomChange.graphql.ts';

type Delivered<Event> = Event & { readonly cursor: string };

export const PurgeMode = builder.enumType('PurgeMode', {
  description: 'What a purge leaves of a message.',
  values: {
    SOFT: { description: 'Its place, without a body, as after `deleteMessage`. `undoPurge` brings it back.' },
    PERMANENT: { description: 'Nothing: not its place, its body, its edits, nor what soft deletion had kept of it.' },
  } as const,
});

const by = {
  type: Actor,
  nullable: true,
  description: 'Who did it; null for what Prosa did by itself, as retention does.',
} as const;

export const MessagesPurged = builder.objectRef<Delivered<MessagesPurgedEvent>>('MessagesPurged').implement({
  description:
    'The messages of the room sent before a time were purged. It comes once for a room, after the last of them; what a subscription replays leaves out what is gone by then.',
  interfaces: [RoomChange],
  fields: (t) => ({
    before: t.expose('before', {
      type: 'DateTime',
      description:
        'Drop what was sent before it, or (with SOFT) show it as deleted, and read the preview and unread count again.',
    }),
    mode: t.expose('mode', { type: PurgeMode, description: 'What is left of them.' }),
    complete: t.exposeBoolean('complete', {
      description:
        'False when the purge was stopped on its way through the room: of the messages before that time the later ones are still there; read them afresh.',
    }),
    by: t.field({ ...by, resolve: ({ actorId }, _args, context) => (actorId ? loadActor(context, actorId) : null) }),
  }),
});

export const MessagesRestored = builder.objectRef<Delivered<MessagesRestoredEvent>>('MessagesRestored').implement({
  description: 'What a purge had hidden of the messages sent before a time is back: read them afresh.',
  interfaces: [RoomChange],
  fields: (t) => ({
    before: t.expose('before', { type: 'DateTime', description: 'The time.' }),
    by: t.field({ ...by, resolve: ({ actorId }, _args, context) => (actorId ? loadActor(context, actorId) : null) }),
  }),
});

export const MessageRemoved = builder.objectRef<Delivered<MessageRemovedEvent>>('MessageRemoved').implement({
  description: 'A message was removed for good: drop it. Replies to it are replies no more.',
  interfaces: [RoomChange],
  fields: (t) => ({
    messageId: t.id({
      description: 'The id that it had; there is nothing behind it any more.',
      resolve: ({ messageId }) => encodeId('Message', messageId),
    }),
    by: t.field({ ...by, resolve: ({ actorId }, _args, context) => (actorId ? loadActor(context, actorId) : null) }),
  }),
});
