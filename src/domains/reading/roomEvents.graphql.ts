import type { MemberEvent, ReadEvent, RoomUpdatedEvent } from '../../events/catalogue.ts';
import type { Delivered } from '../../events/delivered.ts';
import { roomPosition } from '../../events/position.ts';
import { builder } from '../../graphql/builder.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import {
  followArgs,
  following,
  MessageAdded,
  MessageDeleted,
  MessageEdited,
  ResyncRequired,
} from '../messages/messageEvents.graphql.ts';
import { messageRules } from '../messages/messages.rules.ts';
import { MessageRemoved, MessagesPurged, MessagesRestored } from '../messages/purgeEvents.graphql.ts';
import { RoomChange } from '../messages/roomChange.graphql.ts';
import { Room, shownRoomLoader } from '../rooms/rooms.graphql.ts';

function memberEvent(name: string, description: string) {
  return builder.objectRef<MemberEvent & { readonly cursor: string }>(name).implement({
    description,
    interfaces: [RoomChange],
    fields: (t) => ({
      member: t.field({
        type: Actor,
        description: 'Whom it is about.',
        resolve: (event, _args, context) => loadActor(context, event.memberId),
      }),
      by: t.field({
        type: Actor,
        description: 'Who did it.',
        resolve: (event, _args, context) => loadActor(context, event.actorId),
      }),
    }),
  });
}

const MemberAdded = memberEvent('MemberAdded', 'Somebody became a member.');
const MemberUpdated = memberEvent('MemberUpdated', "A member's role changed: read it from `Room.members`.");
const MemberRemoved = memberEvent('MemberRemoved', 'Somebody is no longer a member.');

const RoomUpdated = builder.objectRef<RoomUpdatedEvent & { readonly cursor: string }>('RoomUpdated').implement({
  description: 'Name, topic or archiving of the room changed.',
  interfaces: [RoomChange],
});

const ReadMarkerMoved = builder.objectRef<ReadEvent>('ReadMarkerMoved').implement({
  description:
    'A member has read further. This is state, not a durable change: it has no cursor of its own and is not replayed; `Room.members` has all markers.',
  fields: (t) => ({
    room: t.field({
      type: Room,
      description: 'Where it happened.',
      resolve: ({ roomId }, _args, context) => shownRoomLoader(context).load(roomId),
    }),
    member: t.field({
      type: Actor,
      description: 'Who has read.',
      resolve: (event, _args, context) => loadActor(context, event.actorId),
    }),
    readCursor: t.string({
      description: 'Where the marker stands now.',
      resolve: ({ roomId, lastReadSeq }) => roomPosition(roomId, lastReadSeq),
    }),
    readAt: t.expose('lastReadAt', { type: 'DateTime', description: 'When it moved.' }),
  }),
});

const typeNames = {
  MESSAGE_ADDED: MessageAdded,
  MESSAGE_EDITED: MessageEdited,
  MESSAGE_DELETED: MessageDeleted,
  MEMBER_ADDED: MemberAdded,
  MEMBER_UPDATED: MemberUpdated,
  MEMBER_REMOVED: MemberRemoved,
  ROOM_UPDATED: RoomUpdated,
  MESSAGES_PURGED: MessagesPurged,
  MESSAGES_RESTORED: MessagesRestored,
  MESSAGE_REMOVED: MessageRemoved,
  READ: ReadMarkerMoved,
  RESYNC: ResyncRequired,
} as const satisfies Record<Delivered['type'], unknown>;

const RoomEvent = builder.unionType('RoomEvent', {
  description: 'What `roomEvents` gives: every durable change of the room, and read markers.',
  types: Object.values(typeNames),
  resolveType: (event) => typeNames[event.type],
});

builder.subscriptionField('roomEvents', (t) =>
  t.field({
    type: RoomEvent,
    access: messageRules.read,
    description: "Everything that happens in a room, or in all of the viewer's rooms, as it happens.",
    args: followArgs(t),
    subscribe: (_root, args, context) => following(args, context),
    resolve: (event) => event,
  }),
);
