import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import type { MessageDraft } from '../../events/messageWriter.ts';
import { positionIn } from '../../events/position.ts';
import {
  DomainError,
  MessageDeletedError,
  NotFoundError,
  RoomArchivedError,
  ValidationError,
} from '../../kernel/errors.ts';
import { encodeId, newId } from '../../kernel/ids.ts';
import { everyMemberMay } from '../../policy/can.ts';
import type { Caller } from '../caller.ts';
import { allowed, changeRoom, requireActiveRoom } from '../rooms/rooms.access.ts';
import { loadRooms, type RoomView } from '../rooms/rooms.service.ts';
import {
  deletionRule,
  findMentions,
  maxMentions,
  messageRules,
  parseBody,
  parseNonce,
  requireEditable,
} from './messages.rules.ts';
import * as store from './messages.store.ts';

export type { MessageRecord } from './messages.store.ts';

/**
 * Sends a message. A second send with the same nonce gives the first message, whatever else it says.
 * @throws NotFoundError, ValidationError, ForbiddenError, RoomArchivedError
 */
export async function sendMessage(
  caller: Caller,
  input: {
    readonly roomId: string;
    readonly body: string;
    readonly nonce: string | undefined;
    readonly replyToId: string | undefined;
  },
): Promise<store.MessageRecord> {
  const body = parseBody(input.body);
  const nonce = input.nonce === undefined ? null : parseNonce(input.nonce);
  try {
    return await addMessage(caller, { ...input, body, nonce });
  } catch (error) {
    // A retry whose first try got through is answered with it, also when the room would not take it any more.
    const first = nonce !== null && error instanceof DomainError ? await findOwn(caller, input.roomId, nonce) : null;
    if (first) return first;
    throw error;
  }
}

async function findOwn(caller: Caller, roomId: string, nonce: string): Promise<store.MessageRecord | null> {
  const first = await store.findMessageByNonce(caller.db, roomId, caller.actor.id, nonce);
  return first && ((await loadMessages(caller, [first.id]))[0] ?? null);
}

async function addMessage(
  caller: Caller,
  input: {
    readonly roomId: string;
    readonly body: string;
    readonly nonce: string | null;
    readonly replyToId: string | undefined;
  },
): Promise<store.MessageRecord> {
  const { roomId, body, nonce, replyToId = null } = input;
  const check = () => requireActiveRoom(caller, messageRules.send, roomId, 'input.roomId');
  // What writes the message writes it for members only, and into rooms that are open: what it takes is found out there,
  // under the room's lock. Nothing of the room is told before that.
  const plain = replyToId === null && !body.includes('<');
  const checked = plain && everyMemberMay(messageRules.send.permission) ? null : await check();
  if (replyToId) await requireReplyTarget(caller, roomId, replyToId);
  const mentions = await resolveMentions(caller, roomId, body);
  const draft: MessageDraft = { id: newId(), authorId: caller.actor.id, body, nonce, replyToId, ...mentions };
  const added = await caller.roomLog.addMessage(caller.db, roomId, draft);
  // Which refusal it is, a check tells best.
  if (!checked && (added === 'room closed' || added === 'not a member')) await check();
  if (added === 'nonce taken' && nonce !== null) {
    const first = await store.findMessageByNonce(caller.db, roomId, caller.actor.id, nonce);
    if (first) return first;
  }
  // What was true a moment ago is not any more: the statement checked again under the room's lock.
  if (added === 'room closed') throw new RoomArchivedError();
  if (added === 'reply target gone') throw new NotFoundError('message in this room', 'input.replyToId');
  if (added === 'not a member') throw new NotFoundError('room', 'input.roomId');
  if (added === 'nonce taken') throw new Error('a nonce is taken by no message');
  return added;
}

async function requireReplyTarget(caller: Caller, roomId: string, replyToId: string): Promise<void> {
  const [target] = await store.findMessages(caller.db, [replyToId]);
  if (target?.roomId !== roomId) throw new NotFoundError('message in this room', 'input.replyToId');
  if (target.deletedAt) throw new MessageDeletedError();
}

