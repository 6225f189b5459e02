import { NotFoundError } from '../../kernel/errors.ts';
import type { Caller } from '../caller.ts';
import { messageRules } from '../messages/messages.rules.ts';
import { allowed, requireActiveRoom } from '../rooms/rooms.access.ts';
import { loadRooms } from '../rooms/rooms.service.ts';
import type { TypingChange } from './presence.types.ts';

/**
 * The caller types in a room, or has stopped. Too often is no error: then it does nothing.
 * @throws NotFoundError, ForbiddenError, RoomArchivedError
 */
export async function setTyping(caller: Caller, roomId: string, typing: boolean): Promise<void> {
  await requireActiveRoom(caller, messageRules.send, roomId, 'input.roomId');
  await caller.typing.tell(caller.db.tenantId, roomId, caller.actor.id, typing);
}

/**
 * Who types in a room, less the caller. Ends when the caller may not read it any more, and when it is archived.
 * @throws NotFoundError, ForbiddenError, RoomArchivedError
 */
export async function followTyping(caller: Caller, roomId: string): Promise<AsyncIterableIterator<TypingChange>> {
  const { room } = await requireActiveRoom(caller, messageRules.read, roomId, 'roomId');
  const changes = caller.typing.follow(caller.db.tenantId, roomId, {
    actorId: caller.actor.id,
    since: room.version,
    mayStay: () => mayFollow(caller, roomId),
  });
  // Once more, now that nothing escapes the follower: others may have been served from a later version on.
  if (await mayFollow(caller, roomId)) return changes;
  await changes.return?.();
  throw new NotFoundError('room', 'roomId');
}

async function mayFollow(caller: Caller, roomId: string): Promise<boolean> {
  const [view] = await loadRooms(caller, [roomId]);
  return view != null && view.room.archivedAt === null && allowed(caller, messageRules.read, view);
}
