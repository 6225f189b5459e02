import type { Delivered } from '../../events/delivered.ts';
import { endingWith } from '../../events/iterators.ts';
import { positionIn } from '../../events/position.ts';
import { decodeViewerPosition, encodeViewerPosition } from '../../events/viewerPosition.ts';
import { readSnapshot } from '../../events/viewerRooms.ts';
import type { Caller } from '../caller.ts';
import { requireRoom } from '../rooms/rooms.access.ts';
import { loadRooms } from '../rooms/rooms.service.ts';
import { messageRules } from './messages.rules.ts';
import { readable } from './messages.service.ts';

/**
 * Follows a room, or (without one) all rooms in which the caller is a member. With `after` everything since that cursor
 * comes first. A room's stream ends when the caller may not read it any more, and when it is archived.
 * @throws NotFoundError, ForbiddenError, ValidationError (a cursor of something else)
 */
export async function follow(
  caller: Caller,
  roomId: string | null,
  after: string | undefined,
): Promise<AsyncIterableIterator<Delivered>> {
  const { tenantId } = caller.db;
  if (roomId === null) {
    const position = after === undefined ? null : decodeViewerPosition(after, 'after');
    return caller.live.viewer(tenantId, caller.actor.id, position);
  }
  await requireRoom(caller, messageRules.read, roomId, 'roomId');
  const position = after === undefined ? null : positionIn([roomId], after, 'after');
  return whileReadable(caller, roomId, caller.live.room(tenantId, roomId, position));
}

/** The position of now in all of the caller's rooms. */
export async function viewerCursor(caller: Caller): Promise<string> {
  return encodeViewerPosition({ snapshot: await readSnapshot(caller.db), since: new Map(), sweep: null });
}

function whileReadable(
  caller: Caller,
  roomId: string,
  events: AsyncIterableIterator<Delivered>,
): AsyncIterableIterator<Delivered> {
  async function* guarded(): AsyncGenerator<Delivered, void> {
    for await (const event of events) {
      yield event;
      const leaving = event.type === 'MEMBER_REMOVED' && event.memberId === caller.actor.id;
      // An event may be of long ago, when it is replayed: what counts is how the room stands now.
      if ((leaving || event.type === 'ROOM_UPDATED') && !(await isOpen(caller, roomId))) return;
    }
  }
  return endingWith(guarded(), () => void events.return?.());
}

async function isOpen(caller: Caller, roomId: string): Promise<boolean> {
  const [view] = await loadRooms(caller, [roomId]);
  return view != null && readable(caller, view) && view.room.archivedAt === null;
}
