import { describe, expect, test } from 'vitest';
import type { MessageEvent, RoomHint } from '../../src/events/catalogue.ts';
import { decodeHint, encodeHint } from '../../src/events/hints.ts';

const message: MessageEvent['message'] = {
  tenantId: 'tenant',
  id: 'message',
  roomId: 'room',
  seq: 9_007_199_254_740_993n,
  kind: 'TEXT',
  systemEvent: null,
  authorId: 'author',
  body: 'Grüße ["👍🏽"]\n\u0000\uD800 {"type":"READ"}',
  nonce: null,
  replyToId: null,
  mentionsRoom: false,
  createdAt: new Date('2026-11-28T10:00:00.123Z'),
  editedAt: null,
  deletedAt: null,
  purgeId: null,
};
const durable = { roomId: 'room', version: 9_007_199_254_740_995n, actorId: 'actor' };
const origin = { tenantId: 'tenant', roomId: 'room' };
const before = new Date('2026-11-01T00:00:00.000Z');

const hints: readonly RoomHint[] = [
  { type: 'MESSAGE_ADDED', ...durable, message },
  // Each field has a value of its own, so that none stands in the place of another.
  {
    type: 'MESSAGE_EDITED',
    ...durable,
    message: {
      ...message,
      kind: 'SYSTEM',
      systemEvent: 'ROOM_RENAMED',
      nonce: 'nonce',
      replyToId: 'replied to',
      mentionsRoom: true,
      editedAt: new Date('2026-11-28T11:00:00.456Z'),
      purgeId: 'purge',
    },
  },
  {
    type: 'MESSAGE_DELETED',
    ...durable,
    message: { ...message, body: '', deletedAt: new Date('2026-11-28T12:00:00.789Z') },
  },
  { type: 'MEMBER_ADDED', ...durable, memberId: 'member' },
  { type: 'MEMBER_UPDATED', ...durable, memberId: 'member' },
  { type: 'MEMBER_REMOVED', ...durable, memberId: 'member' },
  { type: 'ROOM_UPDATED', ...durable },
  { type: 'MESSAGES_PURGED', ...durable, actorId: null, before, mode: 'PERMANENT', complete: false },
  { type: 'MESSAGES_RESTORED', ...durable, before },
  { type: 'MESSAGE_REMOVED', ...durable, messageId: 'message' },
  { type: 'READ', roomId: 'room', actorId: 'actor', lastReadSeq: 12n, lastReadAt: before },
];

describe('R9 a hint', () => {
  test.each(hints.map((hint) => [hint.type, hint] as const))('of %s comes as it was sent', (_type, hint) => {
    expect(decodeHint(encodeHint(hint), origin)).toEqual(hint);
  });

  test.each([
    ['no JSON', '["2:'],
    ['nothing', ''],
    ['null', 'null'],
    ['of no kind', '{}'],
    ['an empty list', '[]'],
    ['a message of other columns', encodeHint({ type: 'MESSAGE_ADDED', ...durable, message }).replace('["2:', '["2:x')],
    ['a message in another layout', encodeHint({ type: 'MESSAGE_ADDED', ...durable, message }).replace('["2:', '["0:')],
    ['a message as an object', JSON.stringify({ type: 'MESSAGE_ADDED', ...durable, version: '1', message: {} })],
  ])('that is %s is not read', (_what, text) => {
    expect(() => decodeHint(text, origin)).toThrow();
  });
});
