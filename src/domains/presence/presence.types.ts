import type { Actor } from '../../kernel/actor.ts';

/** What a connection says of its user. */
export type ConnectionStatus = 'ONLINE' | 'AWAY';

export type PresenceStatus = ConnectionStatus | 'OFFLINE';

/** How somebody is present. */
export interface PresenceState {
  readonly actorId: string;
  readonly status: PresenceStatus;
  /** When the last connection was last known to live; null while there is one, or if there never was. */
  readonly lastSeenAt: Date | null;
}

/** States of those who are watched: first of each, then changes. A slow reader gets the newest state of each only. */
export interface PresenceWatch extends AsyncIterableIterator<PresenceState> {
  /** Watches exactly these from now on. */
  follow(actorIds: Iterable<string>): void;
  end(): void;
}

/** Who is present in a deployment, as one process takes part in it. */
export interface Presence {
  /** A connection of this actor is open. Never fails: while Redis is away, the lease is taken when it is back. */
  connect(actor: Pick<Actor, 'tenantId' | 'id'>, connectionId: string): Promise<void>;
  /** The connection is gone. Its lease lives on for the grace, so that a reload does not flicker. Never fails. */
  disconnect(connectionId: string): Promise<void>;
  /**
   * Sets the status of one connection of this process, or (null) of all the actor's connections anywhere.
   * @throws when it is for all, and Redis does not answer.
   */
  setStatus(
    actor: Pick<Actor, 'tenantId' | 'id'>,
    connectionId: string | null,
    status: ConnectionStatus,
  ): Promise<void>;
  /** The states in the order of the ids. While Redis is away: the last known, and OFFLINE where nothing is known. */
  read(tenantId: string, actorIds: readonly string[]): Promise<PresenceState[]>;
  /** The caller has to have found that these ids are of the tenant. */
  watch(tenantId: string, actorIds: readonly string[]): PresenceWatch;
  /** Ends all watches, and shortens all leases of this process to the grace. */
  close(): Promise<void>;
}

/** Somebody began to type, goes on, or stopped. */
export interface TypingChange {
  readonly actorId: string;
  readonly typing: boolean;
  /** When it ends unless it is renewed; null when it has ended. */
  readonly expiresAt: Date | null;
}

export interface TypingFollower {
  readonly actorId: string;
  /** The room's version at which the follower was found to be a member: what came later is looked at. */
  readonly since: bigint;
  /** Asked when the room has changed. */
  readonly mayStay: () => Promise<boolean>;
}

/** Who types where. Nothing of it is stored. */
export interface Typing {
  /** Tells the room's followers, or does nothing if it was told a moment ago. Never fails. */
  tell(tenantId: string, roomId: string, actorId: string, typing: boolean): Promise<void>;
  /** Who begins and stops to type in the room, less the follower. Ends when the follower is removed from the room. */
  follow(tenantId: string, roomId: string, follower: TypingFollower): AsyncIterableIterator<TypingChange>;
  close(): void;
}
