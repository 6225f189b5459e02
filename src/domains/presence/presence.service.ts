import type { Database } from '../../db/database.ts';
import type { Bus } from '../../events/bus.ts';
import type { Logger } from '../../kernel/logger.ts';
import { createLeaseKeeper } from './leaseKeeper.service.ts';
import type { ActorKey, Due, Expiring, PresenceStore, Transition } from './leases.types.ts';
import { forgetUnknownAfter, type PresenceTimes, presenceTimes } from './presence.rules.ts';
import { readLastSeen, saveLastSeen } from './presence.store.ts';
import type { Presence, PresenceState } from './presence.types.ts';
import { createWatching, encodeChange, type Observation, presenceChannel } from './watching.service.ts';

/**
 * In milliseconds, when those are looked at again whose row is locked, and who are not in this database: others are not to
 * wait for those who are looked at in vain.
 */
const lockedFor = 2_000;
const unknownFor = 60_000;

/** A process's part in who is present: keeps its leases, ends those that ran out anywhere, and tells its watchers. */
export function createPresence(deps: {
  store: PresenceStore;
  bus: Bus;
  database: Database;
  log: Logger;
  times?: PresenceTimes;
}): Presence {
  const { store, bus, database, log, times = presenceTimes } = deps;
  const keeper = createLeaseKeeper({ store, times, tell, log });
  const watching = createWatching({ bus, read: observe, log });
  let closed = false;

  function tell(transitions: readonly Transition[]): void {
    for (const { tenantId, actorId, status, seenAt, stamp } of transitions) {
      const lastSeenAt = status === 'OFFLINE' ? seenAt : null;
      bus.publish(presenceChannel(tenantId), encodeChange({ actorId, status, lastSeenAt, stamp }));
    }
  }

  /**
   * Who of these may lose their last lease, and when to look at the others again. First the time is written, then the state changes: whoever dies in between leaves it to the next sweep. Other processes may do the same
   * just now; the store lets one of them make the change, which then tells it.
   */
  async function decided(due: readonly Due[]): Promise<Expiring[]> {
    const ending = due.filter(({ status }) => status === 'OFFLINE');
    const rows = await saveLastSeen(
      database,
      ending.filter(({ seenAt }) => seenAt.getTime() > 0),
    );
    const isSaved = new Map(rows.map((row) => [keyOf(row), row.isSaved]));
    const forgotten = Date.now() - forgetUnknownAfter;
    return due.map((each) => {
      // Whoever is still there may be gone by now: then this is for the next sweep.
      if (each.status !== 'OFFLINE') return { ...each, pause: 0 };
      const known = isSaved.get(keyOf(each));
      if (known === false) return { ...each, pause: lockedFor };
      // Who is not in this database is left to the processes of the one that it belongs to.
      return { ...each, pause: known || each.seenAt.getTime() < forgotten ? null : unknownFor };
    });
  }

  async function sweep(): Promise<void> {
    const found = await store.due();
    const spared = found.due.some(({ isOrphaned }) => isOrphaned) && !(await keeper.mayEndOthers());
    const due = spared ? found.due.filter(({ isOrphaned }) => !isOrphaned) : found.due;
    const outcome = due.length > 0 ? await store.expire(await decided(due)) : null;
    if (outcome) tell(outcome.transitions);
    const error = found.error ?? outcome?.error ?? null;
    if (error !== null) throw error;
  }

  async function sweepOrLog(): Promise<void> {
    try {
      await sweep();
    } catch (error) {
      log.warn({ err: error }, 'leases that ran out could not be swept; trying again');
    }
  }

  /** Those of them that the store tells of. */
  async function observe(tenantId: string, actorIds: readonly string[]): Promise<Observation[]> {
    const found = await store.read(actorIds.map((actorId) => ({ tenantId, actorId })));
    if (found.error !== null) log.warn({ err: found.error }, 'presence could not be read: showing what was last known');
    const states = actorIds.flatMap((actorId, index) => {
      const state = found.states[index];
      if (!state) return [];
      // After an outage others may only be about to hold their connections again.
      const lost = state.status === 'OFFLINE' && !keeper.isSure();
      const before = lost ? watching.lastKnown(tenantId, actorId) : undefined;
      return before && before.status !== 'OFFLINE' ? [] : [{ actorId, ...state }];
    });
    const offline = states.filter(({ status }) => status === 'OFFLINE').map(({ actorId }) => actorId);
    const seen = await readLastSeen(database.forTenant(tenantId), offline);
    return states.map(({ actorId, status, stamp }) => {
      const lastSeenAt = status === 'OFFLINE' ? (seen.get(actorId) ?? null) : null;
      return { actorId, status, lastSeenAt, stamp };
    });
  }

  const timers = [repeat(times.sweep, sweepOrLog), repeat(times.comparison, () => watching.compare())];
  bus.onReconnect(() => {
    if (closed) return;
    // Redis may have come back empty, or its successor have another clock.
    void keeper.holdAll().then(() => watching.compare(true));
  });

  return {
    connect: ({ tenantId, id }, connectionId) => keeper.open({ tenantId, actorId: id, connectionId }),
    disconnect: (connectionId) => keeper.close(connectionId),
    async setStatus({ tenantId, id }, connectionId, status) {
      const actor = { tenantId, actorId: id };
      if (connectionId !== null) return keeper.setStatus(actor, connectionId, status);
      keeper.assume(actor, status);
      tell(await store.setStatus(actor, status));
    },
    async read(tenantId, actorIds) {
      const observed = new Map((await observe(tenantId, actorIds)).map((each) => [each.actorId, each]));
      const unknown = actorIds.filter((actorId) => !observed.has(actorId));
      const seen = await readLastSeen(database.forTenant(tenantId), unknown);
      return actorIds.map((actorId): PresenceState => {
        const { status, lastSeenAt } = observed.get(actorId) ??
          watching.lastKnown(tenantId, actorId) ?? { status: 'OFFLINE', lastSeenAt: seen.get(actorId) ?? null };
        return { actorId, status, lastSeenAt };
      });
    },
    watch: watching.watch,
    async close() {
      if (closed) return;
      closed = true;
      for (const stop of timers) stop();
      watching.close();
      await keeper.stop();
    },
  };
}

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
