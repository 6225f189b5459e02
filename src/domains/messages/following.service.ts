import type { Delivered } from '../../events/live.ts';
import { positionIn } from '../../events/position.ts';
import type { Caller } from '../caller.ts';
import { requireRoom } from '../rooms/rooms.access.ts';
import { messageRules } from './messages.rules.ts';

/**
 * Follows a room live. With `after` everything since that cursor comes first.
 * @throws NotFoundError, ForbiddenError, ValidationError (a cursor that is not of this room)
 */
export async function followRoom(
  caller: Caller,
  roomId: string,
  after: string | undefined,
): Promise<AsyncIterableIterator<Delivered>> {
  await requireRoom(caller, messageRules.read, roomId, 'roomId');
  const position = after === undefined ? null : positionIn([roomId], after, 'after');
  return caller.live.room(caller.db.tenantId, roomId, position);
}
