import { Socket } from 'node:net';

const [dataRow, bindComplete, commandComplete] = Buffer.from('D2C');
/** Of each message: one byte for its kind and four for its length, which counts itself and what follows. */
const headerLength = 5;
/** Bytes that are read at once: a page of messages takes 8 to 20 thousand. Each connection keeps so many. */
const readAtMost = 64 * 1024;

/** Takes out of the stream what a statement gives. */
export interface Taker {
  /** @param start where the columns of the row begin, after the header of the message. */
  takeRow(buffer: Buffer, start: number, end: number): void;
  /** The statement has given all its rows. */
  completed(): void;
}

/**
 * A connection to PostgreSQL for `pg` (its option `stream`) from which rows can be taken before `pg` sees them: it makes
 * a string of each cell and an array of each row, which for a page of messages is half of the cost of reading it. With the
 * rows go the messages that stand before and behind them. All others come to `pg` as they would, in the order in which
 * they were sent.
 *
 * What comes is read into the same buffer each time, past the buffering of streams. Invariant: nothing of it is kept
 * beyond the call in which it came.
 */
export class RowSocket extends Socket {
  #begun = false;
  /** The beginning of a message of which the rest has not come. */
  #rest: Buffer | null = null;
  /** Who takes what is executed; null where `pg` shall have it. */
  taker: Taker | null = null;

  constructor() {
    let receive: (chunk: Buffer) => void = () => undefined;
    const buffer = Buffer.allocUnsafeSlow(readAtMost);
    const callback = (length: number) => {
      receive(buffer.subarray(0, length));
      return true;
    };
    super({ onread: { buffer, callback } });
    receive = (chunk) => this.receive(chunk);
  }

  /**
   * From now on messages are told apart. To be called when the server has answered everything: what comes next is the
   * beginning of a message.
   */
  begin(): void {
    this.#begun = true;
  }

  /** @param chunk what has come; only lent. */
  receive(chunk: Buffer): void {
    // Of what is not told apart, `pg` may keep a part.
    if (!this.#begun) this.emit('data', Buffer.from(chunk));
    else if (this.#rest) this.#split(Buffer.concat([this.#rest, chunk]), false);
    else this.#split(chunk, true);
  }

  #split(buffer: Buffer, isLent: boolean): void {
    let passFrom = 0;
    let at = 0;
    while (at + headerLength <= buffer.length) {
      const end = at + 1 + buffer.readUInt32BE(at + 1);
      if (end > buffer.length) break;
      if (this.taker && isTaken(buffer[at])) {
        // What came before may be what tells whose row it is.
        if (passFrom < at) this.emit('data', buffer.subarray(passFrom, at));
        passFrom = end;
        if (buffer[at] === dataRow) this.taker?.takeRow(buffer, at + headerLength, end);
        else if (buffer[at] === commandComplete) this.taker?.completed();
      }
      at = end;
    }
    const rest = buffer.subarray(at);
    this.#rest = rest.length === 0 ? null : isLent ? Buffer.from(rest) : rest;
    if (passFrom < at) this.emit('data', buffer.subarray(passFrom, at));
  }
}

function isTaken(kind: number | undefined): boolean {
  return kind === dataRow || kind === bindComplete || kind === commandComplete;
}
