import { createHash } from 'node:crypto';
import { v7 } from 'uuid';
import { ValidationError } from './errors.ts';

/**
 * The prefix of each node type's public id. Public ids are TypeIDs (`room_01h…`), sortable by creation; the database
 * stores the UUIDv7 beneath.
 */
export const idPrefixes = {
  Room: 'room',
  Message: 'msg',
  User: 'user',
  ServiceAccount: 'svc',
  Purge: 'purge',
} as const;

export type NodeType = keyof typeof idPrefixes;

const typeByPrefix: ReadonlyMap<string, NodeType> = new Map([
  [idPrefixes.Room, 'Room'],
  [idPrefixes.Message, 'Message'],
  [idPrefixes.User, 'User'],
  [idPrefixes.ServiceAccount, 'ServiceAccount'],
  [idPrefixes.Purge, 'Purge'],
]);

export function isNodeType(name: string): name is NodeType {
  return Object.hasOwn(idPrefixes, name);
}

/** A new UUIDv7: sorts by the time at which it was made. */
export function newId(): string {
  return v7();
}

/**
 * The same UUIDv7 every time for the same key, sorted by `at`. Rows that come from elsewhere (an import) get it, so that
 * bringing them a second time finds the first.
 */
export function derivedId(at: Date, key: string): string {
  const digest = createHash('sha256').update(key).digest();
  return v7({ msecs: at.getTime(), random: digest.subarray(0, 16), seq: digest.readUInt32BE(16) });
}

const digits = Buffer.from('0123456789abcdefghjkmnpqrstvwxyz');
/** The value of each digit, by its character code; beyond all of them for what is no digit. */
const values = new Uint8Array(128).fill(0xff);
for (const [value, code] of digits.entries()) values[code] = value;
/** Digits of a TypeID after its prefix. */
const suffixLength = 26;
const hexDigits = Buffer.from('0123456789abcdef');
/** The value of each hexadecimal digit, by its character code. */
const nibbles = new Uint8Array(128);
for (const [value, code] of hexDigits.entries()) {
  nibbles[code] = value;
  nibbles[String.fromCharCode(code).toUpperCase().charCodeAt(0)] = value;
}
const hyphen = 0x2d;

/**
 * The public id of a row: its UUID as the TypeID's 26 digits of five bits, the first of which has only three. Written
 * here, as there are many in every answer; the library takes twenty times as long.
 */
export function encodeId(type: NodeType, uuid: string): string {
  if (uuid.length !== 36 || uuid.charCodeAt(13) !== hyphen || uuid.charCodeAt(23) !== hyphen)
    throw new Error('not a UUID');
  const one = (halfOf(uuid, 0) << 16) | halfOf(uuid, 4);
  const two = (halfOf(uuid, 9) << 16) | halfOf(uuid, 14);
  const three = (halfOf(uuid, 19) << 16) | halfOf(uuid, 24);
  const four = (halfOf(uuid, 28) << 16) | halfOf(uuid, 32);
  const suffix = String.fromCharCode(
    digit(one >>> 29),
    digit(one >>> 24),
    digit(one >>> 19),
    digit(one >>> 14),
    digit(one >>> 9),
    digit(one >>> 4),
    digit((one << 1) | (two >>> 31)),
    digit(two >>> 26),
    digit(two >>> 21),
    digit(two >>> 16),
    digit(two >>> 11),
    digit(two >>> 6),
    digit(two >>> 1),
    digit((two << 4) | (three >>> 28)),
    digit(three >>> 23),
    digit(three >>> 18),
    digit(three >>> 13),
    digit(three >>> 8),
    digit(three >>> 3),
    digit((three << 2) | (four >>> 30)),
    digit(four >>> 25),
    digit(four >>> 20),
    digit(four >>> 15),
    digit(four >>> 10),
    digit(four >>> 5),
    digit(four),
  );
  return `${idPrefixes[type]}_${suffix}`;
}

/** The number that four hexadecimal digits write. */
function halfOf(uuid: string, at: number): number {
  return (
    (nibbleAt(uuid, at) << 12) | (nibbleAt(uuid, at + 1) << 8) | (nibbleAt(uuid, at + 2) << 4) | nibbleAt(uuid, at + 3)
  );
}

function nibbleAt(uuid: string, at: number): number {
  return nibbles[uuid.charCodeAt(at)] ?? 0;
}

function digit(value: number): number {
  return digits[value & 31] ?? 0;
}

/** The type and UUID of a public id, or null if it is not one of ours. */
export function decodeId(publicId: string): { type: NodeType; uuid: string } | null {
  const start = publicId.length - suffixLength;
  const type = publicId[start - 1] === '_' ? typeByPrefix.get(publicId.slice(0, start - 1)) : undefined;
  const words = type && wordsOf(publicId, start);
  if (!words || !isUuid(words)) return null;
  const [one = 0, two = 0, three = 0, four = 0] = words;
  const uuid = `${hexOf(one >>> 16)}${hexOf(one)}-${hexOf(two >>> 16)}-${hexOf(two)}-${hexOf(three >>> 16)}-${hexOf(three)}${hexOf(four >>> 16)}${hexOf(four)}`;
  return { type, uuid };
}

/** The lower half of a word as four hexadecimal digits. */
function hexOf(word: number): string {
  return String.fromCharCode(hexDigit(word >>> 12), hexDigit(word >>> 8), hexDigit(word >>> 4), hexDigit(word));
}

function hexDigit(value: number): number {
  return hexDigits[value & 15] ?? 0;
}

/** The 128 bits that the digits from `start` on write, or null where they do not. */
function wordsOf(text: string, start: number): number[] | null {
  // The first of the digits has three bits.
  if (valueAt(text, start) > 7) return null;
  const words = [0, 0, 0, 0];
  for (let index = 0; index < suffixLength; index++) {
    const value = valueAt(text, start + index);
    if (value > 31) return null;
    /** Bits that come behind the digit. */
    const behind = (suffixLength - 1 - index) * 5;
    const word = 3 - (behind >> 5);
    words[word] = (words[word] ?? 0) | (value << (behind & 31));
    // What does not fit goes to the word before.
    if ((behind & 31) > 27 && word > 0) words[word - 1] = (words[word - 1] ?? 0) | (value >> (32 - (behind & 31)));
  }
  return words;
}

/** Whether 128 bits have a version and the variant of RFC 9562, or are all the same: others are no UUID of anybody. */
function isUuid(words: readonly number[]): boolean {
  const [, two = 0, three = 0] = words;
  const version = (two >>> 12) & 15;
  return (version >= 1 && version <= 8 && three >>> 30 === 2) || [0, -1].some((bits) => words.every((w) => w === bits));
}

function valueAt(text: string, at: number): number {
  return values[text.charCodeAt(at)] ?? 0xff;
}

/**
 * The UUID of a public id that has to be of one of `types`.
 * @throws ValidationError naming `field` when it is not an id of those types.
 */
export function parseId(types: NodeType | readonly NodeType[], publicId: string, field: string): string {
  const allowed = typeof types === 'string' ? [types] : types;
  const id = decodeId(publicId);
  if (!id || !allowed.includes(id.type)) {
    throw new ValidationError(field, `expected the id of a ${allowed.join(' or ')}`);
  }
  return id.uuid;
}
