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
  /** The process that died with its connections; null where they were let go. */
  readonly holder: string | null;
}

/** What came of taking leases. */
export interface Held {
  readonly transitions: Transition[];
  /** False where the store did not take the process to be alive: what else it holds may have been given up. */
  readonly isKnown: boolean;
}

/**
 * The leases of all connections of all processes. What a process holds counts while it is alive, which it shows by one call
 * for all of it; only what the store has missed of single connections is left to the times at which they run out. Each operation on an actor is atomic, by the store's own clock. The
 * state of an actor is kept beside the leases and changes by these operations only, so that a change is seen once.
 */
export interface PresenceStore {
  /** Takes leases for a process, which is alive, and for so many milliseconds at most. */
  hold(holder: string, leases: readonly Lease[], expiry: number): Promise<Held>;
  /** A process is alive. @returns false where it was not taken to be, as in `Held`. */
  renew(holder: string): Promise<boolean>;
  /** Lets leases run out after so many milliseconds. */
  release(holder: string, leases: readonly Omit<Lease, 'status' | 'force'>[], grace: number): Promise<Transition[]>;
  /** Sets the status of all connections of an actor. */
  setStatus(actor: ActorKey, status: ConnectionStatus): Promise<Transition[]>;
  /** The states in the order of the actors, with the moment of reading. */
  read(actors: readonly ActorKey[]): Promise<{ readonly status: PresenceStatus; readonly stamp: number }[]>;
  /** Actors of whose leases one or more ran out; some hundreds at most. Changes nothing of theirs. */
  due(): Promise<Due[]>;
  /** Drops the leases that ran out. An actor's last one only with `mayEnd`. */
  expire(actors: readonly (Due & { readonly mayEnd: boolean })[]): Promise<Transition[]>;
}
