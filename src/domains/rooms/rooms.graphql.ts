import type { PageArgs } from '../../db/pages.ts';
import { roomPosition } from '../../events/position.ts';
import { builder } from '../../graphql/builder.ts';
import { connectionOf } from '../../graphql/connections.ts';
import { type Context, callerOf } from '../../graphql/context.ts';
import { defineLoader, definePageLoader } from '../../graphql/loaders.ts';
import { asksInPage, defineLookAhead } from '../../graphql/lookAhead.ts';
import { registerNode } from '../../graphql/nodes.ts';
import { viewerDependent } from '../../graphql/viewerDependent.ts';
import { parseId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { countMembers, listMembers, memberCursor } from './membership.service.ts';
import { permissionsIn } from './rooms.access.ts';
import { roomRules } from './rooms.rules.ts';
import { listRooms, loadRooms, loadRoomsShown, type RoomView, roomCursor, unreadCount } from './rooms.service.ts';

/** Rooms with the viewer's membership; null where the viewer cannot see the room. */
const roomLoader = defineLoader<string, RoomView | null>(loadRooms);

/** The room of something that the viewer is shown. */
export const shownRoomLoader = defineLoader(loadRoomsShown);

/** The room as the viewer has it, where it is known to be visible. */
export async function viewOf(context: Context, roomId: string): Promise<RoomView | null> {
  return roomLoader(context).load(roomId);
}

/** How the viewer has a room that was read for this viewer: what its fields ask for is there, and as old as the room. */
const viewIt = Symbol('view');
type ShownRoom = RoomView['room'] & { [viewIt]?: RoomView };

// On the room itself: a WeakMap costs a list of fifty rooms a tenth of its time, most of it when garbage is collected.
function roomOf(view: RoomView): ShownRoom {
  const room: ShownRoom = view.room;
  room[viewIt] = view;
  return room;
}

/** Calls `use` with the room as the viewer has it: at once, and not with a promise, where that was read with the room. */
export function withView<T>(
  context: Context,
  room: ShownRoom,
  use: (view: RoomView | null) => T | Promise<T>,
): T | Promise<T> {
  const view = room[viewIt];
  return view ? use(view) : viewOf(context, room.id).then(use);
}

/** What the fields of a room load by its id. */
export const roomLookAhead = defineLookAhead<string>();

export const RoomKind = builder.enumType('RoomKind', {
  description: 'What a room is for.',
  values: {
    DIRECT: { description: 'Two people; one room for each two, for good.' },
    GROUP: { description: 'Seen by its members only; members add others.' },
    CHANNEL: { description: 'Listed for everybody in the tenant, and open to join.' },
    CONVERSATION: { description: 'With a contact: the inbox side.' },
  } as const,
});

export const RoomRole = builder.enumType('RoomRole', {
  description: 'What a member is in a room; adds to what the role in the tenant allows.',
  values: {
    OWNER: { description: 'Changes roles and archives, besides what a moderator does.' },
    MODERATOR: { description: "Adds and removes members, names the room, deletes others' messages." },
    MEMBER: { description: 'Reads and writes.' },
  } as const,
});

const Member = builder.prismaObject('Member', {
  description: 'Somebody in a room.',
  fields: (t) => ({
    actor: t.field({
      type: Actor,
      description: 'Who it is.',
      resolve: (member, _args, context) => loadActor(context, member.actorId),
    }),
    role: t.expose('role', { type: RoomRole, description: 'The role in this room.' }),
    joinedAt: t.expose('joinedAt', { type: 'DateTime', description: 'Since when.' }),
    lastReadAt: t.expose('lastReadAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the read marker last moved; null if it never has.',
    }),
    readCursor: t.string({
      description: 'Where the read marker stands: what is before it, or at it, has been read.',
      resolve: (member) => roomPosition(member.roomId, member.lastReadSeq),
    }),
    muted: t.boolean({
      nullable: true,
      extensions: viewerDependent,
      description: "Whether the viewer has muted the room; null in others' memberships.",
      resolve: (member, _args, context) => (member.actorId === callerOf(context).actor.id ? member.muted : null),
    }),
  }),
});

const memberPages = definePageLoader(listMembers);
const memberCounts = defineLoader<string, number>(countMembers);

