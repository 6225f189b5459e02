import { NotFoundError } from '../../kernel/errors.ts';
import type { Caller } from '../caller.ts';
import { loadMessages } from '../messages/messages.service.ts';
import { requireRoom } from '../rooms/rooms.access.ts';
import { readingRules } from './reading.rules.ts';
import * as store from './reading.store.ts';

/**
 * The caller has read the room up to a message, or all of it. Markers only move forward: an earlier message changes
 * nothing. The other members' clients are told.
 * @throws NotFoundError, ForbiddenError
 */
export async function markRead(caller: Caller, roomId: string, messageId: string | undefined): Promise<void> {
  await requireRoom(caller, readingRules.markRead, roomId, 'input.roomId');
  const seq = messageId === undefined ? null : await seqInRoom(caller, roomId, messageId);
  const actorId = caller.actor.id;
  await caller.db.transaction(async (tx) => {
    const moved = await store.moveReadMarker(tx, roomId, actorId, seq);
    if (moved) {
      tx.afterCommit(() => caller.roomLog.announce(caller.db.tenantId, { type: 'READ', roomId, actorId, ...moved }));
    }
  });
}

async function seqInRoom(caller: Caller, roomId: string, messageId: string): Promise<bigint> {
  const [message] = await loadMessages(caller, [messageId]);
  if (message?.roomId !== roomId) throw new NotFoundError('message in this room', 'input.messageId');
  return message.seq;
}
