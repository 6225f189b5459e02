import type { ActorKey, Due, Lease, PresenceStore, Transition } from './leases.types.ts';
import type { ConnectionStatus, PresenceStatus } from './presence.types.ts';

interface Claim {
  status: ConnectionStatus;
  /** The process that has to be alive; null for a connection that was let go. */
  readonly holder: string | null;
  readonly expiry: number;
}

interface Entry extends ActorKey {
  readonly connections: Map<string, Claim>;
  status: PresenceStatus;
  /** By the machine's clock. */
  seen: number;
  /** When it is due again that was due and might not end. */
  pausedUntil: number;
}

/** Milliseconds of a clock that is never set: the machine's may be, and then everybody would be gone at once. */
const clock = () => performance.now();

const done = { failed: [], error: null } as const;

/**
 * The leases of a deployment that is one process.
 * @param lease milliseconds for which a process is taken to be alive after it last showed it.
 */
export function createLocalPresenceStore(lease: number): PresenceStore {
  const entries = new Map<string, Entry>();
  /** When each process last showed that it is alive, by both clocks. */
  const holders = new Map<string, { readonly at: number; readonly seen: number }>();
  let stamp = 0;

  function isAlive(holder: string): boolean {
    const shown = holders.get(holder);
    return shown !== undefined && shown.at + lease > clock();
  }

  function isLiving({ holder, expiry }: Claim): boolean {
    return expiry > clock() && (holder === null || isAlive(holder));
  }

  function isPresent({ connections }: Entry): boolean {
    return [...connections.values()].some(isLiving);
  }

  function lastSeen({ seen, connections }: Entry): number {
    const dead = [...connections.values()].flatMap(({ holder }) => (holder === null || isAlive(holder) ? [] : holder));
    return Math.max(seen, ...dead.map((holder) => holders.get(holder)?.seen ?? 0));
  }

  /** Drops what ran out and gives the transition, if there is one. */
  function settle(entry: Entry, mayEnd: boolean): Transition[] {
    const status = statusOf([...entry.connections.values()].filter(isLiving));
    if (status === 'OFFLINE' && !mayEnd) return [];
    const seenAt = new Date(lastSeen(entry));
    for (const [id, claim] of entry.connections) if (!isLiving(claim)) entry.connections.delete(id);
    if (status === 'OFFLINE') entries.delete(memberOf(entry));
    if (status === entry.status) return [];
    entry.status = status;
    stamp++;
    const { tenantId, actorId } = entry;
    return [{ tenantId, actorId, status, seenAt, stamp }];
  }

  /** Once for each actor. */
  function settleAll(actors: readonly ActorKey[]): Transition[] {
    const touched = new Set(actors.flatMap((actor) => entries.get(memberOf(actor)) ?? []));
    return [...touched].flatMap((entry) => settle(entry, false));
  }

  /** @returns whether it was taken to be alive. */
  function show(holder: string): boolean {
    const isKnown = isAlive(holder);
    holders.set(holder, { at: clock(), seen: Date.now() });
    return isKnown;
  }

  function take(holder: string, lifetime: number, { tenantId, actorId, connectionId, status, force }: Lease): void {
    const known = entries.get(memberOf({ tenantId, actorId }));
    const entry = known ?? { tenantId, actorId, connections: new Map(), status: 'OFFLINE', seen: 0, pausedUntil: 0 };
    if (!known) entries.set(memberOf(entry), entry);
    const held = entry.connections.get(connectionId)?.status;
    entry.seen = Date.now();
    const expiry = clock() + lifetime;
    entry.connections.set(connectionId, { status: force ? status : (held ?? status), holder, expiry });
  }

  return {
    async hold(holder, leases, lifetime) {
      const isKnown = show(holder);
      for (const each of leases) take(holder, lifetime, each);
      return { ...done, transitions: settleAll(leases), isKnown };
    },
    async renew(holder) {
      return { isKnown: show(holder), error: null };
    },
    async release(_holder, leases, grace) {
      for (const each of leases) {
        const entry = entries.get(memberOf(each));
        const claim = entry?.connections.get(each.connectionId);
        if (!entry || !claim) continue;
        entry.seen = Math.max(entry.seen, Date.now() - each.age);
        const expiry = Math.min(claim.expiry, clock() - each.age + grace);
        entry.connections.set(each.connectionId, { ...claim, holder: null, expiry });
        entry.pausedUntil = 0;
      }
      return { ...done, transitions: settleAll(leases) };
    },
    async setStatus(actor, status) {
      for (const claim of entries.get(memberOf(actor))?.connections.values() ?? []) claim.status = status;
      return settleAll([actor]);
    },
    async read(actors) {
      const states = actors.map(
        (actor) => ({ status: entries.get(memberOf(actor))?.status ?? 'OFFLINE', stamp }) as const,
      );
      return { states, error: null };
    },
    async due() {
      const due = [...entries.values()].flatMap((entry): Due[] => {
        const claims = [...entry.connections.values()];
        const living = claims.filter(isLiving);
        if ((living.length > 0 && living.length === claims.length) || entry.pausedUntil > clock()) return [];
        const { tenantId, actorId } = entry;
        const isOrphaned = claims.some(({ holder }) => holder !== null && !isAlive(holder));
        const seenAt = new Date(lastSeen(entry));
        return [{ tenantId, actorId, status: statusOf(living), seenAt, holder: null, isOrphaned }];
      });
      return { due, error: null };
    },
    async expire(actors) {
      const transitions = actors.flatMap((actor) => {
        const entry = entries.get(memberOf(actor));
        if (!entry) return [];
        const told = settle(entry, actor.pause === null);
        if (actor.pause !== null && !isPresent(entry)) entry.pausedUntil = clock() + actor.pause;
        return told;
      });
      return { ...done, transitions };
    },
  };
}

function memberOf({ tenantId, actorId }: ActorKey): string {
  return `${tenantId}:${actorId}`;
}

/** Away when every living connection is. */
function statusOf(living: readonly { readonly status: ConnectionStatus }[]): PresenceStatus {
  if (living.length === 0) return 'OFFLINE';
  return living.every(({ status }) => status === 'AWAY') ? 'AWAY' : 'ONLINE';
}
