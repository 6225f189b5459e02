import { crc32 } from 'node:zlib';
import { ValidationError } from '../kernel/errors.ts';

// Every message that is shown and every event that is delivered has such a cursor. So it is short, and of those of one
// room nearly all is the same: 2 bytes that say what it is and 16 of the room's id, then 8 of the version and 4 of a
// checksum, as base64url. The checksum only catches damage and mix-ups; a cursor grants nothing, so it needs no signature.

const mark = Buffer.from('rm');
const length = 40;
/** Characters of the 18 bytes that say which room it is. */
const beginningLength = 24;
const alphabet = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_');
/** The value of each digit, by its character code. */
const values = new Uint8Array(128);
for (const [value, code] of alphabet.entries()) values[code] = value;

interface Beginning {
  readonly text: string;
  readonly checksum: number;
}

/** Rooms whose beginning is kept. */
const atMost = 4_096;
const known = new Map<string, Beginning>();
/** Most that stand side by side are of one room. */
let lastRoomId: string | null = null;
let last: Beginning = { text: '', checksum: 0 };

function beginningOf(roomId: string): Beginning {
  if (roomId === lastRoomId) return last;
  last = known.get(roomId) ?? makeBeginning(roomId);
  lastRoomId = roomId;
  return last;
}

function makeBeginning(roomId: string): Beginning {
  const bytes = Buffer.concat([mark, Buffer.from(roomId.replaceAll('-', ''), 'hex')]);
  if (bytes.length !== 18) throw new Error('not a UUID');
  const beginning = { text: bytes.toString('base64url'), checksum: crc32(bytes) };
  if (known.size >= atMost) known.clear();
  known.set(roomId, beginning);
  return beginning;
}

/** Any two numbers give different ones: what is damaged in the version shows in the checksum. */
function mixed(number: number): number {
  const once = Math.imul(number ^ (number >>> 16), 0x21f0aaad);
  const twice = Math.imul(once ^ (once >>> 15), 0x735a2d97);
  return twice ^ (twice >>> 15);
}

/** A place in a room's order: of a message, of a change, or of "now". One form for pages, mutations and subscriptions. */
export function roomPosition(roomId: string, version: bigint): string {
  const { text, checksum } = beginningOf(roomId);
  const number = Number(version);
  // Most bigints are numbers, whose halves are had in a tenth of the time.
  const high = Number.isSafeInteger(number) ? Math.floor(number / 2 ** 32) : Number(version >> 32n);
  const low = Number.isSafeInteger(number) ? number >>> 0 : Number(BigInt.asUintN(32, version));
  const check = mixed(mixed(checksum ^ high) ^ low);
  return text + written(high, low, check);
}

/** Three words of 32 bits as sixteen digits of six. */
function written(high: number, low: number, check: number): string {
  return String.fromCharCode(
    digit(high >>> 26),
    digit(high >>> 20),
    digit(high >>> 14),
    digit(high >>> 8),
    digit(high >>> 2),
    digit((high << 4) | (low >>> 28)),
    digit(low >>> 22),
    digit(low >>> 16),
    digit(low >>> 10),
    digit(low >>> 4),
    digit((low << 2) | (check >>> 30)),
    digit(check >>> 24),
    digit(check >>> 18),
    digit(check >>> 12),
    digit(check >>> 6),
    digit(check),
  );
}

function digit(value: number): number {
  return alphabet[value & 63] ?? 0;
}

/** @throws ValidationError naming `field` for anything but a position in this room (in each of them, where there are more). */
export function positionIn(roomIds: readonly string[], cursor: string, field: string): bigint {
  const version = versionOf(cursor);
  const [only] = roomIds;
  // Most often: the room need not be read from it, when it is the one that this room would write.
  if (only !== undefined && roomIds.length === 1 && isOf(only, version, cursor)) return version;
  const roomId = roomOf(cursor);
  if (roomId === null || !isOf(roomId, version, cursor)) throw new ValidationError(field, 'not a cursor of this list');
  if (roomIds.some((id) => id !== roomId)) throw new ValidationError(field, 'a cursor of another room');
  return version;
}

function isOf(roomId: string, version: bigint, cursor: string): boolean {
  return version >= 0n && roomPosition(roomId, version) === cursor;
}

/** Any number for what is no cursor. */
function versionOf(cursor: string): bigint {
  const at = (index: number) => values[cursor.charCodeAt(beginningLength + index)] ?? 0;
  const high = (at(0) << 26) | (at(1) << 20) | (at(2) << 14) | (at(3) << 8) | (at(4) << 2) | (at(5) >> 4);
  const low = (at(5) << 28) | (at(6) << 22) | (at(7) << 16) | (at(8) << 10) | (at(9) << 4) | (at(10) >> 2);
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}

/** Null for what is no cursor. */
function roomOf(cursor: string): string | null {
  const bytes = Buffer.from(cursor.length === length ? cursor : '', 'base64url');
  if (bytes.length !== 30) return null;
  return bytes.toString('hex', 2, 18).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
