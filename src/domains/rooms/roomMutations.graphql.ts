import { builder } from '../../graphql/builder.ts';
import { type Context, callerOf } from '../../graphql/context.ts';
import {
  EntitlementError,
  LastOwnerError,
  NotFoundError,
  RoomArchivedError,
  RoomKindError,
  ValidationError,
} from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import type { Caller } from '../caller.ts';
import { addMembers, joinRoom, leaveRoom, muteRoom, removeMember, setMemberRole } from './membership.service.ts';
import { createRoom, openDirectRoom } from './opening.service.ts';
import { Room, RoomRole, viewOf } from './rooms.graphql.ts';
import { maxMembersAtOnce, maxNameLength, maxTopicLength, roomRules } from './rooms.rules.ts';
import { setArchived, updateRoom } from './rooms.service.ts';

type RoomPayload = { readonly roomId: string };

const people = ['User', 'ServiceAccount'] as const;
const parsePeople = (ids: readonly string[], field: string) => ids.map((id) => parseId(people, id, field));

/** The payload that these mutations share: the room as it is afterwards. */
const roomPayload = (description: string) => ({
  description,
  outputFields: (t: PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, RoomPayload>) => ({
    room: t.field({
      type: Room,
      nullable: true,
      description: 'The room afterwards; null if the viewer cannot see it any more.',
      resolve: async ({ roomId }, _args, context) => (await viewOf(context, roomId))?.room ?? null,
    }),
  }),
});

/** Runs a use case on the room that the input names. */
async function inRoom(
  context: Context,
  id: string,
  work: (caller: Caller, roomId: string) => Promise<void>,
): Promise<RoomPayload> {
  const roomId = parseId('Room', id, 'input.roomId');
  await work(callerOf(context), roomId);
  return { roomId };
}

const roomIdField = { required: true, description: 'The id of the room.' } as const;
const memberIdField = { required: true, description: 'The member: the id of a user or service account.' } as const;

builder.relayMutationField(
  'openDirectRoom',
  {
    description: 'With whom.',
    inputFields: (t) => ({
      userId: t.id({ required: true, description: 'The other side: a user or service account of the tenant.' }),
    }),
  },
  {
    access: roomRules.openDirect,
    description: "The viewer's direct room with somebody: the existing one, or a new one with both as members.",
    errors: { types: [ValidationError, NotFoundError, EntitlementError] },
    resolve: async (_root, { input }, context): Promise<RoomPayload> => ({
      roomId: await openDirectRoom(callerOf(context), parseId(people, input.userId, 'input.userId')),
    }),
  },
  roomPayload('The direct room.'),
);

const NewRoomKind = builder.enumType('NewRoomKind', {
  description: 'The kinds of room that are created by name. Direct rooms are opened.',
  values: {
    GROUP: { description: 'Seen by its members only.' },
    CHANNEL: { description: 'Listed for everybody in the tenant, and open to join.' },
  } as const,
});

builder.relayMutationField(
  'createRoom',
  {
    description: 'The new room.',
    inputFields: (t) => ({
      kind: t.field({ type: NewRoomKind, required: true, description: 'What the room is for.' }),
      name: t.string({ required: true, description: `One line of 1 to ${maxNameLength} characters.` }),
      topic: t.string({ description: `What it is about: up to ${maxTopicLength} characters.` }),
      memberIds: t.idList({ description: `Who else is a member from the start: up to ${maxMembersAtOnce}.` }),
    }),
  },
  {
    access: roomRules.create,
    description: 'Creates a group or channel, which the viewer then owns.',
    errors: { types: [ValidationError, NotFoundError, EntitlementError] },
    resolve: async (_root, { input }, context): Promise<RoomPayload> => ({
      roomId: await createRoom(callerOf(context), {
        kind: input.kind,
        name: input.name,
        topic: input.topic ?? undefined,
        memberIds: parsePeople(input.memberIds ?? [], 'input.memberIds'),
      }),
    }),
  },
  roomPayload('The room was created.'),
);

builder.relayMutationField(
  'updateRoom',
  {
    description: 'What to change; what is left out stays.',
    inputFields: (t) => ({
      roomId: t.id(roomIdField),
      name: t.string({ description: `One line of 1 to ${maxNameLength} characters.` }),
      topic: t.string({ description: `Up to ${maxTopicLength} characters; empty removes it.` }),
    }),
  },
  {
    access: roomRules.update,
    description: 'Changes the name or topic of a group or channel.',
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, RoomKindError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) =>
        updateRoom(caller, roomId, { name: input.name ?? undefined, topic: input.topic ?? undefined }),
      ),
  },
  roomPayload('The room was changed.'),
);

