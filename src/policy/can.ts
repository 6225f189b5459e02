import type { Actor, RoomKind, RoomRole } from '../kernel/actor.ts';
import { roomGrants, tenantGrants, visitorGrants } from './matrix.ts';
import { type Permission, permissions } from './permissions.ts';

/** A field's rule: shown in the schema as `@auth(permission:, scope:)` and enforced from this very declaration. */
export interface Rule {
  readonly permission: Permission;
}

/** What has to be known of a room to decide. */
export interface RoomFacts {
  readonly kind: RoomKind;
  /** The caller's role in it, or null for somebody who is not a member. */
  readonly role: RoomRole | null;
}

/** Whether the actor may do what a tenant-wide permission names. */
export function canInTenant(actor: Actor, permission: Permission): boolean {
  return actor.permissions.has(permission) || grants(actor, permission);
}

function grants(actor: Actor, permission: Permission): boolean {
  return actor.grants?.has(permission) ?? tenantGrants[actor.role].includes(permission);
}

/**
 * Whether the actor may do it in this room. Nothing is allowed in a room that the actor cannot see: the role in the
 * tenant adds to what membership, or an open channel, shows; it never opens a closed room.
 */
export function canInRoom(actor: Actor, permission: Permission, room: RoomFacts): boolean {
  const seen = room.role ? roomGrants[room.role] : visitorGrants[room.kind];
  return seen.includes(permission) || (seen.includes('room:read') && canInTenant(actor, permission));
}

/** Whether membership in a room is all that it takes there, whatever the role: then nothing else of the room has to be known. */
export function everyMemberMay(permission: Permission): boolean {
  return Object.values(roomGrants).every((granted) => granted.includes('room:read') && granted.includes(permission));
}

/** Whether there can be any room in which this actor may do it: what is decided before the room is known. */
export function canAnywhere(actor: Actor, permission: Permission): boolean {
  if (canInTenant(actor, permission)) return true;
  return permissions[permission].scope === 'room';
}
