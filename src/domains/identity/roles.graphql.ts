import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { ValidationError } from '../../kernel/errors.ts';
import { roomGrants, tenantGrants } from '../../policy/matrix.ts';
import { allPermissions, type Permission, permissions } from '../../policy/permissions.ts';
import { TenantRole } from './identity.graphql.ts';
import { identityRules } from './identity.rules.ts';
import { listGrants, type PermissionGrant, setGranted } from './roles.service.ts';

const tenantRoles = ['ADMIN', 'SUPERVISOR', 'AGENT', 'SERVICE'] as const;
const roomRoles = ['OWNER', 'MODERATOR', 'MEMBER'] as const;

const PermissionScope = builder.enumType('PermissionScope', {
  description: 'Where a permission is decided.',
  values: {
    TENANT: { description: 'By the role in the tenant alone.' },
    ROOM: { description: 'By the role in the tenant or in the room, for rooms that the holder can see.' },
  } as const,
});

const PermissionGrantRef = builder.objectRef<PermissionGrant>('PermissionGrant').implement({
  description: 'A permission, and the roles that grant it.',
  fields: (t) => ({
    permission: t.exposeString('permission', { description: 'As `resource:action`.' }),
    description: t.string({
      description: 'What it allows.',
      resolve: ({ permission }) => permissions[permission].allows,
    }),
    scope: t.field({
      type: PermissionScope,
      description: 'Where it is decided.',
      resolve: ({ permission }) => (permissions[permission].scope === 'tenant' ? 'TENANT' : 'ROOM'),
    }),
    roles: t.field({
      type: [TenantRole],
      description: 'The roles in the tenant that grant it, as the tenant has decided.',
      resolve: (grant) => grant.roles,
    }),
    defaultRoles: t.field({
      type: [TenantRole],
      description: 'The roles that grant it where the tenant has decided nothing.',
      resolve: ({ permission }) => tenantRoles.filter((role) => holds(tenantGrants[role], permission)),
    }),
    // A string: the enum of roles in rooms belongs to a higher domain.
    roomRoles: t.stringList({
      description: 'The roles in a room that grant it there, whatever the role in the tenant: as in `RoomRole`.',
      resolve: ({ permission }) => roomRoles.filter((role) => holds(roomGrants[role], permission)),
    }),
  }),
});

function holds(granted: readonly Permission[], permission: Permission): boolean {
  return granted.includes(permission);
}

builder.queryFields((t) => ({
  permissions: t.field({
    type: [PermissionGrantRef],
    access: identityRules.readPermissions,
    description: 'Every permission, and which roles grant it in this tenant.',
    resolve: (_root, _args, context) => listGrants(callerOf(context), allPermissions),
  }),
}));

const change = (name: 'grantPermission' | 'revokePermission', granted: boolean, description: string) =>
  builder.relayMutationField(
    name,
    {
      description: 'Which permission, and whose.',
      inputFields: (t) => ({
        role: t.field({ type: TenantRole, required: true, description: 'The role in the tenant.' }),
        permission: t.string({ required: true, description: 'As `resource:action`; one of `permissions`.' }),
      }),
    },
    {
      access: identityRules.updatePermissions,
      description,
      errors: { types: [ValidationError] },
      resolve: async (_root, { input }, context) => ({
        grant: await setGranted(callerOf(context), input.role, input.permission, granted),
      }),
    },
    {
      description: 'It is done, and holds for everybody at once.',
      outputFields: (t) => ({
        permission: t.field({
          type: PermissionGrantRef,
          description: 'The permission afterwards.',
          resolve: ({ grant }) => grant,
        }),
      }),
    },
  );

change(
  'grantPermission',
  true,
  'Everybody with that role in the tenant has a permission from now on. Whoever may do this can give themselves everything. Twice changes nothing.',
);
change(
  'revokePermission',
  false,
  'A role in the tenant does not grant a permission any more; roles in rooms, and tokens, still may. Admins keep `permission:update`. Twice changes nothing.',
);
