import { builder } from '../../graphql/builder.ts';
import { connectionOf } from '../../graphql/connections.ts';
import { callerOf } from '../../graphql/context.ts';
import { defineLoader } from '../../graphql/loaders.ts';
import { registerNode } from '../../graphql/nodes.ts';
import { viewerDependent } from '../../graphql/viewerDependent.ts';
import { LegalHoldError, NotFoundError, PurgeStateError, ValidationError } from '../../kernel/errors.ts';
import { encodeId, parseId } from '../../kernel/ids.ts';
import { Actor, loadActor } from '../identity/identity.graphql.ts';
import { PurgeMode } from '../messages/purgeEvents.graphql.ts';
import { Room, viewOf } from '../rooms/rooms.graphql.ts';
import { maxPurgeNonce, progressOf, purgeRules, undoableUntil } from './purge.rules.ts';
import {
  cancelPurge,
  listPurges,
  loadPurges,
  type PurgePreview,
  type Purge as PurgeRecord,
  previewPurge,
  purgeCursor,
  purgeMessages,
  undoPurge,
  watchPurge,
} from './purge.service.ts';

const purgeLoader = defineLoader<string, PurgeRecord | null>(loadPurges);

const PurgeStatus = builder.enumType('PurgeStatus', {
  description: 'How far a purge is.',
  values: {
    QUEUED: { description: 'It waits for a worker, or for the purge before it: those of a tenant run one by one.' },
    RUNNING: { description: 'It is under way.' },
    DONE: { description: 'It is done.' },
    CANCELLED: { description: 'Somebody stopped it; what was gone by then stays gone.' },
    FAILED: { description: 'It ended on the way: `failure` says why.' },
    UNDOING: { description: 'What it hid is being brought back.' },
    UNDONE: { description: 'What it hid is back.' },
  } as const,
});

const PurgeFailure = builder.enumType('PurgeFailure', {
  description: 'Why a purge ended on the way.',
  values: {
    LEGAL_HOLD: { description: 'The room, or the tenant, was put under a legal hold.' },
    ERROR: { description: 'An error that came again and again: the log has it.' },
  } as const,
});

const Purge = builder.prismaNode('Purge', {
  description: 'Messages that were, are being or will be purged: the record of it.',
  id: { resolve: (purge) => purge.id },
  findUnique: (id, context) => ({ tenantId_id: { tenantId: callerOf(context).actor.tenantId, id } }),
  fields: (t) => ({
    status: t.expose('status', { type: PurgeStatus, description: 'How far it is.' }),
    mode: t.expose('mode', { type: PurgeMode, description: 'What it leaves of the messages.' }),
    before: t.expose('before', {
      type: 'DateTime',
      description:
        'The cutoff: only messages sent before it go. Of a run of retention, its time: each room has its own.',
    }),
    roomId: t.id({
      nullable: true,
      description: 'The room that it is about; null for all rooms of the tenant.',
      resolve: ({ roomId }) => (roomId === null ? null : encodeId('Room', roomId)),
    }),
    room: t.field({
      type: Room,
      nullable: true,
      extensions: viewerDependent,
      description: 'That room, where the viewer can see it: purging one does not open it.',
      resolve: async ({ roomId }, _args, context) =>
        roomId === null ? null : ((await viewOf(context, roomId))?.room ?? null),
    }),
    creator: t.field({
      type: Actor,
      nullable: true,
      description: 'Who asked for it; null for a run of retention.',
      resolve: ({ creatorId }, _args, context) => (creatorId ? loadActor(context, creatorId) : null),
    }),
    estimate: t.int({
      nullable: true,
      description:
        'How many messages there were to purge when it began; null until then, and where they were too many to be counted.',
      resolve: ({ estimate }) => (estimate === null ? null : Number(estimate)),
    }),
    rows: t.int({ description: 'How many messages it has purged.', resolve: ({ rows }) => Number(rows) }),
    restored: t.int({
      description: 'How many of them are back.',
      resolve: ({ restored }) => Number(restored),
    }),
    progress: t.float({
      nullable: true,
      description:
        'How much of it is done, from 0 to 1: of the way back while it is being undone. Null while it is under way without an `estimate`: `rows` shows that it gets on.',
      resolve: progressOf,
    }),
    failure: t.field({
      type: PurgeFailure,
      nullable: true,
      description: 'Why it FAILED; null otherwise.',
      resolve: ({ failure }) => (failure === 'LEGAL_HOLD' || failure === 'ERROR' ? failure : null),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was asked for.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', nullable: true, description: 'When it began.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended, in whatever way; null while it has not.',
    }),
    undoableUntil: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'Until when `undoPurge` takes it; null for one that cannot be undone, or not as it is now.',
      resolve: undoableUntil,
    }),
  }),
});

registerNode('Purge', (context, id) => purgeLoader(context).load(id));

const Preview = builder.objectRef<PurgePreview>('PurgePreview').implement({
  description: 'What a purge would take away, as counted now.',
  fields: (t) => ({
    messages: t.int({ description: 'How many messages.', resolve: ({ messages }) => Number(messages) }),
    rooms: t.int({ description: 'In how many rooms.', resolve: ({ rooms }) => Number(rooms) }),
    heldRooms: t.int({
      description: 'How many rooms would be left out because they are under a legal hold.',
      resolve: ({ heldRooms }) => Number(heldRooms),
    }),
  }),
});

