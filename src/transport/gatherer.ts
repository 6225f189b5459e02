import type { Frames } from './frames.ts';

/** How long the frames of a busy socket are gathered, in milliseconds. */
const gatherFor = 5;
/** A socket is busy when something was written to it so many milliseconds ago, not counting the rest of that turn. */
const busyWithin = 50;

/**
 * How many lone messages are written together, or as many as a turn of the event loop has: what is done for each of them
 * before finds its objects and its code in the cache, as long as the kernel, which fills it, has not been called.
 */
const dueAtMost = 64;

/** Writes to one socket. */
interface Writer {
  /** Where its lone message stands among those that are due in this turn. */
  place: number;
  /** Its turn has come. */
  writeDue(frames: Frames, id: string): void;
  flush(): void;
}

/** A lone message that is written before the turn ends. */
interface Due {
  readonly writer: Writer;
  readonly frames: Frames;
  readonly id: string;
}

/**
 * The sockets that have something gathered. All of them are written to when the time of the first has come: one timer,
 * however many they are.
 */
export function createGatherer() {
  let waiting: Writer[] = [];
  /** Null for what was written sooner. */
  let due: (Due | null)[] = [];
  /** Turns of the event loop in which something was written, by their number; the one that has not ended is `turn`. */
  let turn = 0;
  let isEnding = false;
  /** When each turn from `oldest` on ended: those before ended so long ago that whoever was written to is not busy. */
  const ends: number[] = [];
  let oldest = 0;
  /** The time of this turn, once it was asked for. */
  let now: number | null = null;

  function flush(): void {
    const writers = waiting;
    waiting = [];
    for (const writer of writers) writer.flush();
  }

  function writeDue(): void {
    const all = due;
    due = [];
    for (const each of all) each?.writer.writeDue(each.frames, each.id);
  }

  // To write to all sockets of a large room takes long itself: none of them has been left alone for that time. Otherwise
  // the busiest room would be the one in which nothing is gathered. The turn has its end written down, and not each of its
  // sockets: that would fetch all of them once more.
  function endTurn(): void {
    writeDue();
    const end = performance.now();
    ends.push(end);
    while (end - (ends[0] ?? end) >= busyWithin) {
      ends.shift();
      oldest++;
    }
    turn++;
    isEnding = false;
    now = null;
  }

  function thisTurn(): number {
    if (!isEnding) {
      isEnding = true;
      process.nextTick(endTurn);
    }
    return turn;
  }

  return {
    add(writer: Writer): void {
      if (waiting.push(writer) === 1) setTimeout(flush, gatherFor);
    },
    /** To be asked before something is written. @returns the number of this turn. */
    thisTurn,
    /** Whether it is not long since a turn, by its number. */
    isLately(writtenIn: number): boolean {
      if (writtenIn === thisTurn()) return true;
      if (writtenIn < oldest) return false;
      now ??= performance.now();
      return now - (ends[writtenIn - oldest] ?? now) < busyWithin;
    },
    /** Writes it before the turn ends. */
    writeSoon(writer: Writer, frames: Frames, id: string): void {
      writer.place = due.push({ writer, frames, id }) - 1;
      if (due.length >= dueAtMost) writeDue();
    },
    /** What is due there, as text. */
    textAt(place: number): string {
      const found = due[place];
      return found ? found.frames.textOf(found.id) : '';
    },
    /** What is due there is written at once. */
    write(place: number): void {
      const found = due[place];
      due[place] = null;
      found?.writer.writeDue(found.frames, found.id);
    },
  };
}

export type Gatherer = ReturnType<typeof createGatherer>;
