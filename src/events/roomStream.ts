import type { TenantQueries } from '../db/sql.ts';
import type { ReadEvent, RoomEvent } from './catalogue.ts';
import type { Delivered } from './delivered.ts';
import { endingWith } from './iterators.ts';
import { roomPosition } from './position.ts';
import { createQueue } from './queue.ts';
import type { RoomFeed } from './roomFeed.ts';
import { readRoomLog, roomLogState } from './roomLog.ts';

const replayPage = 200;

/**
 * One subscriber of one room: what it missed from the log, then live, each change once.
 * @param queueEvents how many may wait for it before it is told to resync.
 */
export function createRoomStream(
  openFeed: () => RoomFeed,
  db: TenantQueries,
  roomId: string,
  after: bigint | null,
  queueEvents: number,
): AsyncIterableIterator<Delivered> {
  let overflowed = false;
  let feed: RoomFeed | null = null;
  const live = createQueue<RoomEvent | ReadEvent>(queueEvents, () => feed?.remove(listener));
  const listener = (event: RoomEvent | ReadEvent) => {
    if (live.push(event)) return;
    overflowed = true;
    live.end();
  };
  const at = (version: bigint) => roomPosition(roomId, version);

  async function* deliver(): AsyncGenerator<Delivered, void> {
    try {
      // Not before the first event is asked for: a feed is closed for good when its last listener leaves meanwhile.
      feed = openFeed();
      const start = await feed.add(listener);
      let last = after ?? start;
      if (last < start) {
        const [state] = await db.query(roomLogState, roomId);
        if (!state || last < state.floor) {
          yield { type: 'RESYNC', roomId, cursor: at(start), reason: 'CURSOR_TOO_OLD' };
          last = start;
        }
        for await (const event of replay(db, roomId, last, start)) {
          last = event.version;
          yield { ...event, cursor: at(last) };
        }
      }
      for await (const event of live) {
        if (event.type === 'READ') yield event;
        else if (event.version > last) {
          last = event.version;
          yield { ...event, cursor: at(last) };
        }
      }
      if (overflowed) yield { type: 'RESYNC', roomId, cursor: at(last), reason: 'TOO_SLOW' };
    } finally {
      live.end(true);
    }
  }

  return endingWith(deliver(), () => live.end(true));
}

/** The room's log after a version, up to another at least. */
export async function* replay(
  db: TenantQueries,
  roomId: string,
  after: bigint,
  upTo: bigint,
): AsyncGenerator<RoomEvent, void> {
  let last = after;
  for (let complete = false; !complete && last < upTo; ) {
    const page = await readRoomLog(db, roomId, last, replayPage);
    complete = page.complete;
    for (const event of page.events) {
      last = event.version;
      yield event;
    }
    if (page.last !== null) last = page.last;
  }
}