const descriptions = {
  before: 'Messages sent before it, and only those. Not in the future.',
  roomId:
    'A room of the tenant, also one that the viewer is not in; left out, all of them, less those under a legal hold.',
  mode: 'What is left of the messages.',
} as const;

const PurgePreviewInput = builder.inputType('PurgePreviewInput', {
  description: 'What would be purged.',
  fields: (t) => ({
    before: t.field({ type: 'DateTime', required: true, description: descriptions.before }),
    roomId: t.id({ description: descriptions.roomId }),
    mode: t.field({ type: PurgeMode, required: true, description: descriptions.mode }),
  }),
});

builder.queryFields((t) => ({
  purgePreview: t.field({
    type: Preview,
    access: purgeRules.purge,
    description:
      'Counts what `purgeMessages` would take away, and takes nothing. TIMEOUT where that is too much to be counted: it can be purged all the same.',
    args: { input: t.arg({ type: PurgePreviewInput, required: true, description: 'What would be purged.' }) },
    resolve: (_root, { input }, context) =>
      previewPurge(callerOf(context), {
        before: input.before,
        roomId: input.roomId == null ? null : parseId('Room', input.roomId, 'input.roomId'),
        mode: input.mode,
      }),
  }),
  purges: t.connection(
    {
      type: Purge,
      access: purgeRules.purge,
      description: "The tenant's purges, the newest first; those of retention among them.",
      resolve: async (_root, args, context) => connectionOf(await listPurges(callerOf(context), args), purgeCursor),
    },
    { name: 'PurgeConnection', description: 'A page of purges.' },
    { name: 'PurgeEdge', description: 'A purge in a page.' },
  ),
}));

builder.subscriptionField('purgeProgress', (t) =>
  t.field({
    type: Purge,
    access: purgeRules.purge,
    description:
      'A purge as it is, and then as it gets on, up to five times a second. Ends when the purge has. State, not history: there is nothing to replay.',
    args: { id: t.arg.id({ required: true, description: 'The id of the purge.' }) },
    subscribe: (_root, { id }, context) => watchPurge(callerOf(context), parseId('Purge', id, 'id')),
    resolve: (purge) => purge,
  }),
);

/** The payload that these mutations share. */
const payload = (description: string) => ({
  description,
  outputFields: (t: PothosSchemaTypes.ObjectFieldBuilder<typeof builder.$inferSchemaTypes, PurgeRecord>) => ({
    purge: t.field({ type: Purge, description: 'The purge.', resolve: (purge) => purge }),
  }),
});

builder.relayMutationField(
  'purgeMessages',
  {
    description: 'What is to be purged.',
    inputFields: (t) => ({
      before: t.field({ type: 'DateTime', required: true, description: descriptions.before }),
      roomId: t.id({ description: descriptions.roomId }),
      mode: t.field({ type: PurgeMode, required: true, description: descriptions.mode }),
      nonce: t.string({
        description: `Chosen by the client, up to ${maxPurgeNonce} characters. The same a second time gives the first purge, whatever else it says.`,
      }),
    }),
  },
  {
    access: purgeRules.purge,
    description:
      'Purges messages by age, in the background: `purgeProgress` shows how far it is. Sending goes on meanwhile; who follows a room gets `MessagesPurged`.',
    errors: { types: [ValidationError, NotFoundError, LegalHoldError] },
    resolve: (_root, { input }, context) =>
      purgeMessages(callerOf(context), {
        before: input.before,
        roomId: input.roomId == null ? null : parseId('Room', input.roomId, 'input.roomId'),
        mode: input.mode,
        nonce: input.nonce ?? undefined,
      }),
  },
  payload('The purge is asked for.'),
);

const idField = { required: true, description: 'The id of the purge.' } as const;

builder.relayMutationField(
  'cancelPurge',
  { description: 'Which purge.', inputFields: (t) => ({ id: t.id(idField) }) },
  {
    access: purgeRules.purge,
    description: 'Stops a purge where it is. What is gone stays gone, until it is undone. Twice changes nothing.',
    errors: { types: [ValidationError, NotFoundError, PurgeStateError] },
    resolve: (_root, { input }, context) => cancelPurge(callerOf(context), parseId('Purge', input.id, 'input.id')),
  },
  payload('The purge is stopped.'),
);

builder.relayMutationField(
  'undoPurge',
  { description: 'Which purge.', inputFields: (t) => ({ id: t.id(idField) }) },
  {
    access: purgeRules.purge,
    description:
      'Brings back, in the background, what a SOFT purge hid, within 24 hours of its end: exactly that, and not what was deleted otherwise.',
    errors: { types: [ValidationError, NotFoundError, PurgeStateError] },
    resolve: (_root, { input }, context) => undoPurge(callerOf(context), parseId('Purge', input.id, 'input.id')),
  },
  payload('The purge is being undone.'),
);
