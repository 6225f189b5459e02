import { decodeCursor, encodeCursor } from '../db/cursors.ts';
import { ValidationError } from '../kernel/errors.ts';

/** A place in a room's order: of a message, of a change, or of "now". One form for pages, mutations and subscriptions. */
export function roomPosition(roomId: string, version: bigint): string {
  return encodeCursor('room', [roomId, version]);
}

/** @throws ValidationError naming `field` for anything but a position in this room (in each of them, where there are more). */
export function positionIn(roomIds: readonly string[], cursor: string, field: string): bigint {
  const [roomId, version] = decodeCursor('room', ['uuid', 'integer'], cursor, field);
  if (roomIds.some((id) => id !== roomId)) throw new ValidationError(field, 'a cursor of another room');
  return BigInt(version);
}
