import { publicField } from '../../graphql/auth.ts';
import { builder } from '../../graphql/builder.ts';
import { ofSource } from '../../graphql/completion.ts';
import { connectionOf } from '../../graphql/connections.ts';
import { type Context, callerOf } from '../../graphql/context.ts';
import { defineLoader } from '../../graphql/loaders.ts';
import { registerNode } from '../../graphql/nodes.ts';
import { EntitlementError, NotFoundError, ValidationError } from '../../kernel/errors.ts';
import { parseId } from '../../kernel/ids.ts';
import { canInTenant } from '../../policy/can.ts';
import { allPermissions } from '../../policy/permissions.ts';
import { identityRules } from './identity.rules.ts';
import {
  type ActorRow,
  findShownActor,
  listUsers,
  loadShownActors,
  setDeactivated,
  userCursor,
} from './identity.service.ts';

const actorLoader = defineLoader<string, ActorRow | null>(loadShownActors);

/** The actor of a foreign key: it exists, because the key does. No promise for one that is at hand, as most are. */
export function loadActor(context: Context, id: string): ActorRow | Promise<ActorRow> {
  return findShownActor(callerOf(context), id) ?? loadExisting(context, id);
}

async function loadExisting(context: Context, id: string): Promise<ActorRow> {
  const actor = await actorLoader(context).load(id);
  if (!actor) throw new Error('a foreign key points at no actor');
  return actor;
}

/** The actor with this id, where nothing guarantees that there is one. */
export function loadActorIfThere(context: Context, id: string): Promise<ActorRow | null> {
  return actorLoader(context).load(id);
}

export const TenantRole = builder.enumType('TenantRole', {
  description: 'What somebody is in the tenant; decides what the tenant lets them do.',
  values: {
    ADMIN: { description: 'Manages rooms and members, and governs the tenant.' },
    SUPERVISOR: { description: 'Manages rooms and members.' },
    AGENT: { description: 'Takes part: joins channels, opens direct rooms, writes.' },
    SERVICE: { description: 'A program.' },
  } as const,
});

export const Actor = builder.prismaInterface('Actor', {
  name: 'Actor',
  description: 'Whoever can write or act.',
  interfaces: [builder.nodeInterfaceRef()],
  extensions: ofSource,
  resolveType: (actor) => (actor.kind === 'SERVICE_ACCOUNT' ? 'ServiceAccount' : 'User'),
  fields: (t) => ({
    name: t.exposeString('name', { description: 'The name to show.' }),
    pictureUrl: t.exposeString('pictureUrl', { nullable: true, description: 'A picture to show; null for none.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was first seen here.' }),
  }),
});

const User = builder.prismaNode('Actor', {
  variant: 'User',
  description: 'A person of the tenant.',
  interfaces: [Actor],
  id: { resolve: (actor) => actor.id },
  findUnique: (id, context) => ({ tenantId_id: { tenantId: callerOf(context).actor.tenantId, id } }),
  fields: (t) => ({
    email: t.exposeString('email', { nullable: true, description: 'As the host product last said; null if unknown.' }),
    role: t.expose('role', {
      type: TenantRole,
      nullable: true,
      description: 'The role of the last token; null for an imported person who has not signed in as yet.',
    }),
    deactivatedAt: t.expose('deactivatedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'Since when the account cannot be used; null if it can.',
    }),
  }),
});

builder.prismaNode('Actor', {
  variant: 'ServiceAccount',
  description: 'A program that writes or acts: an integration, a bot.',
  interfaces: [Actor],
  id: { resolve: (actor) => actor.id },
  findUnique: (id, context) => ({ tenantId_id: { tenantId: callerOf(context).actor.tenantId, id } }),
  fields: () => ({}),
});

registerNode('User', async (context, id) => {
  const actor = await visibleActor(context, id);
  return actor?.kind === 'USER' ? actor : null;
});

registerNode('ServiceAccount', async (context, id) => {
  const actor = await visibleActor(context, id);
  return actor?.kind === 'SERVICE_ACCOUNT' ? actor : null;
});

async function visibleActor(context: Context, id: string): Promise<ActorRow | null> {
  if (!canInTenant(callerOf(context).actor, identityRules.listUsers.permission)) return null;
  return actorLoader(context).load(id);
}

export const Viewer = builder.objectRef<{ readonly actorId: string }>('Viewer').implement({
  description: 'Who asks.',
  fields: (t) => ({
    actor: t.field({
      type: Actor,
      description: 'The user or service account of the token.',
      resolve: ({ actorId }, _args, context) => loadActor(context, actorId),
    }),
    role: t.field({
      type: TenantRole,
      description: 'The role that the token gives.',
      resolve: (_viewer, _args, context) => callerOf(context).actor.role,
    }),
    permissions: t.stringList({
      description: 'What the viewer may do in the whole tenant, as `resource:action`. Roles in rooms add to it there.',
      resolve: (_viewer, _args, context) =>
        allPermissions.filter((permission) => canInTenant(callerOf(context).actor, permission)),
    }),
    tokenExpiresAt: t.field({
      type: 'DateTime',
      description: 'When the token ends, and with it every open subscription.',
      resolve: (_viewer, _args, context) => new Date(callerOf(context).actor.expiresAt),
    }),
  }),
});

builder.queryFields((t) => ({
  serverTime: t.field({
    type: 'DateTime',
    access: publicField,
    description: "The server's clock, for clients that show how long ago something was.",
    resolve: () => new Date(),
  }),
  viewer: t.field({
    type: Viewer,
    access: identityRules.viewer,
    description: 'Who asks.',
    resolve: (_root, _args, context) => ({ actorId: callerOf(context).actor.id }),
  }),
  users: t.connection(
    {
      type: User,
      access: identityRules.listUsers,
      description: 'The people of the tenant, by name; without those whose account is deactivated.',
      args: {
        search: t.arg.string({ description: 'Only those with this in their name or e-mail address.' }),
      },
      resolve: async (_root, { search, ...args }, context) =>
        connectionOf(await listUsers(callerOf(context), args, search ?? null), userCursor),
    },
    { name: 'UserConnection', description: 'A page of people.' },
    { name: 'UserEdge', description: 'A person in a page.' },
  ),
}));

const deactivation = (
  name: 'deactivateUser' | 'reactivateUser',
  deactivated: boolean,
  description: string,
  furtherErrors: readonly (typeof EntitlementError)[] = [],
) =>
  builder.relayMutationField(
    name,
    {
      description: 'Whose account.',
      inputFields: (t) => ({
        userId: t.id({
          required: true,
          description: 'A user or service account of the tenant, other than the viewer.',
        }),
      }),
    },
    {
      access: identityRules.deactivate,
      description,
      errors: { types: [ValidationError, NotFoundError, ...furtherErrors] },
      resolve: async (_root, { input }, context) => {
        const actorId = parseId(['User', 'ServiceAccount'], input.userId, 'input.userId');
        await setDeactivated(callerOf(context), actorId, deactivated);
        return { actorId };
      },
    },
    {
      description: 'It is done.',
      outputFields: (t) => ({
        user: t.field({
          type: Actor,
          description: 'The account afterwards.',
          resolve: ({ actorId }, _args, context) => loadActor(context, actorId),
        }),
      }),
    },
  );

deactivation(
  'deactivateUser',
  true,
  'Ends the access of somebody: their requests are refused and their sockets closed at once. Twice changes nothing.',
);
deactivation('reactivateUser', false, 'Gives a deactivated account its access back. Twice changes nothing.', [
  EntitlementError,
]);
