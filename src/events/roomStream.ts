import type { TenantQueries } from '../db/sql.ts';
import type { ReadEvent, RoomEvent } from './catalogue.ts';
import type { Delivered, DeliveredEvent } from './delivered.ts';
import { roomPosition } from './position.ts';
import type { Replays } from './replays.ts';
import type { FeedListener, RoomFeed } from './roomFeed.ts';
import { readRoomLog } from './roomLog.ts';
import { LiveStream, type Sink } from './stream.ts';

const replayPage = 200;
/** Before all versions. */
const none = -1;

/** What the streams of a process have in common. */
export interface RoomSources {
  readonly feedOf: (tenantId: string, roomId: string) => RoomFeed;
  readonly replays: Replays;
  /** How many events may wait for a subscriber before it is told to resync. */
  readonly queueEvents: number;
}

/** One subscriber of one room: what it missed from the log, then live, each change once. */
class RoomStream extends LiveStream<Delivered> implements FeedListener {
  readonly #sources: RoomSources;
  readonly #tenantId: string;
  #roomId: string;
  #sink: Sink<Delivered> | null = null;
  #feed: RoomFeed | null = null;
  /**
   * The newest version that was handed on; before the first, where it starts, or `none`: with what comes next. A number,
   * for a bigint would be an object of its own for each subscriber, which stays with it until the next event.
   */
  #last: number;
  /** What came while nothing could be handed on. */
  #queue: (DeliveredEvent | ReadEvent)[] | null = null;
  /** What was missed is being replayed: what comes meanwhile waits. */
  #replaying = true;
  /** The sink takes no more for the time being. */
  #full = false;
  /** More came than may wait: after what waits it is told to resync, and that is the end. */
  #overflowed = false;
  #farewell = false;
  #stopped = false;
  /** Lets a replay go on. */
  #resumed: (() => void) | null = null;

  constructor(sources: RoomSources, tenantId: string, roomId: string, after: bigint | null) {
    super();
    this.#sources = sources;
    this.#tenantId = tenantId;
    this.#roomId = roomId;
    this.#last = after === null ? none : Number(after);
  }

  listen(sink: Sink<Delivered>): void {
    if (this.#stopped) return;
    this.#sink = sink;
    void this.#begin();
  }

  resume(): void {
    this.#full = false;
    if (this.#resumed) {
      const resumed = this.#resumed;
      this.#resumed = null;
      resumed();
    } else if (!this.#replaying) this.#drain();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#sink = null;
    this.#queue = null;
    this.#feed?.remove(this);
    this.#resumed?.();
  }

  /** From the feed. */
  take(event: DeliveredEvent | ReadEvent): void {
    if (!this.#replaying && !this.#full && this.#queue === null) {
      this.#hand(event);
      return;
    }
    this.#queue ??= [];
    if (this.#queue.length < this.#sources.queueEvents) {
      this.#queue.push(event);
      return;
    }
    this.#overflowed = true;
    this.#feed?.remove(this);
  }

  fail(error: unknown): void {
    const sink = this.#sink;
    this.stop();
    sink?.done(error);
  }

  async #begin(): Promise<void> {
    try {
      // Not before somebody listens: a feed is closed for good when its last listener leaves meanwhile.
      this.#feed = this.#sources.feedOf(this.#tenantId, this.#roomId);
      // The same id for all who listen, instead of one for each that has asked.
      this.#roomId = this.#feed.roomId;
      const start = await this.#feed.add(this);
      if (this.#last === none) this.#last = Number(start);
      else if (this.#last < start) await this.#replay(BigInt(this.#last), start);
      this.#replaying = false;
      this.#drain();
    } catch (error) {
      this.fail(error);
    }
  }

  async #replay(after: bigint, start: bigint): Promise<void> {
    const roomId = this.#roomId;
    for (let last = after; last < start; ) {
      const page = await this.#sources.replays.read(this.#tenantId, roomId, last);
      if (!page) {
        this.#last = Number(start);
        this.#offer({ type: 'RESYNC', roomId, cursor: roomPosition(roomId, start), reason: 'CURSOR_TOO_OLD' });
        return;
      }
      for (const event of page.events) {
        if (this.#full) await this.#resume();
        if (this.#stopped) return;
        this.#last = Number(event.version);
        this.#offer(event);
      }
      if (page.complete || page.last === null) return;
      last = page.last;
    }
  }

  #resume(): Promise<void> {
    return new Promise((resolve) => {
      this.#resumed = resolve;
    });
  }

  #offer(event: Delivered): void {
    if (this.#sink && !this.#sink.take(event)) this.#full = true;
  }

  #hand(event: DeliveredEvent | ReadEvent): void {
    if (event.type !== 'READ') {
      const version = Number(event.version);
      if (version <= this.#last) return;
      this.#last = version;
    }
    this.#offer(event);
  }

  #drain(): void {
    while (this.#queue !== null && !this.#full) {
      const event = this.#queue.shift();
      if (event) this.#hand(event);
      else this.#queue = null;
    }
    if (!this.#overflowed || this.#full || this.#stopped) return;
    if (!this.#farewell) {
      this.#farewell = true;
      const roomId = this.#roomId;
      const cursor = roomPosition(roomId, BigInt(Math.max(this.#last, 0)));
      this.#offer({ type: 'RESYNC', roomId, cursor, reason: 'TOO_SLOW' });
      if (this.#full) return;
    }
    this.fail(undefined);
  }
}

/** @param after null starts with what comes next. */
export function createRoomStream(
  sources: RoomSources,
  tenantId: string,
  roomId: string,
  after: bigint | null,
): LiveStream<Delivered> {
  return new RoomStream(sources, tenantId, roomId, after);
}

/** The room's log after a version, up to another at least. */
export async function* replay(
  db: TenantQueries,
  roomId: string,
  after: bigint,
  upTo: bigint,
): AsyncGenerator<RoomEvent & { readonly replayed: true }, void> {
  let last = after;
  for (let complete = false; !complete && last < upTo; ) {
    const page = await readRoomLog(db, roomId, last, replayPage);
    complete = page.complete;
    for (const event of page.events) {
      last = event.version;
      yield { ...event, replayed: true };
    }
    if (page.last !== null) last = page.last;
  }
}