async function resolveMentions(caller: Caller, roomId: string, body: string) {
  const found = findMentions(body);
  if (found.actorIds.length > maxMentions) {
    throw new ValidationError('input.body', `must not mention more than ${maxMentions} people`);
  }
  const mentionedIds = found.actorIds.length ? await store.findMembersAmong(caller.db, roomId, found.actorIds) : [];
  const kind = found.room || mentionedIds.length > 0 ? ('MENTION' as const) : ('TEXT' as const);
  return { kind, mentionsRoom: found.room, mentionedIds };
}

/** The message, if the caller may read it where it is. @throws NotFoundError */
async function requireMessage(caller: Caller, messageId: string): Promise<store.MessageRecord> {
  const [message] = await loadMessages(caller, [messageId]);
  if (!message) throw new NotFoundError('message', 'input.messageId');
  return message;
}

/**
 * Replaces the body of an own message; the body before stays in `Message.edits`.
 * @returns the message and the room's version that this edit made.
 * @throws NotFoundError, ValidationError, ForbiddenError, MessageDeletedError, RoomArchivedError
 */
export async function editMessage(caller: Caller, messageId: string, newBody: string) {
  const body = parseBody(newBody);
  const found = await requireMessage(caller, messageId);
  requireEditable(caller.actor, found);
  const mentions = await resolveMentions(caller, found.roomId, body);
  return changeRoom(caller, messageRules.edit, found.roomId, async (tx, { room }) => {
    const [current] = await store.findMessages(tx, [messageId]);
    if (!current) throw new NotFoundError('message', 'input.messageId');
    requireEditable(caller.actor, current);
    if (current.body === body) return { message: current, version: room.version };
    const kind = current.kind === 'FILE' ? current.kind : mentions.kind;
    const message = await store.editMessage(tx, messageId, caller.actor.id, { ...mentions, kind, body });
    const change = { kind: 'MESSAGE_EDITED', actorId: caller.actor.id, message } as const;
    return { message, version: await caller.roomLog.addChange(tx, found.roomId, change) };
  });
}

/**
 * Deletes a message softly: its place stays, its body is not shown any more. Doing it twice changes nothing.
 * @returns the message and the room's version that the deletion made.
 * @throws NotFoundError, ForbiddenError
 */
export async function deleteMessage(caller: Caller, messageId: string) {
  const found = await requireMessage(caller, messageId);
  const rule = deletionRule(caller.actor, found);
  const work: Parameters<typeof changeRoom<{ message: store.MessageRecord; version: bigint }>>[3] = async (
    tx,
    view,
  ) => {
    const deleted = await store.deleteMessage(tx, messageId);
    if (!deleted) return { message: found, version: view.room.version };
    const { authorId, createdAt } = deleted;
    caller.audit.record(tx, {
      action: 'message.delete',
      targetType: 'Message',
      targetId: messageId,
      metadata: {
        roomId: encodeId('Room', found.roomId),
        own: authorId === caller.actor.id,
        sentAt: createdAt.toISOString(),
      },
    });
    const change = { kind: 'MESSAGE_DELETED', actorId: caller.actor.id, message: deleted } as const;
    return { message: deleted, version: await caller.roomLog.addChange(tx, found.roomId, change) };
  };
  return changeRoom(caller, rule, found.roomId, work, { archivedToo: true });
}

/** Whether the caller may read the room's messages. */
export function readable(caller: Caller, view: RoomView): boolean {
  return allowed(caller, messageRules.read, view);
}

