import { constants, fstatSync, openSync, writeSync } from 'node:fs';

/** Bytes that are written together. A write for each line was a part of the cost of every request. */
const writtenTogether = 4_096;
/** Milliseconds after which less is written, too. A process that is killed loses what it has said in them. */
const writtenWithin = 100;
/** Characters that wait for a reader who has stopped reading; what comes then is dropped. Nobody waits for one. */
const waitingAtMost = 16 * 1024 * 1024;
/** Milliseconds between two tries where the reader takes nothing, and how often it is tried when the process ends. */
const retryAfter = 20;
const lastTries = 50;

/** What may be otherwise the next time: a reader who is behind, a disk that is full. */
const passing: ReadonlySet<string> = new Set(['EAGAIN', 'ENOSPC', 'EDQUOT']);

export interface LogOutput {
  write(line: string): void;
  /** Writes what waits, as the process ends: not for longer than a second. */
  finish(): void;
}

/**
 * Writes lines to standard output without waiting for whoever reads them, and ends also where nobody does. pino's own
 * destinations wait for the reader, with each line or in a thread that keeps the process from ending; and for one who has
 * gone they wait for good.
 */
export function createLogOutput(): LogOutput {
  const output = unblocked();
  let lines: string[] = [];
  /** Characters of `lines`; as good as bytes here. */
  let length = 0;
  /** What the reader has not taken at once. */
  let rest: Buffer = Buffer.alloc(0);
  let isDue = false;
  let gone = false;

  /** @returns whether the reader takes more. */
  function writeSome(): boolean {
    if (rest.length === 0) {
      rest = Buffer.from(lines.join(''));
      lines = [];
      length = 0;
    }
    try {
      rest = rest.subarray(writeSync(output, rest));
      return true;
    } catch (error) {
      gone = !(error instanceof Error && 'code' in error && passing.has(String(error.code)));
      return false;
    }
  }

  const waits = () => !gone && rest.length + length > 0;

  function flush(): void {
    isDue = false;
    if (waits()) writeSome();
    if (waits()) flushAfter(rest.length > 0 ? retryAfter : writtenWithin);
  }

  function flushAfter(milliseconds: number): void {
    if (isDue) return;
    isDue = true;
    setTimeout(flush, milliseconds).unref();
  }

  return {
    write(line) {
      if (gone || length > waitingAtMost) return;
      lines.push(line);
      length += line.length;
      if (length >= writtenTogether && rest.length === 0) writeSome();
      if (waits()) flushAfter(rest.length > 0 ? retryAfter : writtenWithin);
    },
    finish() {
      for (let tries = 0; waits() && tries < lastTries; ) {
        if (writeSome()) continue;
        tries++;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, retryAfter);
      }
    },
  };
}

/** Standard output, so that to write to it never waits. */
function unblocked(): number {
  const output = 1;
  try {
    const kind = fstatSync(output);
    // A pipe is opened once more, and so stays as it was for all others who have it.
    if (kind.isFIFO()) return reopened(output) ?? process.stdout.fd;
    // Of a socket, which cannot be opened again, Node does so when it is first looked at.
    if (kind.isSocket()) return process.stdout.fd;
  } catch {
    // Nothing is open there: then writing says so.
  }
  return output;
}

/** Null where it cannot be: not on Linux, nobody reads, or the pipe is of another user, who has started this process. */
function reopened(pipe: number): number | null {
  try {
    return openSync(`/proc/self/fd/${pipe}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}
