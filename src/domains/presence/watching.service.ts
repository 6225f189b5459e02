import { z } from 'zod';
import type { Bus } from '../../events/bus.ts';
import type { Logger } from '../../kernel/logger.ts';
import { createLatestQueue } from './latest.queue.ts';
import type { PresenceState, PresenceWatch } from './presence.types.ts';

/** A state as it was at a moment; of one actor's, the one with the higher stamp is newer. */
export interface Observation extends PresenceState {
  readonly stamp: number;
}

interface Watcher {
  offer(state: PresenceState): void;
}

interface TenantWatch {
  readonly tenantId: string;
  readonly watchers: Map<string, Set<Watcher>>;
  /** What the watchers were last told of each: the same for all, so that a change is found once for all of them. */
  readonly known: Map<string, Observation>;
  subscription: Promise<() => void> | null;
  closed: boolean;
}

/** The watches of a process. */
export interface Watching {
  watch(tenantId: string, actorIds: readonly string[]): PresenceWatch;
  /** What is known of an actor without asking anybody, because somebody watches. */
  lastKnown(tenantId: string, actorId: string): PresenceState | undefined;
  /** Reads all that is watched, and tells what differs. With `afresh` whatever the stamps say. */
  compare(afresh?: boolean): Promise<void>;
  close(): void;
}

const change = z.object({
  actorId: z.string(),
  status: z.enum(['ONLINE', 'AWAY', 'OFFLINE']),
  lastSeenAt: z.coerce.date().nullable(),
  stamp: z.number(),
});

/** The text that goes over the bus. */
export function encodeChange(observation: Observation): string {
  return JSON.stringify(observation);
}

/** One channel per tenant: a change costs one message per process that watches the tenant, plus those interested. */
export function presenceChannel(tenantId: string): string {
  return `presence:${tenantId}`;
}

/** Microseconds by which a hint may come late. What is older than that is not late: the clock of the store was set back. */
const lateAtMost = 60_000_000;

/** Actors that are read at once. */
const readSize = 500;

/** @param read the states of these actors at this moment; fails while the store is away. */
export function createWatching(deps: {
  bus: Bus;
  read: (tenantId: string, actorIds: readonly string[]) => Promise<Observation[]>;
  log: Logger;
}): Watching {
  const { bus, read, log } = deps;
  const tenants = new Map<string, TenantWatch>();
  const watches = new Set<PresenceWatch>();

  function tenantOf(tenantId: string): TenantWatch {
    let tenant = tenants.get(tenantId);
    if (!tenant) {
      tenant = { tenantId, watchers: new Map(), known: new Map(), subscription: null, closed: false };
      tenants.set(tenantId, tenant);
    }
    return tenant;
  }

  function apply(tenant: TenantWatch, observation: Observation): void {
    const { stamp: _stamp, ...state } = observation;
    const watchers = tenant.watchers.get(state.actorId);
    if (!watchers) return;
    const known = tenant.known.get(state.actorId);
    if (known && observation.stamp < known.stamp && known.stamp - observation.stamp < lateAtMost) return;
    tenant.known.set(state.actorId, observation);
    if (known && isSame(known, state)) return;
    for (const watcher of watchers) watcher.offer(state);
  }

  async function subscribed(tenant: TenantWatch): Promise<void> {
    if (!tenant.subscription) {
      const subscription = bus.subscribe(presenceChannel(tenant.tenantId), (payload) => {
        const parsed = change.safeParse(JSON.parse(payload));
        if (parsed.success) apply(tenant, parsed.data);
        else log.error({ err: parsed.error }, 'a change of presence could not be read');
      });
      tenant.subscription = subscription;
      subscription.catch(() => {
        if (tenant.subscription === subscription) tenant.subscription = null;
      });
    }
    await tenant.subscription;
  }

  /** Reads after the subscription stands: what changes in between is told by it. */
  async function learn(tenant: TenantWatch, actorIds: readonly string[]): Promise<void> {
    await subscribed(tenant);
    for (let start = 0; start < actorIds.length && !tenant.closed; start += readSize) {
      const observations = await read(tenant.tenantId, actorIds.slice(start, start + readSize));
      for (const observation of observations) apply(tenant, observation);
    }
  }

  const learnOrLog = (tenant: TenantWatch, actorIds: readonly string[]) =>
    learn(tenant, actorIds).catch((error: unknown) => log.warn({ err: error }, 'presence could not be read'));

  function join(watcher: Watcher, tenantId: string, actorIds: readonly string[]): void {
    if (actorIds.length === 0) return;
    const tenant = tenantOf(tenantId);
    const unknown = actorIds.filter((actorId) => {
      const watchers = tenant.watchers.get(actorId) ?? new Set();
      tenant.watchers.set(actorId, watchers.add(watcher));
      const known = tenant.known.get(actorId);
      if (known) watcher.offer({ actorId, status: known.status, lastSeenAt: known.lastSeenAt });
      return !known;
    });
    if (unknown.length > 0) void learnOrLog(tenant, unknown);
  }

  function leave(watcher: Watcher, tenantId: string, actorIds: Iterable<string>): void {
    const tenant = tenants.get(tenantId);
    if (!tenant) return;
    for (const actorId of actorIds) {
      const watchers = tenant.watchers.get(actorId);
      watchers?.delete(watcher);
      if (watchers?.size === 0) {
        tenant.watchers.delete(actorId);
        tenant.known.delete(actorId);
      }
    }
    if (tenant.watchers.size > 0) return;
    tenants.delete(tenantId);
    tenant.closed = true;
    tenant.subscription?.then(
      (unsubscribe) => unsubscribe(),
      () => undefined,
    );
  }

  function watch(tenantId: string, actorIds: readonly string[]): PresenceWatch {
    let followed: ReadonlySet<string> = new Set();
    const queue = createLatestQueue<PresenceState>(() => {
      watches.delete(created);
      leave(watcher, tenantId, followed);
    });
    const watcher: Watcher = { offer: (state) => queue.push(state.actorId, state) };
    const created: PresenceWatch = {
      ...queue,
      follow(ids) {
        if (!watches.has(created)) return;
        const next = new Set(ids);
        const gone = [...followed].filter((id) => !next.has(id));
        const come = [...next].filter((id) => !followed.has(id));
        followed = next;
        for (const id of gone) queue.drop(id);
        // First those who come: the tenant's subscription must not end in between.
        join(watcher, tenantId, come);
        leave(watcher, tenantId, gone);
      },
      [Symbol.asyncIterator]: () => created,
    };
    watches.add(created);
    created.follow(actorIds);
    return created;
  }

  return {
    watch,
    lastKnown(tenantId, actorId) {
      const known = tenants.get(tenantId)?.known.get(actorId);
      return known && { actorId, status: known.status, lastSeenAt: known.lastSeenAt };
    },
    async compare(afresh = false) {
      for (const tenant of tenants.values()) {
        if (afresh) {
          for (const [actorId, known] of tenant.known) tenant.known.set(actorId, { ...known, stamp: 0 });
        }
        await learnOrLog(tenant, [...tenant.watchers.keys()]);
      }
    },
    close() {
      for (const open of watches) open.end();
    },
  };
}

function isSame(one: PresenceState, other: PresenceState): boolean {
  return one.status === other.status && one.lastSeenAt?.getTime() === other.lastSeenAt?.getTime();
}
