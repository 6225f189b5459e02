import type { ConnectionStatus, PresenceStatus } from './presence.types.ts';

export interface ActorKey {
  readonly tenantId: string;
  readonly actorId: string;
}

/** One connection's claim that its actor is present. */
export interface Lease extends ActorKey {
  readonly connectionId: string;
  readonly status: ConnectionStatus;
  /** Whether this status replaces the one that the store has of the connection; else it only fills in for a lost one. */
  readonly force: boolean;
}

/** An actor's state became another. Exactly one caller of one process is given each. */
export interface Transition extends ActorKey {
  readonly status: PresenceStatus;
  /** When a connection was last known to live. */
  readonly seenAt: Date;
  /** Orders what is known of one actor: later is newer. */
  readonly stamp: number;
}

/** An actor of whose connections one or more ran out. */
export interface Due extends ActorKey {
  /** What the state will be. */
  readonly status: PresenceStatus;
  readonly seenAt: Date;
  /** The process by whose death it was found; null where it was found by the time of a connection. */
  readonly holder: string | null;
  /** Whether a connection is of a process that is taken for dead. */
  readonly isOrphaned: boolean;
}

/** What becomes of an actor who is due. */
export interface Expiring extends Due {
  /** Null: the last lease too may be dropped. Else it is kept, and the actor is due again in so many milliseconds. */
  readonly pause: number | null;
}

/** What came of a call: it is done in parts, on several nodes perhaps, of which some may have failed. */
export interface Outcome<A> {
  readonly transitions: readonly Transition[];
  /** Those of whom it is not known whether it is done. */
  readonly failed: readonly A[];
  /** Why the first of these failed; null where all is done. */
  readonly error: unknown;
}

/** Whether the store took a process to be alive: if not, what the process holds may have been given up. */
interface Known {
  readonly isKnown: boolean;
}

/** A connection that is closed. */
export interface Closed extends Omit<Lease, 'status' | 'force'> {
  /** How long ago, in milliseconds. */
  readonly age: number;
}

/**
 * The leases of all connections of all processes. What a process holds counts while it is alive, which it shows by one call
 * for all of it; only what the store has missed of single connections is left to the times at which they run out. Each
 * operation on an actor is atomic, by the store's own clock. The state of an actor is kept beside the leases and changes by
 * these operations only, so that a change is seen once. Where a call gives an outcome, it does not fail.
 */
export interface PresenceStore {
  /** Takes leases for a process, which is alive, and for so many milliseconds at most. */
  hold(holder: string, leases: readonly Lease[], expiry: number): Promise<Outcome<Lease> & Known>;
  /** A process is alive. */
  renew(holder: string): Promise<Known & { readonly error: unknown }>;
  /** Lets leases run out so many milliseconds after they were closed. */
  release(holder: string, leases: readonly Closed[], grace: number): Promise<Outcome<Closed>>;
  /** Sets the status of all connections of an actor. @throws when the store does not answer. */
  setStatus(actor: ActorKey, status: ConnectionStatus): Promise<readonly Transition[]>;
  /** The states in the order of the actors, with the moment of reading; null where the store does not answer. */
  read(actors: readonly ActorKey[]): Promise<{
    readonly states: readonly ({ readonly status: PresenceStatus; readonly stamp: number } | null)[];
    readonly error: unknown;
  }>;
  /** Actors of whose leases one or more ran out; some hundreds at most. Changes nothing of theirs. */
  due(): Promise<{ readonly due: readonly Due[]; readonly error: unknown }>;
  /** Drops the leases that ran out. */
  expire(actors: readonly Expiring[]): Promise<Outcome<Due>>;
}
