/** Reads a value that PostgreSQL has sent in its binary format. @param at where in the buffer it begins. */
export type ReadBinary = (buffer: Buffer, at: number) => unknown;

const highest = 0x7fffffff;
const lowest = -0x80000000;
/** Milliseconds from 1970, from where JavaScript counts, to 2000, from where PostgreSQL does. */
const epoch = Date.UTC(2000, 0, 1);

/** A `timestamptz`, to the millisecond. Infinity where it is that, as `pg` has it. */
export function timeAt(buffer: Buffer, at: number): Date | number {
  const high = int32At(buffer, at);
  const low = int32At(buffer, at + 4) >>> 0;
  if (high === highest && low === 0xffffffff) return Infinity;
  if (high === lowest && low === 0) return -Infinity;
  // Microseconds may be too many for a number; 2 ** 32 of them are 4,294,967 milliseconds and 296.
  return new Date(epoch + high * 4_294_967 + Math.floor((high * 296 + low) / 1_000));
}

export function bigintAt(buffer: Buffer, at: number): bigint {
  const high = int32At(buffer, at);
  const low = int32At(buffer, at + 4) >>> 0;
  // What a number holds becomes a bigint in a third of the time.
  if (high < 0x1fffff && high > -0x1fffff) return BigInt(high * 2 ** 32 + low);
  return (BigInt(high) << 32n) | BigInt(low);
}

export function int32At(buffer: Buffer, at: number): number {
  return (
    (byteAt(buffer, at) << 24) | (byteAt(buffer, at + 1) << 16) | (byteAt(buffer, at + 2) << 8) | byteAt(buffer, at + 3)
  );
}

export function int16At(buffer: Buffer, at: number): number {
  return ((byteAt(buffer, at) << 24) >> 16) | byteAt(buffer, at + 1);
}

export function booleanAt(buffer: Buffer, at: number): boolean {
  return buffer[at] !== 0;
}

function byteAt(buffer: Buffer, at: number): number {
  return buffer[at] ?? 0;
}

/** The two hexadecimal digits of each byte, as character codes. */
const digits = new Uint8Array(512);
for (let byte = 0; byte < 256; byte++) Buffer.from(byte.toString(16).padStart(2, '0')).copy(digits, byte * 2);
const hyphen = 0x2d;

function writeUuid(buffer: Buffer, at: number): string {
  const [a, b, c, d] = [at, at + 4, at + 8, at + 12];
  // One call with all characters: a string that is put together of parts is gone through once more before it is read.
  return String.fromCharCode(
    highOf(buffer, a),
    lowOf(buffer, a),
    highOf(buffer, a + 1),
    lowOf(buffer, a + 1),
    highOf(buffer, a + 2),
    lowOf(buffer, a + 2),
    highOf(buffer, a + 3),
    lowOf(buffer, a + 3),
    hyphen,
    highOf(buffer, b),
    lowOf(buffer, b),
    highOf(buffer, b + 1),
    lowOf(buffer, b + 1),
    hyphen,
    highOf(buffer, b + 2),
    lowOf(buffer, b + 2),
    highOf(buffer, b + 3),
    lowOf(buffer, b + 3),
    hyphen,
    highOf(buffer, c),
    lowOf(buffer, c),
    highOf(buffer, c + 1),
    lowOf(buffer, c + 1),
    hyphen,
    highOf(buffer, c + 2),
    lowOf(buffer, c + 2),
    highOf(buffer, c + 3),
    lowOf(buffer, c + 3),
    highOf(buffer, d),
    lowOf(buffer, d),
    highOf(buffer, d + 1),
    lowOf(buffer, d + 1),
    highOf(buffer, d + 2),
    lowOf(buffer, d + 2),
    highOf(buffer, d + 3),
    lowOf(buffer, d + 3),
  );
}

function highOf(buffer: Buffer, at: number): number {
  return digits[byteAt(buffer, at) * 2] ?? 0;
}

function lowOf(buffer: Buffer, at: number): number {
  return digits[byteAt(buffer, at) * 2 + 1] ?? 0;
}

/** Places for ids: a power of two, and many more than write on a page of messages. */
const places = 2_048;
/** The four words of the id that was read last in each place. */
const words = new Int32Array(places * 4);
/** The id itself where it was read before; empty where it was not. */
const seenAgain = new Array<string>(places).fill('');

/**
 * Ids that come again and again, as those of authors do, are the same string each time: they are found in a quarter of the
 * time, and a map that has them as keys knows their hash. An id that comes once is not kept.
 */
export function uuidAt(buffer: Buffer, at: number): string {
  const one = int32At(buffer, at);
  const two = int32At(buffer, at + 4);
  const three = int32At(buffer, at + 8);
  // What is random in an id stands at its end.
  const four = int32At(buffer, at + 12);
  const place = (four ^ (four >>> 16)) & (places - 1);
  const from = place * 4;
  if (words[from + 3] === four && words[from] === one && words[from + 1] === two && words[from + 2] === three) {
    seenAgain[place] ||= writeUuid(buffer, at);
    return seenAgain[place];
  }
  words[from] = one;
  words[from + 1] = two;
  words[from + 2] = three;
  words[from + 3] = four;
  if (seenAgain[place] !== '') seenAgain[place] = '';
  return writeUuid(buffer, at);
}
