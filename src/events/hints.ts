import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Prisma } from '../db/generated/client.ts';
import type { MessageEvent, MessageRecord, RoomHint } from './catalogue.ts';

// What happens in a room, as text that goes over the bus.

const uuid = z.string();
const bigint = z.coerce.bigint();
const date = z.coerce.date();

const durable = { roomId: uuid, version: bigint, actorId: uuid };
const governed = { roomId: uuid, version: bigint, actorId: uuid.nullable() };

const seldom = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['MEMBER_ADDED', 'MEMBER_UPDATED', 'MEMBER_REMOVED']), ...durable, memberId: uuid }),
  z.object({ type: z.literal('ROOM_UPDATED'), ...durable }),
  z.object({
    type: z.literal('MESSAGES_PURGED'),
    ...governed,
    before: date,
    mode: z.enum(['SOFT', 'PERMANENT']),
    complete: z.boolean(),
  }),
  z.object({ type: z.literal('MESSAGES_RESTORED'), ...governed, before: date }),
  z.object({ type: z.literal('MESSAGE_REMOVED'), ...governed, messageId: uuid }),
  z.object({ type: z.literal('READ'), roomId: uuid, actorId: uuid, lastReadSeq: bigint, lastReadAt: date }),
]);

/** Where a hint came from: a message's says nothing of it. */
export interface HintOrigin {
  readonly tenantId: string;
  readonly roomId: string;
}

/** What a message's hint holds, in this order; times in milliseconds. */
type MessageFields = readonly [
  layout: string,
  type: MessageEvent['type'],
  version: string,
  actorId: string,
  id: string,
  seq: string,
  kind: MessageRecord['kind'],
  systemEvent: MessageRecord['systemEvent'],
  authorId: string,
  body: string,
  nonce: string | null,
  replyToId: string | null,
  mentionsRoom: boolean,
  createdAt: number,
  editedAt: number | null,
  deletedAt: number | null,
  purgeId: string | null,
];

/**
 * How `messageFields` writes a message, and of which columns: who has others of them reads nothing into it. To be counted
 * up when something else than the columns changes.
 */
const layout = `2:${createHash('sha256').update(Object.keys(Prisma.MessageScalarFieldEnum).join()).digest('base64url')}`;

function messageFields({ type, version, actorId, message }: MessageEvent): MessageFields {
  return [
    layout,
    type,
    `${version}`,
    actorId,
    message.id,
    `${message.seq}`,
    message.kind,
    message.systemEvent,
    message.authorId,
    message.body,
    message.nonce,
    message.replyToId,
    message.mentionsRoom,
    message.createdAt.getTime(),
    message.editedAt?.getTime() ?? null,
    message.deletedAt?.getTime() ?? null,
    message.purgeId,
  ];
}

/** Field by field there is nothing to be checked: only `messageFields` writes the layout, and a room's bus is ours alone. */
function isMessage(fields: unknown): fields is MessageFields {
  return Array.isArray(fields) && fields[0] === layout;
}

function toMessageEvent(fields: MessageFields, { tenantId, roomId }: HintOrigin): MessageEvent {
  const [, type, version, actorId, id, seq, kind, systemEvent, authorId, body, ...others] = fields;
  const [nonce, replyToId, mentionsRoom, createdAt, editedAt, deletedAt, purgeId] = others;
  const message: MessageRecord = {
    tenantId,
    id,
    roomId,
    seq: BigInt(seq),
    kind,
    systemEvent,
    authorId,
    body,
    nonce,
    replyToId,
    mentionsRoom,
    createdAt: new Date(createdAt),
    editedAt: editedAt === null ? null : new Date(editedAt),
    deletedAt: deletedAt === null ? null : new Date(deletedAt),
    purgeId,
  };
  return { type, roomId, version: BigInt(version), actorId, message };
}

/** The text that goes over the bus. */
export function encodeHint(value: RoomHint): string {
  if ('message' in value) return JSON.stringify(messageFields(value));
  return JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? field.toString() : field));
}

/** @throws for text that no process of this version would have sent. */
export function decodeHint(text: string, origin: HintOrigin): RoomHint {
  const given: unknown = JSON.parse(text);
  return isMessage(given) ? toMessageEvent(given, origin) : seldom.parse(given);
}
