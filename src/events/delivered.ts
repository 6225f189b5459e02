import type { ReadEvent, RoomEvent } from './catalogue.ts';

/** The log does not reach back to the subscriber's cursor, or the subscriber was too slow: it has to read afresh. */
export interface Resync {
  readonly type: 'RESYNC';
  /** Where to go on from. */
  readonly cursor: string;
  /** The room that has to be read afresh; null for all of the viewer's rooms. */
  readonly roomId: string | null;
  readonly reason: 'CURSOR_TOO_OLD' | 'TOO_SLOW';
}

/**
 * A durable change as a subscriber gets it: `cursor` is where this subscription stands after it. In a stream over many
 * rooms that is the subscriber's own; in a room's stream everybody has the same.
 */
export type DeliveredEvent = RoomEvent & {
  readonly cursor: string;
  readonly manyRooms?: true;
  /** Read from the log for who had missed it, and not as it happened. */
  readonly replayed?: true;
};

export type Delivered = DeliveredEvent | ReadEvent | Resync;

/**
 * How the database stood at a moment: a snapshot that says which transactions were visible, and the versions of all
 * rooms that this process serves in that same snapshot, by `tenantId:roomId`.
 */
export interface Checkpoint {
  readonly snapshot: string;
  readonly versions: ReadonlyMap<string, bigint>;
}

/** How a process names a row of a tenant. */
export function keyOf(tenantId: string, id: string): string {
  return `${tenantId}:${id}`;
}