builder.relayMutationField(
  'archiveRoom',
  { description: 'Which room.', inputFields: (t) => ({ roomId: t.id(roomIdField) }) },
  {
    access: roomRules.archive,
    description: 'Archives a group or channel: from then on it can only be read. Twice changes nothing.',
    errors: { types: [ValidationError, NotFoundError, RoomKindError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) => setArchived(caller, roomId, true)),
  },
  roomPayload('The room is archived.'),
);

builder.relayMutationField(
  'unarchiveRoom',
  { description: 'Which room.', inputFields: (t) => ({ roomId: t.id(roomIdField) }) },
  {
    access: roomRules.archive,
    description: 'Brings an archived room back. Twice changes nothing.',
    errors: { types: [ValidationError, NotFoundError, RoomKindError, EntitlementError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) => setArchived(caller, roomId, false)),
  },
  roomPayload('The room is active.'),
);

builder.relayMutationField(
  'joinRoom',
  { description: 'Which channel.', inputFields: (t) => ({ roomId: t.id(roomIdField) }) },
  {
    access: roomRules.join,
    description: 'The viewer joins a channel; what is in it already counts as read. Twice changes nothing.',
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, RoomKindError, EntitlementError] },
    resolve: (_root, { input }, context) => inRoom(context, input.roomId, joinRoom),
  },
  roomPayload('The viewer is a member.'),
);

builder.relayMutationField(
  'leaveRoom',
  { description: 'Which room.', inputFields: (t) => ({ roomId: t.id(roomIdField) }) },
  {
    access: roomRules.leave,
    description: 'The viewer leaves a group or channel.',
    errors: { types: [ValidationError, NotFoundError, RoomKindError, LastOwnerError] },
    resolve: (_root, { input }, context) => inRoom(context, input.roomId, leaveRoom),
  },
  roomPayload('The viewer is no longer a member.'),
);

builder.relayMutationField(
  'addMembers',
  {
    description: 'Whom to add, and where.',
    inputFields: (t) => ({
      roomId: t.id(roomIdField),
      userIds: t.idList({ required: true, description: `Users or service accounts: up to ${maxMembersAtOnce}.` }),
    }),
  },
  {
    access: roomRules.addMembers,
    description: 'Adds people to a group or channel. Who is a member already stays as is.',
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, RoomKindError, EntitlementError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) =>
        addMembers(caller, roomId, parsePeople(input.userIds, 'input.userIds')),
      ),
  },
  roomPayload('They are members.'),
);

builder.relayMutationField(
  'removeMember',
  {
    description: 'Whom to remove, and where.',
    inputFields: (t) => ({ roomId: t.id(roomIdField), userId: t.id(memberIdField) }),
  },
  {
    access: roomRules.removeMember,
    description: 'Removes somebody from a group or channel: nothing of it reaches them any more.',
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, RoomKindError, LastOwnerError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) =>
        removeMember(caller, roomId, parseId(people, input.userId, 'input.userId')),
      ),
  },
  roomPayload('They are no longer a member.'),
);

builder.relayMutationField(
  'setMemberRole',
  {
    description: 'Whose role, and which.',
    inputFields: (t) => ({
      roomId: t.id(roomIdField),
      userId: t.id(memberIdField),
      role: t.field({ type: RoomRole, required: true, description: 'The role from now on.' }),
    }),
  },
  {
    access: roomRules.setMemberRole,
    description: "Changes a member's role in a group or channel.",
    errors: { types: [ValidationError, NotFoundError, RoomArchivedError, RoomKindError, LastOwnerError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) =>
        setMemberRole(caller, roomId, parseId(people, input.userId, 'input.userId'), input.role),
      ),
  },
  roomPayload('The role was changed.'),
);

builder.relayMutationField(
  'muteRoom',
  {
    description: 'Which room, and how.',
    inputFields: (t) => ({
      roomId: t.id(roomIdField),
      muted: t.boolean({ defaultValue: true, required: true, description: 'False lets it be heard again.' }),
    }),
  },
  {
    access: roomRules.mute,
    description: 'Mutes a room for the viewer: clients show its messages without alerting.',
    errors: { types: [ValidationError, NotFoundError] },
    resolve: (_root, { input }, context) =>
      inRoom(context, input.roomId, (caller, roomId) => muteRoom(caller, roomId, input.muted)),
  },
  roomPayload('The room is muted, or not any more.'),
);
