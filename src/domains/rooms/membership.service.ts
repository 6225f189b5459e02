import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import type { RoomRole } from '../../kernel/actor.ts';
import { NotFoundError, RoomKindError } from '../../kernel/errors.ts';
import type { Caller } from '../caller.ts';
import { loadActors } from '../identity/identity.service.ts';
import { requireMembersEntitled } from './growth.service.ts';
import * as store from './members.store.ts';
import { recordMember, requirePeople } from './opening.service.ts';
import { changeRoom, requireRoom } from './rooms.access.ts';
import { requireOpenMembership, requireOwnerLeft, requireRank, roomRules } from './rooms.rules.ts';
import { report } from './rooms.service.ts';

/**
 * The caller joins a channel. Joining twice changes nothing.
 * @throws NotFoundError, ForbiddenError, RoomKindError (a group is not joined: somebody adds you),
 * RoomArchivedError, EntitlementError
 */
export async function joinRoom(caller: Caller, roomId: string): Promise<void> {
  const { id: actorId, name } = caller.actor;
  await changeRoom(caller, roomRules.join, roomId, async (tx, { room }) => {
    if (room.kind !== 'CHANNEL') throw new RoomKindError(room.kind, 'joining');
    const [joined] = await store.insertMembers(tx, roomId, [{ actorId, role: 'MEMBER' }]);
    if (!joined) return;
    await requireMembersEntitled(tx, room.kind, roomId);
    await caller.roomLog.addChange(tx, roomId, { kind: 'MEMBER_ADDED', actorId, memberId: actorId });
    await report(caller, tx, roomId, 'MEMBER_JOINED', `${name} joined`);
    caller.audit.record(tx, { action: 'member.join', targetType: 'Room', targetId: roomId, metadata: {} });
  });
}

/** @throws NotFoundError, ForbiddenError (somebody who is no member), RoomKindError, LastOwnerError */
export async function leaveRoom(caller: Caller, roomId: string): Promise<void> {
  const { id: actorId, name } = caller.actor;
  const work: Parameters<typeof changeRoom<void>>[3] = async (tx, { room, member }) => {
    requireOpenMembership(room.kind, 'leaving');
    // Only a token that grants `room:leave` by itself gets here without being a member.
    if (!member) return;
    requireOwnerLeft(member.role, await store.countMembers(tx, roomId));
    await report(caller, tx, roomId, 'MEMBER_LEFT', `${name} left`);
    await store.deleteMember(tx, roomId, actorId);
    await caller.roomLog.addChange(tx, roomId, { kind: 'MEMBER_REMOVED', actorId, memberId: actorId });
    const metadata = { role: member.role };
    caller.audit.record(tx, { action: 'member.leave', targetType: 'Room', targetId: roomId, metadata });
  };
  await changeRoom(caller, roomRules.leave, roomId, work, { archivedToo: true });
}

/**
 * Adds people of the tenant to a group or channel; who is a member already stays as is.
 * @throws NotFoundError, ValidationError, ForbiddenError, RoomKindError, RoomArchivedError, EntitlementError
 */
export async function addMembers(caller: Caller, roomId: string, userIds: readonly string[]): Promise<void> {
  const ids = [...new Set(userIds)];
  await requireRoom(caller, roomRules.addMembers, roomId, 'input.roomId');
  const people = await requirePeople(caller, ids, 'input.userIds');
  await changeRoom(caller, roomRules.addMembers, roomId, async (tx, { room }) => {
    requireOpenMembership(room.kind, 'adding members');
    const drafts = ids.map((actorId) => ({ actorId, role: 'MEMBER' as const }));
    const added = new Set((await store.insertMembers(tx, roomId, drafts)).map((member) => member.actorId));
    if (added.size === 0) return;
    await requireMembersEntitled(tx, room.kind, roomId);
    for (const memberId of added) {
      await caller.roomLog.addChange(tx, roomId, { kind: 'MEMBER_ADDED', actorId: caller.actor.id, memberId });
    }
    const newcomers = people.filter(({ id }) => added.has(id));
    const names = newcomers.map(({ name }) => name).join(', ');
    await report(caller, tx, roomId, 'MEMBER_ADDED', `${caller.actor.name} added ${names}`);
    for (const person of newcomers) recordMember(caller, tx, 'member.add', roomId, person, { role: 'MEMBER' });
  });
}

