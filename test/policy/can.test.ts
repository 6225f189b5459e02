import { describe, expect, test } from 'vitest';
import type { Actor, RoomKind, RoomRole, TenantRole } from '../../src/kernel/actor.ts';
import { ForbiddenError } from '../../src/kernel/errors.ts';
import { canAnywhere, canInRoom, canInTenant } from '../../src/policy/can.ts';
import { grantsIn } from '../../src/policy/grants.ts';
import { allPermissions, isPermission, type Permission } from '../../src/policy/permissions.ts';
import { requireInRoom, requireInTenant } from '../../src/policy/require.ts';

function actor(role: TenantRole, permissions: readonly string[] = []): Actor {
  return {
    tenantId: 'tenant',
    id: 'actor',
    kind: 'USER',
    role,
    name: 'Ana',
    permissions: new Set(permissions),
    expiresAt: 0,
  };
}

const tenantRoles = ['ADMIN', 'SUPERVISOR', 'AGENT', 'SERVICE'] as const;
const roomRoles = ['OWNER', 'MODERATOR', 'MEMBER'] as const;
const kinds = ['DIRECT', 'GROUP', 'CHANNEL', 'CONVERSATION'] as const;

/** Who of the tenant's roles, and of the room's as an agent, may do it in a group. */
function holders(permission: Permission): { tenant: TenantRole[]; room: RoomRole[] } {
  return {
    tenant: tenantRoles.filter((role) => canInTenant(actor(role), permission)),
    room: roomRoles.filter((role) => canInRoom(actor('AGENT'), permission, { kind: 'GROUP', role })),
  };
}

describe('G2 the matrix', () => {
  test('grants every permission to somebody', () => {
    for (const permission of allPermissions) {
      const { tenant, room } = holders(permission);
      expect([permission, ...tenant, ...room].length).toBeGreaterThan(1);
    }
  });

  test.each<[Permission, TenantRole[], RoomRole[]]>([
    ['room:create', ['ADMIN', 'SUPERVISOR', 'SERVICE'], []],
    ['room:update', ['ADMIN', 'SUPERVISOR'], ['OWNER', 'MODERATOR']],
    ['room:archive', ['ADMIN', 'SUPERVISOR'], ['OWNER']],
    ['member:add', ['ADMIN', 'SUPERVISOR'], ['OWNER', 'MODERATOR']],
    ['member:remove', ['ADMIN', 'SUPERVISOR'], ['OWNER', 'MODERATOR']],
    ['member:update', ['ADMIN', 'SUPERVISOR'], ['OWNER']],
    ['message:moderate', ['ADMIN', 'SUPERVISOR'], ['OWNER', 'MODERATOR']],
    ['message:read', [], ['OWNER', 'MODERATOR', 'MEMBER']],
    ['message:create', [], ['OWNER', 'MODERATOR', 'MEMBER']],
    ['message:update', [], ['OWNER', 'MODERATOR', 'MEMBER']],
  ])('%s is held by %j in the tenant, and by %j in a room', (permission, tenant, room) => {
    expect(holders(permission)).toEqual({ tenant, room });
  });

  test.each(['user:read', 'room:list', 'room:open', 'room:join'] as const)('%s is held by everybody', (permission) => {
    expect(holders(permission).tenant).toEqual(tenantRoles);
  });
});

describe('G2 rooms', () => {
  test('T4 nobody who is not a member does anything in a room that is not a channel, whatever the role', () => {
    for (const role of tenantRoles) {
      for (const kind of kinds.filter((each): each is RoomKind => each !== 'CHANNEL')) {
        const granted = actor(role, allPermissions);
        const allowed = allPermissions.filter((permission) => canInRoom(granted, permission, { kind, role: null }));
        expect({ role, kind, allowed }).toEqual({ role, kind, allowed: [] });
      }
    }
  });

  test('T4 a channel is seen without being a member, and not read', () => {
    const visitor = { kind: 'CHANNEL', role: null } as const;
    expect(canInRoom(actor('AGENT'), 'room:read', visitor)).toBe(true);
    expect(canInRoom(actor('AGENT'), 'room:join', visitor)).toBe(true);
    for (const role of tenantRoles) {
      expect(canInRoom(actor(role), 'message:read', visitor)).toBe(false);
      expect(canInRoom(actor(role), 'message:create', visitor)).toBe(false);
    }
  });

  test('a higher role in the room never takes anything away', () => {
    for (const permission of allPermissions) {
      const [owner, moderator, member] = roomRoles.map((role) =>
        canInRoom(actor('AGENT'), permission, { kind: 'GROUP', role }),
      );
      expect(Number(owner)).toBeGreaterThanOrEqual(Number(moderator));
      expect(Number(moderator)).toBeGreaterThanOrEqual(Number(member));
    }
  });
});

describe('G2 permissions of a token', () => {
  test('add to those of the role, in the tenant and in rooms that its holder sees', () => {
    const agent = actor('AGENT', ['room:create', 'room:archive']);
    expect(canInTenant(agent, 'room:create')).toBe(true);
    expect(canInRoom(agent, 'room:archive', { kind: 'GROUP', role: 'MEMBER' })).toBe(true);
    expect(canInRoom(agent, 'room:archive', { kind: 'CHANNEL', role: null })).toBe(true);
    expect(canInRoom(agent, 'room:archive', { kind: 'GROUP', role: null })).toBe(false);
  });

  test('what a permission is, is known exactly', () => {
    expect(isPermission('room:create')).toBe(true);
    for (const text of ['', 'room', 'toString', '__proto__', 'room:destroy']) expect(isPermission(text)).toBe(false);
  });
});

test('G3 before the room is known, only what could never be allowed is refused', () => {
  expect(canAnywhere(actor('AGENT'), 'room:create')).toBe(false);
  expect(canAnywhere(actor('AGENT'), 'room:archive')).toBe(true);
  expect(canAnywhere(actor('ADMIN'), 'room:create')).toBe(true);
});

test('G2 a refusal names the permission', () => {
  const rule = { permission: 'room:create' } as const;
  expect(() => requireInTenant(actor('AGENT'), rule)).toThrow(new ForbiddenError('room:create'));
  expect(() => requireInTenant(actor('ADMIN'), rule)).not.toThrow();
  const archive = { permission: 'room:archive' } as const;
  expect(() => requireInRoom(actor('AGENT'), archive, { kind: 'GROUP', role: 'MODERATOR' })).toThrow('room:archive');
  expect(() => requireInRoom(actor('AGENT'), archive, { kind: 'GROUP', role: 'OWNER' })).not.toThrow();
});

test('G5 what one tenant grants a role, or takes from it, is nothing to the others', () => {
  const before = new Set(grantsIn([], 'AGENT'));
  const granted = grantsIn([{ role: 'AGENT', permission: 'room:create', granted: true }], 'AGENT');
  const taken = grantsIn([{ role: 'AGENT', permission: 'room:open', granted: false }], 'AGENT');
  expect([before.has('room:create'), granted.has('room:create')]).toEqual([false, true]);
  expect([before.has('room:open'), taken.has('room:open')]).toEqual([true, false]);
  expect(new Set(grantsIn([], 'AGENT'))).toEqual(before);
  expect(new Set(grantsIn([{ role: 'ADMIN', permission: 'room:open', granted: false }], 'AGENT'))).toEqual(before);
});
