import type { ActorKey, Due, PresenceStore, Transition } from './leases.types.ts';
import type { ConnectionStatus, PresenceStatus } from './presence.types.ts';

interface Entry extends ActorKey {
  readonly connections: Map<string, { status: ConnectionStatus; expiry: number }>;
  status: PresenceStatus;
  seen: number;
}

/** The leases of a deployment that is one process. */
export function createLocalPresenceStore(): PresenceStore {
  const entries = new Map<string, Entry>();
  let stamp = 0;

  function entryOf({ tenantId, actorId }: ActorKey): Entry | undefined {
    return entries.get(`${tenantId}:${actorId}`);
  }

  /** Drops what ran out and gives the transition, if there is one. */
  function settle(entry: Entry, mayEnd: boolean): Transition[] {
    const now = Date.now();
    for (const [id, { expiry }] of entry.connections) if (expiry <= now) entry.connections.delete(id);
    const status = statusOf([...entry.connections.values()]);
    if (status === 'OFFLINE') {
      if (!mayEnd) return [];
      entries.delete(`${entry.tenantId}:${entry.actorId}`);
    }
    if (status === entry.status) return [];
    entry.status = status;
    stamp++;
    const { tenantId, actorId, seen } = entry;
    return [{ tenantId, actorId, status, seenAt: new Date(seen), stamp }];
  }

  return {
    async hold(leases, lease) {
      return leases.flatMap(({ tenantId, actorId, connectionId, status, force }) => {
        const entry = entryOf({ tenantId, actorId }) ?? {
          tenantId,
          actorId,
          connections: new Map(),
          status: 'OFFLINE',
          seen: 0,
        };
        entries.set(`${tenantId}:${actorId}`, entry);
        const held = entry.connections.get(connectionId)?.status;
        entry.seen = Date.now();
        entry.connections.set(connectionId, {
          status: force ? status : (held ?? status),
          expiry: entry.seen + lease,
        });
        return settle(entry, false);
      });
    },
    async release(leases, grace) {
      return leases.flatMap((lease) => {
        const entry = entryOf(lease);
        const connection = entry?.connections.get(lease.connectionId);
        if (!entry || !connection) return [];
        entry.seen = Date.now();
        connection.expiry = Math.min(connection.expiry, entry.seen + grace);
        return settle(entry, false);
      });
    },
    async setStatus(actor, status) {
      const entry = entryOf(actor);
      if (!entry) return [];
      for (const connection of entry.connections.values()) connection.status = status;
      return settle(entry, false);
    },
    async read(actors) {
      return actors.map((actor) => ({ status: entryOf(actor)?.status ?? 'OFFLINE', stamp }));
    },
    async due() {
      const now = Date.now();
      const due: Due[] = [];
      for (const { tenantId, actorId, connections, seen } of entries.values()) {
        const all = [...connections.values()];
        const living = all.filter(({ expiry }) => expiry > now);
        if (living.length > 0 && living.length === all.length) continue;
        due.push({ tenantId, actorId, status: statusOf(living), seenAt: new Date(seen) });
      }
      return due;
    },
    async expire(actors) {
      return actors.flatMap((actor) => {
        const entry = entryOf(actor);
        return entry ? settle(entry, actor.mayEnd) : [];
      });
    },
  };
}

/** Away when every living connection is. */
function statusOf(living: readonly { readonly status: ConnectionStatus }[]): PresenceStatus {
  if (living.length === 0) return 'OFFLINE';
  return living.every(({ status }) => status === 'AWAY') ? 'AWAY' : 'ONLINE';
}
