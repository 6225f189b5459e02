import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import type { SystemEvent } from '../../db/generated/client.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import type { TenantTransaction } from '../../db/sql.ts';
import { RoomKindError, ValidationError } from '../../kernel/errors.ts';
import { parseText } from '../../kernel/text.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { addRoom } from './growth.service.ts';
import { type RoomsAsked, readRooms } from './roomLists.store.ts';
import { allowed, changeRoom } from './rooms.access.ts';
import { maxNameLength, maxTopicLength, roomRules } from './rooms.rules.ts';
import * as store from './rooms.store.ts';

export type { RoomView } from './rooms.store.ts';

/** The rooms with these ids in their order, each with the caller's membership; null for one that the caller cannot see. */
export async function loadRooms(caller: Caller, roomIds: readonly string[]): Promise<(store.RoomView | null)[]> {
  const views = await store.findRoomViews(caller.db, caller.actor.id, roomIds);
  const visible = new Map(
    views.filter((view) => allowed(caller, roomRules.read, view)).map((view) => [view.room.id, view]),
  );
  return roomIds.map((id) => visible.get(id) ?? null);
}

/**
 * The rooms with these ids, which something that the caller has been given belongs to: whoever is shown a message or an
 * event of a room is shown the room.
 */
export async function loadRoomsShown(caller: Caller, roomIds: readonly string[]): Promise<store.Room[]> {
  const rooms = new Map(
    (await store.findRoomViews(caller.db, caller.actor.id, roomIds)).map(({ room }) => [room.id, room]),
  );
  return roomIds.map((id) => {
    const room = rooms.get(id);
    if (!room) throw new Error('a foreign key points at no room');
    return room;
  });
}

/** The caller's rooms, or all channels of the tenant, by last activity. */
export async function listRooms(caller: Caller, asked: RoomsAsked, args: PageArgs): Promise<Page<store.RoomView>> {
  requireInTenant(caller.actor, roomRules.list);
  const request = parsePage(args, (cursor, field) => {
    const [time, id] = decodeCursor('rooms', ['time', 'uuid'], cursor, field);
    return { lastActivityAt: new Date(Number(time)), id };
  });
  return toPage(request, await readRooms(caller.db, caller.actor.id, asked, request));
}

export function roomCursor(room: store.Room): string {
  return encodeCursor('rooms', [room.lastActivityAt.getTime(), room.id]);
}

/** How many messages of the room the member has not read: arithmetic on two counters. */
export function unreadCount(view: store.RoomView): number {
  return view.member ? Number(view.room.messageCount - view.member.readCount) : 0;
}

/**
 * Changes the name or topic of a group or channel; what is undefined stays.
 * @throws ValidationError, NotFoundError, ForbiddenError, RoomArchivedError, RoomKindError
 */
export async function updateRoom(
  caller: Caller,
  roomId: string,
  changes: { readonly name?: string | undefined; readonly topic?: string | undefined },
): Promise<void> {
  const name = changes.name === undefined ? undefined : parseName(changes.name);
  const topic = changes.topic === undefined ? undefined : parseTopic(changes.topic) || null;
  await changeRoom(caller, roomRules.update, roomId, async (tx, { room }) => {
    if (room.kind === 'DIRECT') throw new RoomKindError(room.kind, 'naming');
    const next = { name: name ?? room.name, topic: topic === undefined ? room.topic : topic, archivedAt: null };
    if (next.name === room.name && next.topic === room.topic) return;
    await store.updateRoom(tx, roomId, next);
    await caller.roomLog.addChange(tx, roomId, { kind: 'ROOM_UPDATED', actorId: caller.actor.id });
    if (next.name !== room.name) {
      await report(caller, tx, roomId, 'ROOM_RENAMED', `renamed the room to ${next.name}`);
      const metadata = { from: room.name, to: next.name };
      caller.audit.record(tx, { action: 'room.rename', targetType: 'Room', targetId: roomId, metadata });
    }
    if (next.topic !== room.topic) {
      const what = next.topic === null ? 'removed the topic' : `set the topic to ${next.topic}`;
      await report(caller, tx, roomId, 'TOPIC_CHANGED', what);
    }
  });
}

/**
 * Archives a group or channel, or brings it back. Doing it twice changes nothing.
 * @throws NotFoundError, ForbiddenError, RoomKindError, EntitlementError (bringing it back)
 */
export async function setArchived(caller: Caller, roomId: string, archived: boolean): Promise<void> {
  const work = async (tx: TenantTransaction, { room }: store.RoomView) => {
    if (room.kind === 'DIRECT') throw new RoomKindError(room.kind, 'archiving');
    if ((room.archivedAt !== null) === archived) return;
    const save = () => store.updateRoom(tx, roomId, { ...room, archivedAt: archived ? new Date() : null });
    await (archived ? save() : addRoom(tx, room.kind, save));
    await caller.roomLog.addChange(tx, roomId, { kind: 'ROOM_UPDATED', actorId: caller.actor.id });
    const [event, verb, action] = archived
      ? (['ROOM_ARCHIVED', 'archived', 'room.archive'] as const)
      : (['ROOM_UNARCHIVED', 'unarchived', 'room.unarchive'] as const);
    await report(caller, tx, roomId, event, `${verb} the room`);
    const metadata = { name: room.name };
    caller.audit.record(tx, { action, targetType: 'Room', targetId: roomId, metadata });
  };
  await changeRoom(caller, roomRules.archive, roomId, work, { archivedToo: true });
}

/** Adds the message of kind SYSTEM that tells in the timeline what the caller did. */
export async function report(
  caller: Caller,
  tx: TenantTransaction,
  roomId: string,
  event: SystemEvent,
  body: string,
): Promise<void> {
  await caller.roomLog.addSystemMessage(tx, roomId, { authorId: caller.actor.id, event, body });
}

/** @throws ValidationError */
export function parseName(name: string): string {
  const text = parseText('input.name', name, { min: 1, max: maxNameLength });
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(text)) throw new ValidationError('input.name', 'must be one line');
  return text;
}

/** @throws ValidationError */
export function parseTopic(topic: string): string {
  return parseText('input.topic', topic, { max: maxTopicLength });
}
