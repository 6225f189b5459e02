import { randomUUID } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { together } from '../../db/together.ts';
import type { Bus } from '../../events/bus.ts';
import type { Logger } from '../../kernel/logger.ts';
import type { ActorKey, Lease, PresenceStore, Transition } from './leases.types.ts';
import { forgetUnknownAfter, type PresenceTimes, presenceTimes } from './presence.rules.ts';
import { readLastSeen, saveLastSeen } from './presence.store.ts';
import type { Presence, PresenceState } from './presence.types.ts';
import { createWatching, encodeChange, type Observation, presenceChannel } from './watching.service.ts';

/** Parts of a process's connections that are held again one after the other, so that no moment has all of them to do. */
const parts = 16;

interface OwnLease extends Lease {
  readonly part: number;
}

/** A process's part in who is present: holds its leases, ends those that ran out anywhere, and tells its watchers. */
export function createPresence(deps: {
  store: PresenceStore;
  bus: Bus;
  database: Database;
  log: Logger;
  times?: PresenceTimes;
}): Presence {
  const { store, bus, database, log, times = presenceTimes } = deps;
  const processId = randomUUID();
  const leases = new Map<string, OwnLease>();
  const watching = createWatching({ bus, read: observe, log });
  /** Of connections that are closed: the store could not be told. */
  let unreleased: readonly Lease[] = [];
  let closed = false;

  function tell(transitions: readonly Transition[]): void {
    for (const { tenantId, actorId, status, seenAt, stamp } of transitions) {
      const lastSeenAt = status === 'OFFLINE' ? seenAt : null;
      bus.publish(presenceChannel(tenantId), encodeChange({ actorId, status, lastSeenAt, stamp }));
    }
  }

  /** The store away is no failure of the caller's: what was to be done is made good by renewals and sweeps. */
  async function attempt(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      log.warn({ err: error }, what);
      return false;
    }
  }

  /** Whether the store may lack what this process holds: all is held again with the next sweep. */
  let owing = false;

  const hold = async (held: readonly OwnLease[]) => {
    const done = await attempt('leases could not be held; trying again', async () => {
      const { transitions, isKnown } = await store.hold(processId, held, times.expiry);
      if (!isKnown) owing = true;
      tell(transitions);
      for (const lease of held) {
        if (lease.force && leases.get(lease.connectionId) === lease) {
          leases.set(lease.connectionId, { ...lease, force: false });
        }
      }
    });
    if (!done) owing = true;
  };

  /** Many connections that come at once, as after a restart, are told in few commands. */
  const begin = together(async (connectionIds: readonly string[]) => {
    // Who has gone again meanwhile is not to be held for as long as a lease.
    const held = connectionIds.flatMap((id) => leases.get(id) ?? []);
    if (held.length > 0) await hold(held);
    return connectionIds;
  });

  const renew = async () => {
    if (leases.size === 0) return;
    const done = await attempt('leases could not be renewed; trying again', async () => {
      if (!(await store.renew(processId))) owing = true;
    });
    if (!done) owing = true;
  };

  const holdAll = async () => {
    // Known again before: else each part would tell that it was not.
    await renew();
    owing = false;
    if (leases.size > 0) await hold([...leases.values()]);
  };

  let nextPart = 0;
  let turn = 0;
  const holdPart = async () => {
    turn = (turn + 1) % parts;
    const some = [...leases.values()].filter(({ part }) => part === turn);
    if (some.length > 0) await hold(some);
  };

  const release = async (released: readonly Lease[]) => {
    const done = await attempt('leases could not be released; trying again', async () =>
      tell(await store.release(processId, released, times.grace)),
    );
    if (!done) unreleased = [...unreleased, ...released];
  };

  const sweep = async () => {
    if (owing) await holdAll();
    if (unreleased.length > 0) {
      const again = unreleased;
      unreleased = [];
      await release(again);
    }
    await attempt('leases that ran out could not be swept; trying again', async () => {
      const due = await store.due();
      if (due.length === 0) return;
      // First the time is written, then the state changes: whoever dies in between leaves it to the next sweep. Other
      // processes may do the same just now; the store lets one of them make the change, which then tells it.
      const ending = due.filter(({ status, seenAt }) => status === 'OFFLINE' && seenAt.getTime() > 0);
      const saved = new Set((await saveLastSeen(database, ending)).map(keyOf));
      const forgotten = Date.now() - forgetUnknownAfter;
      // Who is not in this database is left to the processes of the one that it belongs to.
      const mayEnd = (actor: ActorKey, seenAt: Date) => saved.has(keyOf(actor)) || seenAt.getTime() < forgotten;
      tell(await store.expire(due.map((actor) => ({ ...actor, mayEnd: mayEnd(actor, actor.seenAt) }))));
    });
  };

  async function observe(tenantId: string, actorIds: readonly string[]): Promise<Observation[]> {
    const found = await store.read(actorIds.map((actorId) => ({ tenantId, actorId })));
    const states = actorIds.map((actorId, index) => ({ actorId, ...(found[index] ?? nothingKnown) }));
    const offline = states.filter(({ status }) => status === 'OFFLINE').map(({ actorId }) => actorId);
    const seen = await readLastSeen(database.forTenant(tenantId), offline);
    return states.map(({ actorId, status, stamp }) => {
      const lastSeenAt = status === 'OFFLINE' ? (seen.get(actorId) ?? null) : null;
      return { actorId, status, lastSeenAt, stamp };
    });
  }

  const timers = [
    repeat(times.renewal, renew),
    repeat(times.holding, holdPart),
    repeat(times.sweep, sweep),
    repeat(times.comparison, () => watching.compare()),
  ];
  bus.onReconnect(() => {
    if (closed) return;
    // Redis may have come back empty, or its successor have another clock.
    void holdAll().then(() => watching.compare(true));
  });

  return {
    async connect({ tenantId, id }, connectionId) {
      const part = nextPart;
      nextPart = (nextPart + 1) % parts;
      const lease: OwnLease = { tenantId, actorId: id, connectionId, status: 'ONLINE', force: false, part };
      leases.set(connectionId, lease);
      await begin(connectionId);
    },
    async disconnect(connectionId) {
      const lease = leases.get(connectionId);
      if (!lease) return;
      leases.delete(connectionId);
      await release([lease]);
    },
    async setStatus({ tenantId, id }, connectionId, status) {
      if (connectionId === null) {
        for (const lease of leases.values()) {
          if (lease.tenantId === tenantId && lease.actorId === id) leases.set(lease.connectionId, { ...lease, status });
        }
        tell(await store.setStatus({ tenantId, actorId: id }, status));
        return;
      }
      const held = leases.get(connectionId);
      if (held?.tenantId !== tenantId || held.actorId !== id) return;
      const lease: OwnLease = { ...held, status, force: true };
      leases.set(connectionId, lease);
      await hold([lease]);
    },
    async read(tenantId, actorIds) {
      try {
        return (await observe(tenantId, actorIds)).map(({ stamp: _stamp, ...state }) => state);
      } catch (error) {
        log.warn({ err: error }, 'presence could not be read: showing what was last known');
        const seen = await readLastSeen(database.forTenant(tenantId), actorIds);
        return actorIds.map((actorId): PresenceState => {
          return (
            watching.lastKnown(tenantId, actorId) ?? {
              actorId,
              status: 'OFFLINE',
              lastSeenAt: seen.get(actorId) ?? null,
            }
          );
        });
      }
    },
    watch: watching.watch,
    async close() {
      if (closed) return;
      closed = true;
      for (const stop of timers) stop();
      watching.close();
      const held = [...leases.values()];
      leases.clear();
      if (held.length > 0) await release(held);
    },
  };
}

const nothingKnown = { status: 'OFFLINE', stamp: 0 } as const;

function keyOf({ tenantId, actorId }: ActorKey): string {
  return `${tenantId}:${actorId}`;
}

/** Runs `work` again and again, never twice at a time. @returns what stops it. */
function repeat(every: number, work: () => Promise<void>): () => void {
  let running = false;
  const timer = setInterval(() => {
    if (running) return;
    running = true;
    void work().finally(() => {
      running = false;
    });
  }, every);
  timer.unref();
  return () => clearInterval(timer);
}
