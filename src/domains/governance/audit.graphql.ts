import { auditActions } from '../../events/auditActions.ts';
import { builder } from '../../graphql/builder.ts';
import { connectionOf } from '../../graphql/connections.ts';
import { callerOf } from '../../graphql/context.ts';
import { ValidationError } from '../../kernel/errors.ts';
import { encodeId, isNodeType } from '../../kernel/ids.ts';
import { Actor, loadActorIfThere } from '../identity/identity.graphql.ts';
import { auditRules } from './audit.rules.ts';
import { type AuditEntry, auditCursor, listAuditLog, purgeAuditLog } from './audit.service.ts';
import { type AuditVerification, verifyOwnAuditTrail } from './verification.service.ts';

const AuditDetail = builder
  .objectRef<{ readonly name: string; readonly value: string | null }>('AuditDetail')
  .implement({
    description: 'A fact about an action, for those who look into it.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'What it is.' }),
      value: t.exposeString('value', { nullable: true, description: 'As text; null where there is none.' }),
    }),
  });

// Whatever stands in a row that was tampered with, the page is shown.
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const actionList = Object.entries(auditActions)
  .map(([action, description]) => `\`${action}\` (${description})`)
  .join(', ');

const Entry = builder.objectRef<AuditEntry>('AuditEntry').implement({
  description:
    'A critical action, as it was recorded by the transaction that did it. Nobody can change it; the text of messages is never part of it.',
  fields: (t) => ({
    number: t.int({
      description: "Its place in the tenant's chain: 1, 2, 3, without gaps.",
      resolve: (entry) => Number(entry.number),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was done.' }),
    action: t.exposeString('action', { description: `What was done: ${actionList}.` }),
    actor: t.field({
      type: Actor,
      nullable: true,
      description: 'Who did it, as they are now; null for what Prosa did by itself.',
      resolve: ({ actorId }, _args, context) => (actorId === null ? null : loadActorIfThere(context, actorId)),
    }),
    actorName: t.exposeString('actorName', { nullable: true, description: 'The name of the actor at that time.' }),
    actorRole: t.exposeString('actorRole', {
      nullable: true,
      description: 'The role of the actor in the tenant at that time.',
    }),
    targetType: t.exposeString('targetType', {
      description: 'What it was done to: `Room`, `User`, `Message`, and so on.',
    }),
    targetId: t.id({
      nullable: true,
      description: 'The id of what it was done to; null where it has none.',
      resolve: ({ targetType, targetId }) =>
        targetId !== null && isNodeType(targetType) && uuidForm.test(targetId)
          ? encodeId(targetType, targetId)
          : targetId,
    }),
    metadata: t.field({
      type: [AuditDetail],
      description: 'More about it.',
      resolve: ({ metadata }) =>
        Object.entries(metadata).map(([name, value]) => ({ name, value: value === null ? null : String(value) })),
    }),
    requestId: t.exposeString('requestId', {
      description: 'The id of the request, as in the log and in `x-request-id`.',
    }),
    address: t.exposeString('address', { nullable: true, description: 'Where the request came from, if it is known.' }),
    userAgent: t.exposeString('userAgent', { nullable: true, description: 'What the client called itself.' }),
    previousHash: t.exposeString('previousHash', { description: 'The hash of the entry before; empty for the first.' }),
    hash: t.exposeString('hash', {
      description: 'SHA-256 over all of the entry, the hash of the one before included.',
    }),
  }),
});

const AuditProblemKind = builder.enumType('AuditProblemKind', {
  description: 'What somebody did to an audit trail.',
  values: {
    ALTERED: { description: 'The entry is not what was written.' },
    REMOVED: { description: 'The entry is not there any more.' },
    INSERTED: { description: 'The entry is none that was written.' },
  } as const,
});

const Verification = builder.objectRef<AuditVerification>('AuditVerification').implement({
  description: 'What a check of the whole audit trail found.',
  fields: (t) => ({
    intact: t.boolean({ description: 'Whether all is as it was written.', resolve: ({ problem }) => problem === null }),
    entries: t.exposeInt('entries', { description: 'How many entries were checked, up to the first that is wrong.' }),
    firstBadNumber: t.int({
      nullable: true,
      description: 'The number of the first entry with which something is wrong.',
      resolve: ({ problem }) => (problem ? Number(problem.number) : null),
    }),
    problem: t.field({
      type: AuditProblemKind,
      nullable: true,
      description: 'What is wrong there.',
      resolve: ({ problem }) => problem?.kind ?? null,
    }),
    purgedUpTo: t.int({
      description: 'Entries up to this number were purged, as an entry `audit.purge` says; 0 for none.',
      resolve: ({ head }) => Number(head.cutNumber),
    }),
    lastNumber: t.int({ description: 'The number of the newest entry.', resolve: ({ head }) => Number(head.number) }),
    lastHash: t.string({
      description:
        'The hash of the newest entry. Kept elsewhere with its number, it proves later that everything up to it is unchanged.',
      resolve: ({ head }) => head.hash,
    }),
  }),
});

const AuditLogFilter = builder.inputType('AuditLogFilter', {
  description: 'Which entries: those to which all that is given applies.',
  fields: (t) => ({
    actorId: t.id({ description: 'Done by this user or service account.' }),
    action: t.string({ description: 'This action, as in `AuditEntry.action`.' }),
    targetId: t.id({ description: 'Done to this, as in `AuditEntry.targetId`.' }),
    from: t.field({ type: 'DateTime', description: 'Not before this time.' }),
    to: t.field({ type: 'DateTime', description: 'Before this time.' }),
  }),
});

builder.queryFields((t) => ({
  auditLog: t.connection(
    {
      type: Entry,
      access: auditRules.read,
      description: 'The audit trail, newest first.',
      args: { filter: t.arg({ type: AuditLogFilter, description: 'Which entries; all where omitted.' }) },
      resolve: async (_root, { filter, ...args }, context) =>
        connectionOf(await listAuditLog(callerOf(context), filter ?? {}, args), auditCursor),
    },
    { name: 'AuditLogConnection', description: 'A page of the audit trail.' },
    { name: 'AuditLogEdge', description: 'An entry in a page.' },
  ),
  auditVerification: t.field({
    type: Verification,
    access: auditRules.read,
    description: 'Checks the whole audit trail for entries that were altered, removed or inserted.',
    resolve: (_root, _args, context) => verifyOwnAuditTrail(callerOf(context)),
  }),
}));

builder.relayMutationField(
  'purgeAuditLog',
  {
    description: 'What to purge.',
    inputFields: (t) => ({
      before: t.field({ type: 'DateTime', required: true, description: 'Entries made before this time go.' }),
    }),
  },
  {
    access: auditRules.purge,
    description: 'Takes old entries out of the audit trail. An entry of its own remains, which says who did it.',
    errors: { types: [ValidationError] },
    resolve: async (_root, { input }, context) => ({ removed: await purgeAuditLog(callerOf(context), input.before) }),
  },
  {
    description: 'The entries are gone.',
    outputFields: (t) => ({ removed: t.exposeInt('removed', { description: 'How many entries went.' }) }),
  },
);
