/** What of an execution goes to the server. */
export interface Bound {
  /** The name under which the connection has the statement prepared. */
  readonly name: string;
  readonly values: readonly (string | null)[];
  /** Of the columns: 0 for text, 1 for binary. */
  readonly formats: readonly number[];
}

const [bind, execute, sync] = Buffer.from('BES');
/** Bytes of a message before its content: its kind, and a length that does not count the kind. */
const header = 5;
const executeLength = header + 1 + 4;
const syncLength = header;

/**
 * The messages that have prepared statements executed one after the other, and a Sync behind them, as one write. `pg` has
 * one format for all columns, and writes each message by itself.
 */
export function executionMessages(all: readonly Bound[]): Buffer {
  let size = syncLength;
  for (const bound of all) size += bindLength(bound) + executeLength;
  const buffer = Buffer.allocUnsafe(size);
  let at = 0;
  for (const bound of all) {
    at = writeBind(buffer, at, bound);
    at = writeHeader(buffer, at, execute, executeLength);
    // The portal without a name, and all of its rows.
    buffer[at++] = 0;
    at = writeInt32(buffer, at, 0);
  }
  writeHeader(buffer, at, sync, syncLength);
  return buffer;
}

function bindLength({ name, values, formats }: Bound): number {
  let length = header + 1 + Buffer.byteLength(name) + 1 + 2 + 2 + 2 + formats.length * 2;
  for (const value of values) length += 4 + (value === null ? 0 : Buffer.byteLength(value));
  return length;
}

function writeBind(buffer: Buffer, start: number, { name, values, formats }: Bound): number {
  let at = start + header;
  buffer[at++] = 0;
  at += buffer.write(name, at);
  buffer[at++] = 0;
  // No formats of parameters: all are text.
  at = writeInt16(buffer, at, 0);
  at = writeInt16(buffer, at, values.length);
  for (const value of values) {
    if (value === null) at = writeInt32(buffer, at, -1);
    else {
      const length = buffer.write(value, at + 4);
      writeInt32(buffer, at, length);
      at += 4 + length;
    }
  }
  at = writeInt16(buffer, at, formats.length);
  for (const format of formats) at = writeInt16(buffer, at, format);
  writeHeader(buffer, start, bind, at - start);
  return at;
}

function writeHeader(buffer: Buffer, at: number, kind: number | undefined, length: number): number {
  buffer[at] = kind ?? 0;
  return writeInt32(buffer, at + 1, length - 1);
}

function writeInt32(buffer: Buffer, at: number, value: number): number {
  buffer[at] = value >>> 24;
  buffer[at + 1] = value >>> 16;
  buffer[at + 2] = value >>> 8;
  buffer[at + 3] = value;
  return at + 4;
}

function writeInt16(buffer: Buffer, at: number, value: number): number {
  buffer[at] = value >>> 8;
  buffer[at + 1] = value;
  return at + 2;
}
