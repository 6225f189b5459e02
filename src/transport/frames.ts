import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { type Handle, handleOf, writeBytes, writeText } from './directWrite.ts';

/**
 * Text messages as the frames of RFC 6455, made here because `ws` would make each of them anew: what the subscribers of an
 * operation get differs only in the id at its beginning. The network socket is the one that an upgrade was asked over,
 * which is public; `ws` writes to it too, each time a whole frame and at once, so that the two do not disturb each other
 * (extensions, which would change that, are off). Proved equal to `ws.send` in frames.test.ts.
 *
 * Text is held as its UTF-8 with one character for each byte: such a string needs one byte for each and is written as
 * latin1 without being looked at again.
 */

/** @returns the UTF-8 of a text, one character for each byte. */
export function bytesOf(text: string): string {
  return Buffer.byteLength(text) === text.length ? text : Buffer.from(text).toString('latin1');
}

/** The beginning of an unmasked text frame that is its message's only one. */
function headerOf(length: number): string {
  const bytes = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  bytes[0] = 0x81;
  if (length < 126) bytes[1] = length;
  else if (length < 65_536) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  return bytes.toString('latin1');
}

/** A ping without a payload: `ws` would write such a frame in two parts. */
const pingFrame = Buffer.from([0x89, 0]);

const beforeId = '{"id":"';
const afterId = '","type":"next","payload":';

/** What is gathered is written at the latest when it is as long: up to here a write copies nothing on the way. */
const gatherAtMost = 16_384;

/** The frames of one result for ids of one length: all are the same but for the id. */
class Frames {
  readonly #idLength: number;
  readonly #payload: string;
  readonly #start: string;
  readonly length: number;
  /** A frame into which the id of each socket is put. */
  #bytes: Buffer | null = null;

  constructor(idLength: number, payload: string) {
    this.#idLength = idLength;
    this.#payload = payload;
    const length = beforeId.length + idLength + afterId.length + payload.length + 1;
    this.#start = headerOf(length) + beforeId;
    this.length = this.#start.length - beforeId.length + length;
  }

  areOf(idLength: number, payload: string): boolean {
    return this.#idLength === idLength && this.#payload === payload;
  }

  textOf(id: string): string {
    return `${this.#start}${id}${afterId}${this.#payload}}`;
  }