/** The messages with these ids in their order; null for one that does not exist or that the caller may not read. */
export async function loadMessages(caller: Caller, ids: readonly string[]): Promise<(store.MessageRecord | null)[]> {
  const messages = await store.findMessages(caller.db, ids);
  const roomIds = [...new Set(messages.map((message) => message.roomId))];
  const views = await loadRooms(caller, roomIds);
  const open = new Set(views.flatMap((view) => (view && readable(caller, view) ? [view.room.id] : [])));
  const byId = new Map(messages.map((message) => [message.id, message]));
  return ids.map((id) => {
    const message = byId.get(id);
    return message && open.has(message.roomId) ? message : null;
  });
}

/** The messages to which messages reply that the caller is shown: they are in the same rooms. */
export async function loadRepliedTo(caller: Caller, ids: readonly string[]): Promise<(store.MessageRecord | null)[]> {
  const byId = new Map((await store.findMessages(caller.db, ids)).map((message) => [message.id, message]));
  return ids.map((id) => byId.get(id) ?? null);
}

/**
 * The newest message of each room that is not deleted and no report, of rooms whose messages the caller has been found
 * to read.
 */
export async function loadLastMessages(
  caller: Caller,
  places: readonly { readonly roomId: string; readonly seq: bigint }[],
): Promise<(store.MessageRecord | null)[]> {
  const messages = await store.findMessagesBySeq(caller.db, places);
  const byRoom = new Map(messages.map((message) => [message.roomId, message]));
  return places.map((place) => byRoom.get(place.roomId) ?? null);
}

/**
 * Pages of messages in the rooms' order, for rooms whose messages the caller has been found to read, in one statement.
 * Without arguments a page is the newest messages of its room.
 * @throws ValidationError; also for a cursor of another room.
 */
export async function listMessages(
  caller: Caller,
  roomIds: readonly string[],
  args: PageArgs,
): Promise<Page<store.MessageRecord>[]> {
  const request = parsePage(args, (cursor, field) => positionIn(roomIds, cursor, field), true);
  const messages = await store.readMessages(caller.db, roomIds, request);
  if (roomIds.length === 1) return [toPage(request, messages)];
  const byRoom = Map.groupBy(messages, (row) => row.roomId);
  return roomIds.map((roomId) => toPage(request, byRoom.get(roomId) ?? []));
}

/** Pages of the replies to messages that the caller has been found to read, in one statement. @throws ValidationError */
export async function listReplies(
  caller: Caller,
  messages: readonly store.MessageRecord[],
  args: PageArgs,
): Promise<Page<store.MessageRecord>[]> {
  const roomIds = messages.map((message) => message.roomId);
  const request = parsePage(args, (cursor, field) => positionIn(roomIds, cursor, field));
  // Two of them may be the same message, read in two places of a query.
  const ids = [...new Set(messages.map((message) => message.id))];
  const byParent = Map.groupBy(await store.readReplies(caller.db, ids, request), (row) => row.replyToId);
  return messages.map(({ id }) => toPage(request, byParent.get(id) ?? []));
}

/** Pages of what messages said before their edits, oldest first, in one statement. @throws ValidationError */
export async function listEdits(
  caller: Caller,
  messageIds: readonly string[],
  args: PageArgs,
): Promise<Page<store.MessageEdit>[]> {
  const request = parsePage(args, (cursor, field) => {
    const [time, id] = decodeCursor('edits', ['time', 'uuid'], cursor, field);
    return { replacedAt: new Date(Number(time)), id };
  });
  const byMessage = Map.groupBy(await store.readEdits(caller.db, messageIds, request), (row) => row.messageId);
  return messageIds.map((id) => toPage(request, byMessage.get(id) ?? []));
}

export function editCursor(edit: store.MessageEdit): string {
  return encodeCursor('edits', [edit.replacedAt.getTime(), edit.id]);
}

/** The ids of the actors that each message mentions. */
export async function loadMentions(caller: Caller, messageIds: readonly string[]): Promise<string[][]> {
  const byMessage = Map.groupBy(await store.findMentionsOf(caller.db, messageIds), (row) => row.messageId);
  return messageIds.map((id) => (byMessage.get(id) ?? []).map((row) => row.actorId));
}
