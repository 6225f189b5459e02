import { ValidationError } from '../../kernel/errors.ts';

export const presenceRules = {
  read: { permission: 'presence:read' },
  set: { permission: 'presence:update' },
} as const;

/** People whom one subscription watches: a room's sidebar, not a directory. */
export const maxWatched = 500;

/** All in milliseconds. */
export interface PresenceTimes {
  /** How long a process counts as alive after it last said so: how long the users of a killed one stay online. */
  readonly lease: number;
  /** How often a process says that it is alive: often enough that two renewals may fail. */
  readonly renewal: number;
  /** How often it holds a part of its connections again: what the store lost of single ones comes back in so many parts. */
  readonly holding: number;
  /** How long a connection counts that is not held again: its end was missed. More than two rounds of all parts. */
  readonly expiry: number;
  /** How long a closed connection still counts: a reload of a page takes less. */
  readonly grace: number;
  /** How often a process looks for leases that ran out: adds to how late somebody goes offline. */
  readonly sweep: number;
  /** How often what is watched is read again: bounds the delay of a change whose hint got lost. */
  readonly comparison: number;
}

export const presenceTimes: PresenceTimes = {
  lease: 30_000,
  renewal: 10_000,
  holding: 10_000,
  expiry: 400_000,
  grace: 5_000,
  sweep: 1_000,
  comparison: 15_000,
};

/** An actor of whom the database knows nothing is forgotten by then: removed, or of a database that is no more. */
export const forgetUnknownAfter = 24 * 3_600_000;

/** What a subscription watches: the members of a room, or people. */
export type WatchTarget = { readonly roomId: string } | { readonly userIds: readonly string[] };

/** @throws ValidationError unless exactly one of the two is given, and not too many people. */
export function parseTarget(roomId: string | null, userIds: readonly string[] | null): WatchTarget {
  if (roomId !== null && userIds !== null)
    throw new ValidationError('userIds', 'give either roomId or userIds, not both');
  if (roomId !== null) return { roomId };
  if (userIds === null) throw new ValidationError('roomId', 'give either roomId or userIds');
  const distinct = [...new Set(userIds)];
  if (distinct.length === 0) throw new ValidationError('userIds', 'must not be empty');
  if (distinct.length > maxWatched) throw new ValidationError('userIds', `must not be more than ${maxWatched}`);
  return { userIds: distinct };
}
