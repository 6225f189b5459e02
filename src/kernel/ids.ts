import { createHash } from 'node:crypto';
import { fromString, toUUID } from 'typeid-js';
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
/** The value of each hexadecimal digit, by its character code. */
const nibbles = new Uint8Array(128);
for (const [value, digit] of [...'0123456789abcdef'].entries()) {
  nibbles[digit.charCodeAt(0)] = value;
  nibbles[digit.toUpperCase().charCodeAt(0)] = value;
}
const hyphen = 0x2d;
const underscore = 0x5f;
const written = Buffer.alloc(64);

/**
 * The public id of a row: its UUID as the TypeID's 26 digits of five bits, the first of which has only three. Written
 * here, as there are many in every answer; the library takes ten times as long.
 */
export function encodeId(type: NodeType, uuid: string): string {
  if (uuid.length !== 36) throw new Error('not a UUID');
  let end = written.write(idPrefixes[type], 'latin1');
  written[end++] = underscore;
  let rest = 0;
  let bits = 2;
  for (let index = 0; index < uuid.length; index++) {
    const code = uuid.charCodeAt(index);
    if (code === hyphen) continue;
    rest = (rest << 4) | (nibbles[code] ?? 0);
    bits += 4;
    if (bits < 5) continue;
    bits -= 5;
    written[end++] = digits[rest >> bits] ?? 0;
    rest &= (1 << bits) - 1;
  }
  if (end !== idPrefixes[type].length + 27) throw new Error('not a UUID');
  return written.toString('latin1', 0, end);
}

/** The type and UUID of a public id, or null if it is not one of ours. */
export function decodeId(publicId: string): { type: NodeType; uuid: string } | null {
  const prefix = publicId.slice(0, publicId.lastIndexOf('_'));
  const type = typeByPrefix.get(prefix);
  if (!type) return null;
  try {
    return { type, uuid: toUUID(fromString(publicId, prefix)) };
  } catch {
    return null;
  }
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
