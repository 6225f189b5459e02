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
  seen: number;
}

/**
 * The leases of a deployment that is one process.
 * @param lease milliseconds for which a process is taken to be alive after it last showed it.
 */
export function createLocalPresenceStore(lease: number): PresenceStore {
  const entries = new Map<string, Entry>();
  /** When each process last showed that it is alive. */
  const holders = new Map<string, number>();
  let stamp = 0;

  function isAlive(holder: string): boolean {
    return (holders.get(holder) ?? 0) + lease > Date.now();
  }

  function isLiving({ holder, expiry }: Claim): boolean {
    return expiry > Date.now() && (holder === null || isAlive(holder));
  }

  function lastSeen({ seen, connections }: Entry): number {
    const dead = [...connections.values()].flatMap(({ holder }) => (holder === null || isAlive(holder) ? [] : holder));
    return Math.max(seen, ...dead.map((holder) => holders.get(holder) ?? 0));
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

  function take(holder: string, lifetime: number, { tenantId, actorId, connectionId, status, force }: Lease): void {
    const known = entries.get(memberOf({ tenantId, actorId }));
    const entry = known ?? { tenantId, actorId, connections: new Map(), status: 'OFFLINE', seen: 0 };
    if (!known) entries.set(memberOf(entry), entry);
    const held = entry.connections.get(connectionId)?.status;
    entry.seen = Date.now();
    const expiry = entry.seen + lifetime;
    entry.connections.set(connectionId, { status: force ? status : (held ?? status), holder, expiry });
  }

  return {
    async hold(holder, leases, lifetime) {
      const isKnown = isAlive(holder);
      holders.set(holder, Date.now());
      for (const each of leases) take(holder, lifetime, each);
      return { transitions: settleAll(leases), isKnown };
    },
    async renew(holder) {
      const isKnown = isAlive(holder);
      holders.set(holder, Date.now());
      return isKnown;
    },
    async release(_holder, leases, grace) {
      for (const each of leases) {
        const entry = entries.get(memberOf(each));
        const claim = entry?.connections.get(each.connectionId);
        if (!entry || !claim) continue;
        entry.seen = Date.now();
        const expiry = Math.min(claim.expiry, entry.seen + grace);
        entry.connections.set(each.connectionId, { ...claim, holder: null, expiry });
      }
      return settleAll(leases);
    },
    async setStatus(actor, status) {
      for (const claim of entries.get(memberOf(actor))?.connections.values() ?? []) claim.status = status;
      return settleAll([actor]);
    },
    async read(actors) {
      return actors.map((actor) => ({ status: entries.get(memberOf(actor))?.status ?? 'OFFLINE', stamp }));
    },
    async due() {
      return [...entries.values()].flatMap((entry): Due[] => {
        const claims = [...entry.connections.values()];
        const living = claims.filter(isLiving);
        if (living.length > 0 && living.length === claims.length) return [];
        const { tenantId, actorId } = entry;
        return [{ tenantId, actorId, status: statusOf(living), seenAt: new Date(lastSeen(entry)), holder: null }];
      });
    },
    async expire(actors) {
      return actors.flatMap((actor) => {
        const entry = entries.get(memberOf(actor));
        return entry ? settle(entry, actor.mayEnd) : [];
      });
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