export const Room = builder.prismaNode('Room', {
  description: 'An ordered timeline with members.',
  id: { resolve: (room) => room.id },
  findUnique: (id, context) => ({ tenantId_id: { tenantId: callerOf(context).actor.tenantId, id } }),
  fields: (t) => ({
    kind: t.expose('kind', { type: RoomKind, description: 'What the room is for.' }),
    name: t.exposeString('name', {
      nullable: true,
      description: "Its name; null for a direct room, which is shown by the other member's name.",
    }),
    topic: t.exposeString('topic', { nullable: true, description: 'What it is about; null if nobody has said.' }),
    creator: t.relation('creator', { nullable: true, type: Actor, description: 'Who created it; null if not known.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was created.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When name, topic or archiving last changed.' }),
    archivedAt: t.expose('archivedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when it is archived; null for an active room.',
    }),
    lastActivityAt: t.expose('lastActivityAt', {
      type: 'DateTime',
      description: 'When the last message came: rooms are listed by it.',
    }),
    cursor: t.string({
      description: 'Where the room stood when it was read: a subscription `after` it gives everything since.',
      resolve: (room) => roomPosition(room.id, room.version),
    }),
    viewerMember: t.field({
      type: Member,
      nullable: true,
      extensions: viewerDependent,
      description: "The viewer's own membership; null in a channel that the viewer has not joined.",
      resolve: (room, _args, context) => withView(context, room, (view) => view?.member ?? null),
    }),
    unreadCount: t.int({
      extensions: viewerDependent,
      description: "Messages by others that the viewer has not read: not deleted ones, nor the system's reports.",
      resolve: (room, _args, context) => withView(context, room, (view) => (view ? unreadCount(view) : 0)),
    }),
    viewerPermissions: t.stringList({
      extensions: viewerDependent,
      description: 'What the viewer may do in this room, as `resource:action`; `Viewer.permissions` has the rest.',
      resolve: (room, _args, context) =>
        withView(context, room, (view) => (view ? permissionsIn(callerOf(context), view) : [])),
    }),
    memberCount: t.int({
      description: 'How many members it has.',
      resolve: (room, _args, context) => memberCounts(context).load(room.id),
    }),
    members: t.connection(
      {
        type: Member,
        description: 'Its members, in the order of joining.',
        resolve: async (room, args, context) =>
          connectionOf(await memberPages(context, args).load(room.id), memberCursor),
      },
      { name: 'RoomMembersConnection', description: 'A page of members.' },
      { name: 'RoomMembersEdge', description: 'A member in a page.' },
    ),
  }),
});

roomLookAhead.on<PageArgs>('members', (context, id, args) => memberPages(context, args).load(id));

registerNode('Room', async (context, id) => (await viewOf(context, id))?.room ?? null);

const RoomList = builder.enumType('RoomList', {
  description: 'Which rooms to list.',
  values: {
    OWN: { description: 'Those in which the viewer is a member.' },
    CHANNELS: { description: 'All channels of the tenant, joined or not.' },
  } as const,
});

builder.queryFields((t) => ({
  room: t.field({
    type: Room,
    nullable: true,
    access: roomRules.read,
    description: 'A room by its id; null if it does not exist, or not for the viewer.',
    args: { id: t.arg.id({ required: true, description: 'The id of the room.' }) },
    resolve: async (_root, args, context, info) => {
      const id = parseId('Room', args.id, 'id');
      const asked = viewOf(context, id);
      roomLookAhead.begin(context, info, id);
      const view = await asked;
      return view && roomOf(view);
    },
  }),
  rooms: t.connection(
    {
      type: Room,
      access: roomRules.list,
      description: 'Rooms by last activity, the latest first.',
      args: {
        list: t.arg({ type: RoomList, defaultValue: 'OWN', required: true, description: 'Which rooms.' }),
        includeArchived: t.arg.boolean({
          defaultValue: false,
          required: true,
          description: 'Whether archived rooms are listed too.',
        }),
      },
      resolve: async (_root, { list, includeArchived, ...args }, context, info) => {
        const previews = asksInPage(info, 'lastMessage');
        const page = await listRooms(callerOf(context), { list, includeArchived, previews }, args);
        return connectionOf({ ...page, rows: page.rows.map(roomOf) }, roomCursor);
      },
    },
    { name: 'RoomConnection', description: 'A page of rooms.' },
    { name: 'RoomEdge', description: 'A room in a page.' },
  ),
}));
