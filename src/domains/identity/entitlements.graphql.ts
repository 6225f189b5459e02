import { builder } from '../../graphql/builder.ts';
import { callerOf } from '../../graphql/context.ts';
import { UserError } from '../../graphql/errors.ts';
import { entitlementLimits, features, type Entitlements as Granted } from '../../kernel/entitlements.ts';
import { EntitlementError } from '../../kernel/errors.ts';
import { readEntitlements } from './entitlements.service.ts';
import { Viewer } from './identity.graphql.ts';

const described = <Name extends string>(names: Readonly<Record<Name, string>>) =>
  Object.fromEntries(Object.entries(names).map(([name, description]) => [name, { description }])) as {
    [Each in Name]: { description: string };
  };

const Feature = builder.enumType('Feature', {
  description: 'What a plan includes or not. Of one that is off nothing new is made; what exists goes on.',
  values: described(features),
});

const EntitlementLimit = builder.enumType('EntitlementLimit', {
  description: 'What a plan includes only so much of. At the limit nothing is added; what exists goes on.',
  values: described(entitlementLimits),
});

builder.objectType(EntitlementError, {
  name: 'EntitlementError',
  description:
    "The tenant's plan does not include it: either a feature is off, or a limit is reached. Code: ENTITLEMENT.",
  interfaces: [UserError],
  fields: (t) => ({
    feature: t.expose('feature', {
      type: Feature,
      nullable: true,
      description: 'The feature that is off; null where it is a limit.',
    }),
    limit: t.expose('limit', {
      type: EntitlementLimit,
      nullable: true,
      description: 'The limit that is reached; null where it is a feature.',
    }),
    max: t.exposeInt('max', { nullable: true, description: 'How many the limit allows; null where it is a feature.' }),
  }),
});

const Entitlements = builder.objectRef<Granted>('Entitlements').implement({
  description: "What the tenant's plan includes, for front ends that hide the rest. The operator sets it.",
  fields: (t) => ({
    features: t.field({ type: [Feature], description: 'What is on.', resolve: (granted) => [...granted.features] }),
    maxUsers: t.int({
      nullable: true,
      description: `${entitlementLimits.USERS} Null for as many as they like.`,
      resolve: ({ limits }) => limits.USERS,
    }),
    maxRooms: t.int({
      nullable: true,
      description: `${entitlementLimits.ROOMS} Null for as many as they like.`,
      resolve: ({ limits }) => limits.ROOMS,
    }),
    maxMembersPerRoom: t.int({
      nullable: true,
      description: `${entitlementLimits.MEMBERS_PER_ROOM} Null for as many as they like.`,
      resolve: ({ limits }) => limits.MEMBERS_PER_ROOM,
    }),
  }),
});

builder.objectField(Viewer, 'entitlements', (t) =>
  t.field({
    type: Entitlements,
    description: "What the tenant's plan includes.",
    resolve: (_viewer, _args, context) => readEntitlements(callerOf(context).db),
  }),
);
