import type { Delivered } from '../../events/delivered.ts';
import { positionIn } from '../../events/position.ts';
import { type LiveStream, Stage } from '../../events/stream.ts';
import { decodeViewerPosition, encodeViewerPosition } from '../../events/viewerPosition.ts';
import { readSnapshot } from '../../events/viewerRooms.ts';
import type { Caller } from '../caller.ts';
import { admitToRoom } from '../rooms/rooms.access.ts';
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
): Promise<LiveStream<Delivered>> {
  const { tenantId } = caller.db;
  if (roomId === null) {
    const position = after === undefined ? null : decodeViewerPosition(after, 'after');
    return caller.live.viewer(tenantId, caller.actor.id, position);
  }
  const { room } = await admitToRoom(caller, messageRules.read, roomId, 'roomId');
  // From where access was decided at the latest: a removal that comes before the stream stands must not be passed over,
  // nor one that comes before a place that the room has not reached.
  let start = room.version;
  const position = after === undefined ? null : positionIn([roomId], after, 'after');
  if (position !== null && position < start) start = position;
  return new WhileReadable(caller, caller.live.room(tenantId, roomId, start));
}

/** The position of now in all of the caller's rooms. */
export async function viewerCursor(caller: Caller): Promise<string> {
  return encodeViewerPosition({ snapshot: await readSnapshot(caller.db), since: new Map(), sweep: null });
}

/** Ends a room's stream after the event with which the caller may not read it any more. */
class WhileReadable extends Stage<Delivered> {
  readonly #caller: Caller;
  /** How the room stands is being looked up: nothing may come before that. */
  #checking = false;
  /** Whether the sink takes more as soon as that is known. */
  #wanted = true;

  constructor(caller: Caller, events: LiveStream<Delivered>) {
    super(events);
    this.#caller = caller;
  }

  take(event: Delivered): boolean {
    const more = this.give(event);
    const leaving = event.type === 'MEMBER_REMOVED' && event.memberId === this.#caller.actor.id;
    // An event may be of long ago, when it is replayed: what counts is how the room stands now.
    if (!leaving && event.type !== 'ROOM_UPDATED') return more;
    this.#checking = true;
    void this.#check(event.roomId, more);
    return false;
  }

  override resume(): void {
    if (this.#checking) this.#wanted = true;
    else this.source.resume();
  }

  override stop(): void {
    this.sink = null;
    this.source.stop();
  }

  async #check(roomId: string, wanted: boolean): Promise<void> {
    this.#wanted = wanted;
    let ended: { readonly error?: unknown } | null = null;
    try {
      if (!(await isOpen(this.#caller, roomId))) ended = {};
    } catch (error) {
      ended = { error };
    }
    this.#checking = false;
    if (ended) {
      const sink = this.sink;
      this.stop();
      sink?.done(ended.error);
    } else if (this.#wanted) this.source.resume();
  }
}

/** Everybody who follows the room asks it after the same event. */
async function isOpen(caller: Caller, roomId: string): Promise<boolean> {
  const view = await caller.roomViews.load(caller.db.tenantId, caller.actor.id, roomId);
  return view !== null && readable(caller, view) && view.room.archivedAt === null;
}
