import { LegalHoldError, NotFoundError } from '../../kernel/errors.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { loadMessages } from '../messages/messages.service.ts';
import * as erasing from './erasing.store.ts';
import * as policies from './policies.store.ts';
import { purgeRules } from './purge.rules.ts';
import { lockRoom } from './purge.store.ts';

/** Replies let go in one transaction; a thread may be longer than any of them should be. */
const repliesAtOnce = 500;

/**
 * Removes one message for good, deleted or not: its place, its body, its edits and its mentions. Replies to it stay, and
 * are replies no more. The caller has to be able to read it: a role in the tenant opens no room.
 * @returns the room, and its version after the removal.
 * @throws ForbiddenError, NotFoundError, LegalHoldError
 */
export async function removeMessage(caller: Caller, messageId: string): Promise<{ roomId: string; version: bigint }> {
  requireInTenant(caller.actor, purgeRules.remove);
  const [found] = await loadMessages(caller, [messageId]);
  if (!found) throw new NotFoundError('message', 'input.messageId');
  for (;;) {
    const version = await tryToRemove(caller, found.roomId, messageId);
    if (version !== null) return { roomId: found.roomId, version };
  }
}

/** @returns null when it had more replies than go at once: some of them were let go. */
async function tryToRemove(caller: Caller, roomId: string, messageId: string): Promise<bigint | null> {
  return caller.db.transaction(async (tx) => {
    await policies.keepHolds(tx);
    const hold = await policies.findHold(tx, roomId);
    if (hold.tenant || hold.room) throw new LegalHoldError(hold.tenant ? 'TENANT' : 'ROOM');
    await lockRoom(tx, roomId);
    const message = await erasing.findCandidate(tx, roomId, messageId);
    if (!message) throw new NotFoundError('message', 'input.messageId');
    if (!(await erasing.removeMessages(tx, roomId, [message], repliesAtOnce))) return null;
    await erasing.settlePreview(tx, roomId, [message]);
    const change = { kind: 'MESSAGE_REMOVED', actorId: caller.actor.id, messageId } as const;
    const version = await caller.roomLog.addChange(tx, roomId, change);
    const metadata = { sentAt: message.createdAt.toISOString(), wasDeleted: message.deleted };
    caller.audit.record(tx, { action: 'message.remove', targetType: 'Message', targetId: messageId, metadata });
    return version;
  });
}
