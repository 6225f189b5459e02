/**
 * Every permission, as `resource:action`, with what it allows. `tenant` permissions are decided by the caller's role in
 * the tenant alone; `room` permissions by the role in the tenant or in the room, for rooms that the caller can see.
 */
export const permissions = {
  'user:read': { scope: 'tenant', allows: 'see the people of the tenant' },
  'presence:read': { scope: 'tenant', allows: 'see who is online' },
  'presence:update': { scope: 'tenant', allows: 'say to be away, or back' },
  'tenant:update': { scope: 'tenant', allows: 'say which sites may show the pages in frames' },
  'user:deactivate': { scope: 'tenant', allows: 'end and give back the access of people' },
  'permission:read': { scope: 'tenant', allows: 'see what every role may do' },
  'permission:update': { scope: 'tenant', allows: 'decide what every role may do' },
  'audit:read': { scope: 'tenant', allows: 'read the audit trail, and check that nobody has changed it' },
  'audit:purge': { scope: 'tenant', allows: 'purge old entries of the audit trail' },
  'message:purge': { scope: 'tenant', allows: 'purge messages of any room of the tenant, or of all, by age' },
  'message:remove': { scope: 'tenant', allows: 'remove a single message for good' },
  'retention:update': { scope: 'tenant', allows: 'see and say how long messages are kept' },
  'hold:update': { scope: 'tenant', allows: 'put the tenant or a room under a legal hold, and lift it' },
  'room:list': { scope: 'tenant', allows: 'list the own rooms and the channels of the tenant' },
  'room:create': { scope: 'tenant', allows: 'create groups and channels' },
  'room:open': { scope: 'tenant', allows: 'open a direct room with somebody' },
  'room:join': { scope: 'tenant', allows: 'join a channel' },
  'room:read': { scope: 'room', allows: 'see a room' },
  'room:leave': { scope: 'room', allows: 'leave a room' },
  'room:mute': { scope: 'room', allows: 'mute a room for oneself' },
  'room:update': { scope: 'room', allows: 'change the name and topic' },
  'room:archive': { scope: 'room', allows: 'archive a room, and bring it back' },
  'member:read': { scope: 'room', allows: 'see who is a member' },
  'member:add': { scope: 'room', allows: 'add members' },
  'member:remove': { scope: 'room', allows: 'remove members' },
  'member:update': { scope: 'room', allows: 'change the role of members' },
  'message:read': { scope: 'room', allows: 'read messages, live too' },
  'message:create': { scope: 'room', allows: 'send messages' },
  'message:update': { scope: 'room', allows: 'edit own messages' },
  'message:delete': { scope: 'room', allows: 'delete own messages' },
  'message:moderate': { scope: 'room', allows: "delete others' messages" },
} as const satisfies Record<string, { scope: 'tenant' | 'room'; allows: string }>;

export type Permission = keyof typeof permissions;

export const allPermissions = Object.keys(permissions).filter(isPermission);

export function isPermission(value: string): value is Permission {
  return Object.hasOwn(permissions, value);
}