  /**
   * As a raw server writes one buffer to all. What the system takes at once it has copied when the write returns: then the
   * bytes may become those of the next socket. What it does not take is this socket's from then on.
   */
  write(network: Socket, handle: Handle | null, id: string): void {
    if (this.length > gatherAtMost) {
      network.write(this.textOf(id), 'latin1');
      return;
    }
    if (this.#bytes) this.#bytes.write(id, this.#start.length, 'latin1');
    else this.#bytes = Buffer.from(this.textOf(id), 'latin1');
    if (!writeBytes(network, handle, this.#bytes)) this.#bytes = null;
  }
}

/** How many are kept: of the events that come in one turn, each goes to one subscriber first and to the others later. */
const keptFrames = 16;
const kept: Frames[] = [];
let oldest = 0;
let latest = new Frames(0, '');

/** The sockets of an operation get its result one after the other, most often. */
function framesOf(idLength: number, payload: string): Frames {
  if (latest.areOf(idLength, payload)) return latest;
  const known = kept.find((each) => each.areOf(idLength, payload));
  latest = known ?? new Frames(idLength, payload);
  if (!known) {
    kept[oldest] = latest;
    oldest = (oldest + 1) % keptFrames;
  }
  return latest;
}

/** Who waits until what was written has been taken. */
interface Waiting {
  resume(): void;
}

/** How long the frames of a busy socket are gathered, in milliseconds. */
const gatherFor = 5;
/** A socket is busy when something was written to it so many milliseconds ago, not counting the rest of that turn. */
const busyWithin = 50;

/**
 * How many lone messages are written together, or as many as a turn of the event loop has: what is done for each of them
 * before finds its objects and its code in the cache, as long as the kernel, which fills it, has not been called.
 */
const dueAtMost = 64;

/** A lone message that is written before the turn ends. */
interface Due {
  readonly writer: FrameWriter;
  readonly frames: Frames;
  readonly id: string;
}

/**
 * The sockets that have something gathered. All of them are written to when the time of the first has come: one timer,
 * however many they are.
 */
export function createGatherer() {
  let waiting: FrameWriter[] = [];
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
    add(writer: FrameWriter): void {
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
    writeSoon(writer: FrameWriter, frames: Frames, id: string): void {
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

const nowhere = -1;

/**
 * Writes to one socket. A message that comes alone is written in the same turn of the event loop; those that come soon
 * after another are gathered into one write. Whoever writes to the socket otherwise calls `flush` before.
 */
export class FrameWriter {
  readonly #socket: WebSocket;
  readonly #network: Socket;
  readonly #handle: Handle | null;
  readonly #gatherer: Gatherer;
  /** Bytes that may wait in the process before its operations are made to. */
  readonly #limit: number;
  #gathered = '';
  /** Where its lone message stands among those that are due in this turn. */
  place = nowhere;
  /** The turn in which it was written to; before the first, one that was before all. */
  writtenIn = -1;

  constructor(socket: WebSocket, network: Socket, gatherer: Gatherer, limit: number) {
    this.#socket = socket;
    this.#network = network;
    this.#handle = handleOf(network);
    this.#gatherer = gatherer;
    this.#limit = limit;
  }

  /**
   * Writes the result of an operation, unless the socket is closed or closing.
   * @param id of the operation, as it stands in JSON, in bytes.
   * @param payload JSON, in bytes.
   * @returns false when the socket does not take what was written: `waiting` is resumed when it has.
   */
  write(id: string, payload: string, waiting: Waiting): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return true;
    const frames = framesOf(id.length, payload);
    if (this.#network.writableLength >= this.#limit) {
      this.flush();
      this.#network.write(frames.textOf(id), 'latin1', () => waiting.resume());
      return false;
    }
    // Not alone any more.
    if (this.place !== nowhere && this.#gathered === '') this.#gathered = this.#gatherer.textAt(this.place);
    if (this.#gathered.length + frames.length > gatherAtMost) this.flush();
    else if (this.#gathered !== '') {
      this.#gathered += frames.textOf(id);
      return true;
    }
    if (frames.length > gatherAtMost) {
      this.writtenIn = this.#gatherer.thisTurn();
      frames.write(this.#network, this.#handle, id);
    } else if (this.#gatherer.isLately(this.writtenIn)) {
      this.#gathered = frames.textOf(id);
      this.#gatherer.add(this);
    } else {
      this.writtenIn = this.#gatherer.thisTurn();
      this.#gatherer.writeSoon(this, frames, id);
    }
    return true;
  }

  /** Its turn has come: what is due is written, with what came since. */
  writeDue(frames: Frames, id: string): void {
    this.place = nowhere;
    if (this.#gathered !== '') this.flush();
    else if (this.#socket.readyState === WebSocket.OPEN) frames.write(this.#network, this.#handle, id);
  }

  ping(): void {
    writeBytes(this.#network, this.#handle, pingFrame);
  }

  /** Calls back when the network has taken everything. @returns false when it has nothing to take that would be worth it. */
  whenTaken(callback: () => void): boolean {
    if (!this.#network.writableNeedDrain || this.#network.writableLength <= this.#limit) return false;
    this.#network.once('drain', callback);
    return true;
  }

  /** Writes at once what is due and what was gathered. */
  flush(): void {
    if (this.place !== nowhere) this.#gatherer.write(this.place);
    if (this.#gathered === '') return;
    const frames = this.#gathered;
    this.#gathered = '';
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.writtenIn = this.#gatherer.thisTurn();
    writeText(this.#network, this.#handle, frames);
  }
}