/** @throws NotFoundError, ForbiddenError, RoomKindError, RoomArchivedError, LastOwnerError */
export async function removeMember(caller: Caller, roomId: string, memberId: string): Promise<void> {
  const [person] = await loadActors(caller, [memberId]);
  await changeRoom(caller, roomRules.removeMember, roomId, async (tx, { room, member: own }) => {
    requireOpenMembership(room.kind, 'removing members');
    const target = await store.findMember(tx, roomId, memberId);
    if (!target) throw new NotFoundError('member', 'input.userId');
    requireRank(caller.actor, own?.role ?? null, target.role, 'member:remove');
    requireOwnerLeft(target.role, await store.countMembers(tx, roomId));
    await store.deleteMember(tx, roomId, memberId);
    await caller.roomLog.addChange(tx, roomId, { kind: 'MEMBER_REMOVED', actorId: caller.actor.id, memberId });
    await report(caller, tx, roomId, 'MEMBER_REMOVED', `${caller.actor.name} removed ${person?.name}`);
    if (person) recordMember(caller, tx, 'member.remove', roomId, person, { role: target.role });
  });
}

/** @throws NotFoundError, ForbiddenError, RoomKindError, RoomArchivedError, LastOwnerError */
export async function setMemberRole(caller: Caller, roomId: string, memberId: string, role: RoomRole): Promise<void> {
  const [person] = await loadActors(caller, [memberId]);
  await changeRoom(caller, roomRules.setMemberRole, roomId, async (tx, { room, member: own }) => {
    requireOpenMembership(room.kind, 'changing roles');
    const target = await store.findMember(tx, roomId, memberId);
    if (!target) throw new NotFoundError('member', 'input.userId');
    if (target.role === role) return;
    requireRank(caller.actor, own?.role ?? null, target.role, 'member:update');
    requireOwnerLeft(target.role, await store.countMembers(tx, roomId));
    await store.updateRole(tx, roomId, memberId, role);
    await caller.roomLog.addChange(tx, roomId, { kind: 'MEMBER_UPDATED', actorId: caller.actor.id, memberId });
    if (person) recordMember(caller, tx, 'member.setRole', roomId, person, { from: target.role, to: role });
  });
}

/** Mutes a room for the caller alone, or lets it be heard again. */
export async function muteRoom(caller: Caller, roomId: string, muted: boolean): Promise<void> {
  await requireRoom(caller, roomRules.mute, roomId, 'input.roomId');
  await store.updateMuted(caller.db, roomId, caller.actor.id, muted);
}

/**
 * Pages of members by the time of joining, for rooms that the caller has been found to see, in one statement.
 * @throws ValidationError
 */
export async function listMembers(
  caller: Caller,
  roomIds: readonly string[],
  args: PageArgs,
): Promise<Page<store.Member>[]> {
  const request = parsePage(args, (cursor, field) => {
    const [time, actorId] = decodeCursor('members', ['time', 'uuid'], cursor, field);
    return { joinedAt: new Date(Number(time)), actorId };
  });
  const byRoom = Map.groupBy(await store.readMembers(caller.db, roomIds, request), (row) => row.roomId);
  return roomIds.map((roomId) => toPage(request, byRoom.get(roomId) ?? []));
}

export function memberCursor(member: store.Member): string {
  return encodeCursor('members', [member.joinedAt.getTime(), member.actorId]);
}

/** How many members each of these rooms has, which the caller has been found to see. */
export async function countMembers(caller: Caller, roomIds: readonly string[]): Promise<number[]> {
  const totals = await store.countMembersOf(caller.db, roomIds);
  return roomIds.map((roomId) => totals.get(roomId) ?? 0);
}
