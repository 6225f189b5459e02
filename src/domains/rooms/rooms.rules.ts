import type { Actor, RoomKind, RoomRole } from '../../kernel/actor.ts';
import { ForbiddenError, LastOwnerError, RoomKindError } from '../../kernel/errors.ts';
import { canInTenant } from '../../policy/can.ts';

export const roomRules = {
  list: { permission: 'room:list' },
  read: { permission: 'room:read' },
  create: { permission: 'room:create' },
  openDirect: { permission: 'room:open' },
  update: { permission: 'room:update' },
  archive: { permission: 'room:archive' },
  join: { permission: 'room:join' },
  leave: { permission: 'room:leave' },
  mute: { permission: 'room:mute' },
  readMembers: { permission: 'member:read' },
  addMembers: { permission: 'member:add' },
  removeMember: { permission: 'member:remove' },
  setMemberRole: { permission: 'member:update' },
} as const;

export const maxNameLength = 80;
export const maxTopicLength = 1_000;
/** Members that one mutation can add: one statement writes them all under the room's lock. */
export const maxMembersAtOnce = 100;

const ranks: Readonly<Record<RoomRole, number>> = { MEMBER: 0, MODERATOR: 1, OWNER: 2 };

/** @throws RoomKindError where members do not change: a direct room has its two for good, a conversation is assigned. */
export function requireOpenMembership(kind: RoomKind, action: string): void {
  if (kind === 'DIRECT' || kind === 'CONVERSATION') throw new RoomKindError(kind, action);
}

/**
 * Nobody removes or changes somebody of a higher role in the room, unless the tenant's role grants it.
 * @throws ForbiddenError
 */
export function requireRank(
  actor: Actor,
  own: RoomRole | null,
  target: RoomRole,
  permission: 'member:remove' | 'member:update',
): void {
  if (canInTenant(actor, permission)) return;
  if (own === null || ranks[own] < ranks[target]) throw new ForbiddenError(permission);
}

/** @throws LastOwnerError when this owner goes, and leaves members without one. */
export function requireOwnerLeft(leaving: RoomRole, members: { readonly owners: number; readonly all: number }): void {
  if (leaving === 'OWNER' && members.owners === 1 && members.all > 1) throw new LastOwnerError();
}
