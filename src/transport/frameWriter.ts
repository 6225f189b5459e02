import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import { type Handle, handleOf, writeBytes, writeText } from './directWrite.ts';
import { type Frames, framesOf, gatherAtMost, pingFrame, pingText } from './frames.ts';
import type { Gatherer } from './gatherer.ts';

/** Who waits until what was written has been taken. */
interface Waiting {
  resume(): void;
}

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
  #owesPing = false;

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
    else if (this.#socket.readyState !== WebSocket.OPEN) return;
    else if (this.#owesPing) writeText(this.#network, this.#handle, this.#withPing(frames.textOf(id)));
    else frames.write(this.#network, this.#handle, id);
  }

  /** A ping goes along with the next message: as a write of its own it costs as much as that. */
  ping(): void {
    this.#owesPing = true;
  }

  /** For want of a message the ping goes alone. */
  pingAlone(): void {
    if (!this.#owesPing) return;
    this.#owesPing = false;
    if (this.#socket.readyState === WebSocket.OPEN) writeBytes(this.#network, this.#handle, pingFrame);
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
    const gathered = this.#gathered;
    this.#gathered = '';
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.writtenIn = this.#gatherer.thisTurn();
    writeText(this.#network, this.#handle, this.#withPing(gathered));
  }

  #withPing(frames: string): string {
    if (!this.#owesPing) return frames;
    this.#owesPing = false;
    return frames + pingText;
  }
}
