import type { RoomKind, RoomRole, TenantRole } from '../kernel/actor.ts';
import { allPermissions, type Permission } from './permissions.ts';

const everyone: readonly Permission[] = [
  'user:read',
  'presence:read',
  'presence:update',
  'room:list',
  'room:open',
  'room:join',
];

const managesRooms: readonly Permission[] = [
  'room:create',
  'room:update',
  'room:archive',
  'member:add',
  'member:remove',
  'member:update',
  'message:moderate',
];

const governs: readonly Permission[] = ['message:purge', 'message:remove', 'retention:update', 'hold:update'];

/** What a role in the tenant grants, in every room that its holder can see. */
export const tenantGrants: Readonly<Record<TenantRole, readonly Permission[]>> = {
  ADMIN: [
    ...everyone,
    ...managesRooms,
    ...governs,
    'tenant:update',
    'user:deactivate',
    'permission:read',
    'permission:update',
    'audit:read',
    'audit:purge',
  ],
  SUPERVISOR: [...everyone, ...managesRooms],
  AGENT: everyone,
  SERVICE: [...everyone, 'room:create'],
};

const member: readonly Permission[] = [
  'room:read',
  'room:leave',
  'room:mute',
  'member:read',
  'message:read',
  'message:create',
  'message:update',
  'message:delete',
];
const moderator: readonly Permission[] = [...member, 'room:update', 'member:add', 'member:remove', 'message:moderate'];

/** What a role in a room grants in that room, whatever the role in the tenant. */
export const roomGrants: Readonly<Record<RoomRole, readonly Permission[]>> = {
  OWNER: [...moderator, 'room:archive', 'member:update'],
  MODERATOR: moderator,
  MEMBER: member,
};

/** What everybody in the tenant may do in a room of that kind without being a member. */
export const visitorGrants: Readonly<Record<RoomKind, readonly Permission[]>> = {
  DIRECT: [],
  GROUP: [],
  CHANNEL: ['room:read', 'member:read'],
  CONVERSATION: [],
};

/** @throws when a permission is granted to nobody: it would be a rule that nobody can satisfy. */
function checkMatrix(): void {
  const granted = new Set([tenantGrants, roomGrants, visitorGrants].flatMap((grants) => Object.values(grants).flat()));
  const orphan = allPermissions.find((permission) => !granted.has(permission));
  if (orphan) throw new Error(`nobody is granted ${orphan}`);
}

checkMatrix();
