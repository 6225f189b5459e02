import type { Socket } from 'node:net';
import { type Handle, writeBytes } from './directWrite.ts';

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
  if (length < 126) return String.fromCharCode(0x81, length);
  if (length < 65_536) return String.fromCharCode(0x81, 126, length >>> 8, length & 0xff);
  const bytes = Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
  bytes.writeBigUInt64BE(BigInt(length), 2);
  return bytes.toString('latin1');
}

/** A ping without a payload: `ws` would write such a frame in two parts. */
export const pingFrame = Buffer.from([0x89, 0]);
export const pingText = pingFrame.toString('latin1');

const beforeId = '{"id":"';
const afterId = '","type":"next","payload":';

/** What is gathered is written at the latest when it is as long: up to here a write copies nothing on the way. */
export const gatherAtMost = 16_384;

/** The frames of one result for ids of one length: all are the same but for the id. */
export class Frames {
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
export function framesOf(idLength: number, payload: string): Frames {
  if (latest.areOf(idLength, payload)) return latest;
  const known = kept.find((each) => each.areOf(idLength, payload));
  latest = known ?? new Frames(idLength, payload);
  if (!known) {
    kept[oldest] = latest;
    oldest = (oldest + 1) % keptFrames;
  }
  return latest;
}
