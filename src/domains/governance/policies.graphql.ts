import { builder } from '../../graphql/builder.ts';
import { connectionOf } from '../../graphql/connections.ts';
import { callerOf } from '../../graphql/context.ts';
import { viewerDependent } from '../../graphql/viewerDependent.ts';
import { NotFoundError, ValidationError } from '../../kernel/errors.ts';
import { encodeId, parseId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { PurgeMode } from '../messages/purgeEvents.graphql.ts';
import { Room, RoomKind, viewOf } from '../rooms/rooms.graphql.ts';
import { maxReasonLength, policyRules } from './policies.rules.ts';
import {
  listRoomPolicies,
  listSilentRooms,
  loadPolicy,
  type Policy,
  policyCursor,
  type SilentRoom,
  setLegalHold,
  setRetention,
  setSilentDays,
  silentRoomCursor,
} from './policies.service.ts';

interface Hold {
  readonly since: Date;
  readonly byId: string | null;
  readonly reason: string;
}

const LegalHold = builder.objectRef<Hold>('LegalHold').implement({
  description: 'Nothing may be purged, removed for good, or taken by retention.',
  fields: (t) => ({
    since: t.expose('since', { type: 'DateTime', description: 'Since when.' }),
    by: t.field({
      type: Actor,
      nullable: true,
      description: 'Who said so.',
      resolve: ({ byId }, _args, context) => (byId ? loadActor(context, byId) : null),
    }),
    reason: t.exposeString('reason', { description: 'Why.' }),
  }),
});

const GovernancePolicy = builder.objectRef<Policy>('GovernancePolicy').implement({
  description:
    'How long messages are kept, whether they are under a legal hold, and when a room is silent: of a room by itself, or of the tenant.',
  fields: (t) => ({
    roomId: t.id({
      nullable: true,
      description: 'The room; null for the tenant.',
      resolve: ({ roomId }) => (roomId === null ? null : encodeId('Room', roomId)),
    }),
    room: t.field({
      type: Room,
      nullable: true,
      extensions: viewerDependent,
      description: 'The room, where the viewer can see it.',
      resolve: async ({ roomId }, _args, context) =>
        roomId === null ? null : ((await viewOf(context, roomId))?.room ?? null),
    }),
    retentionDays: t.exposeInt('retentionDays', {
      nullable: true,
      description: "Days that messages are kept; null for good. Of the room's and the tenant's the shorter holds.",
    }),
    retentionMode: t.expose('retentionMode', {
      type: PurgeMode,
      nullable: true,
      description: 'What is left of them then; null where they are kept for good.',
    }),
    silentDays: t.exposeInt('silentDays', {
      nullable: true,
      description:
        'Days without a message after which the daily notice counts a room as silent; null for as many as the server says, and for a room.',
    }),
    legalHold: t.field({
      type: LegalHold,
      nullable: true,
      description: 'The hold; null if there is none. It wins over all purges and retention.',
      resolve: ({ heldAt, heldById, holdReason }) =>
        heldAt === null ? null : { since: heldAt, byId: heldById, reason: holdReason ?? '' },
    }),
  }),
});

const Silent = builder.objectRef<SilentRoom>('SilentRoom').implement({
  description: 'A room in which nothing was said for long.',
  fields: (t) => ({
    roomId: t.id({ description: 'The room.', resolve: ({ roomId }) => encodeId('Room', roomId) }),
    kind: t.expose('kind', { type: RoomKind, description: 'What it is for.' }),
    name: t.exposeString('name', { nullable: true, description: 'Its name; null for a direct room.' }),
    lastActivityAt: t.expose('lastActivityAt', { type: 'DateTime', description: 'When the last message came.' }),
  }),
});

builder.queryFields((t) => ({
  governancePolicy: t.field({
    type: GovernancePolicy,
    access: policyRules.retention,
    description: 'What was said for a room by itself, or (without one) for the tenant.',
    args: { roomId: t.arg.id({ description: 'A room of the tenant, also one that the viewer is not in.' }) },
    resolve: (_root, { roomId }, context) =>
      loadPolicy(callerOf(context), roomId == null ? null : parseId('Room', roomId, 'roomId')),
  }),
  roomPolicies: t.connection(
    {
      type: GovernancePolicy,
      access: policyRules.retention,
      description: 'The rooms with a retention or a legal hold of their own.',
      resolve: async (_root, args, context) =>
        connectionOf(await listRoomPolicies(callerOf(context), args), policyCursor),
    },
    { name: 'RoomPolicyConnection', description: 'A page of policies.' },
    { name: 'RoomPolicyEdge', description: 'A policy in a page.' },
  ),
  silentRooms: t.connection(
    {
      type: Silent,
      access: policyRules.retention,
      description:
        'Rooms without a message for so many days and not archived, the longest silent first. Those that fall silent are noted daily in the audit trail.',
      args: { days: t.arg.int({ required: true, description: 'How many days.' }) },
      resolve: async (_root, { days, ...args }, context) =>
        connectionOf(await listSilentRooms(callerOf(context), days, args), silentRoomCursor),
    },
    { name: 'SilentRoomConnection', description: 'A page of silent rooms.' },
    { name: 'SilentRoomEdge', description: 'A silent room in a page.' },
  ),
}));

const roomId = 'A room of the tenant, also one that the viewer is not in; left out, the whole tenant.';

/** The payload that these mutations share. */
const payload = (description: string) => ({
  description,
  outputFields: (t: PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, Policy>) => ({
    policy: t.field({ type: GovernancePolicy, description: 'What holds now.', resolve: (policy) => policy }),
  }),
});

builder.relayMutationField(
  'setRetention',
  {
    description: 'How long messages are kept.',
    inputFields: (t) => ({
      roomId: t.id({ description: roomId }),
      days: t.int({ description: 'How many days; null for good.' }),
      mode: t.field({
        type: PurgeMode,
        defaultValue: 'PERMANENT',
        required: true,
        description: 'What is left of them then.',
      }),
    }),
  },
  {
    access: policyRules.retention,
    description:
      "Says how long messages are kept. Of a room's and the tenant's the shorter holds, and a legal hold over both; a daily run purges what is older.",
    errors: { types: [ValidationError, NotFoundError] },
    resolve: (_root, { input }, context) =>
      setRetention(callerOf(context), {
        roomId: input.roomId == null ? null : parseId('Room', input.roomId, 'input.roomId'),
        days: input.days ?? null,
        mode: input.mode,
      }),
  },
  payload('It holds from now on.'),
);

builder.relayMutationField(
  'setSilentDays',
  {
    description: 'When a room is silent.',
    inputFields: (t) => ({ days: t.int({ description: 'How many days; null for as many as the server says.' }) }),
  },
  {
    access: policyRules.retention,
    description:
      'Says after how many days without a message the daily notice counts a room of the tenant as silent. Rooms that were noted are not noted again.',
    errors: { types: [ValidationError] },
    resolve: (_root, { input }, context) => setSilentDays(callerOf(context), input.days ?? null),
  },
  payload('It holds from the next notice on.'),
);

builder.relayMutationField(
  'setLegalHold',
  {
    description: 'What is held, or not any more.',
    inputFields: (t) => ({
      roomId: t.id({ description: roomId }),
      held: t.boolean({ required: true, description: 'Whether it is held.' }),
      reason: t.string({
        description: `Why, up to ${maxReasonLength.toLocaleString('en')} characters: required for a hold. It goes into the audit trail.`,
      }),
    }),
  },
  {
    access: policyRules.hold,
    description:
      'Puts a room, or the whole tenant, under a legal hold, or lifts it. When it is answered nothing of it is being purged any more. Twice changes nothing.',
    errors: { types: [ValidationError, NotFoundError] },
    resolve: (_root, { input }, context) =>
      setLegalHold(callerOf(context), {
        roomId: input.roomId == null ? null : parseId('Room', input.roomId, 'input.roomId'),
        held: input.held,
        reason: input.reason ?? undefined,
      }),
  },
  payload('It holds, or is lifted.'),
);
