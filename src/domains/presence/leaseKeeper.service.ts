import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../kernel/logger.ts';
import type { ActorKey, Closed, Lease, PresenceStore, Transition } from './leases.types.ts';
import type { PresenceTimes } from './presence.rules.ts';
import type { ConnectionStatus } from './presence.types.ts';

/** Parts of a process's connections that are held again one after the other, so that no moment has all of them to do. */
const parts = 16;

/** How long is waited for the store at most, in milliseconds, where somebody waits for this. */
const patience = 2_000;

interface OwnLease extends Lease {
  readonly part: number;
  /** Whether the store was asked to hold it. */
  isTold: boolean;
}

/** What the store has to be told of a connection: that it is held, or since when it is closed (by `performance.now()`). */
type Change = 'hold' | (Omit<Closed, 'age'> & { readonly closedAt: number });

/** The connections of this process, as the store is to know them. Nothing of it fails: what could not be told is told again. */
export interface LeaseKeeper {
  /** Resolves when the store has been told, or could not be. */
  open(lease: Omit<Lease, 'status' | 'force'>): Promise<void>;
  close(connectionId: string): Promise<void>;
  /** Does nothing for a connection that is not the actor's. */
  setStatus(actor: ActorKey, connectionId: string, status: ConnectionStatus): Promise<void>;
  /** What all connections of the actor say from now on, where the store is told by others. */
  assume(actor: ActorKey, status: ConnectionStatus): void;
  /** All connections are held anew, by a process that the store does not know yet. */
  holdAll(): Promise<void>;
  /**
   * Whether others that seem to have died are to be taken for dead: not while this process has just come, or the store has
   * just not known it either, as after an outage or when its clock was set. They are given the time to show themselves.
   */
  mayEndOthers(): Promise<boolean>;
  /** False for that time. */
  isSure(): boolean;
  /** Closes all connections, and waits until the store knows. */
  stop(): Promise<void>;
}

export function createLeaseKeeper(deps: {
  store: PresenceStore;
  times: PresenceTimes;
  tell: (transitions: readonly Transition[]) => void;
  log: Logger;
}): LeaseKeeper {
  const { store, times, tell, log } = deps;
  const leases = new Map<string, OwnLease>();
  /** The newest of each connection: bounded by the connections that there are, and were within the expiry. */
  const changes = new Map<string, Change>();
  /**
   * As whom the process holds connections. Another one each time that the store may have lost or restored something: what
   * stands under the old one and is not held again, such as a connection that was closed since, ends with it.
   */
  let holder = randomUUID();
  let unsureUntil = 0;
  let owing = false;
  let nextPart = 0;
  let turn = 0;

  function failed(error: unknown): void {
    log.warn({ err: error }, 'presence could not be kept; trying again');
  }

  /** Tells what has changed, in order: a connection's end is never told while its beginning is still under way. */
  async function send(): Promise<void> {
    const now = performance.now();
    const batch = [...changes];
    changes.clear();
    const held = batch.flatMap(([id, change]) => (change === 'hold' ? (leases.get(id) ?? []) : []));
    const closed = batch.flatMap(([, change]) => {
      if (change === 'hold' || now - change.closedAt > times.expiry) return [];
      return { ...change, age: now - change.closedAt };
    });
    try {
      await Promise.all([hold(held), release(closed)]);
    } catch (error) {
      failed(error);
      for (const [id, change] of batch) redo(id, change);
    }
  }

  async function hold(held: readonly OwnLease[]): Promise<void> {
    if (held.length === 0) return;
    const as = holder;
    for (const lease of held) lease.isTold = true;
    const outcome = await store.hold(as, held, times.expiry);
    tell(outcome.transitions);
    const again = new Set<Lease>(outcome.failed);
    for (const lease of held) {
      if (again.has(lease)) redo(lease.connectionId, 'hold');
      else if (lease.force && leases.get(lease.connectionId) === lease) {
        leases.set(lease.connectionId, { ...lease, force: false });
      }
    }
    if (outcome.error !== null) failed(outcome.error);
    if (!outcome.isKnown && as === holder) doubt();
  }

  async function release(closed: readonly (Closed & { readonly closedAt: number })[]): Promise<void> {
    if (closed.length === 0) return;
    const outcome = await store.release(holder, closed, times.grace);
    tell(outcome.transitions);
    const again = new Set<Closed>(outcome.failed);
    for (const each of closed) if (again.has(each)) redo(each.connectionId, each);
    if (outcome.error !== null) failed(outcome.error);
  }

  /** Unless something newer has come. */
  function redo(connectionId: string, change: Change): void {
    if (!changes.has(connectionId)) changes.set(connectionId, change);
  }

  let sending = Promise.resolve();
  let next: Promise<void> | null = null;

  /** One batch at a time: what comes meanwhile goes together with the next one. */
  function flush(): Promise<void> {
    next ??= sending.then(() => {
      next = null;
      sending = send();
      return sending;
    });
    return next;
  }

  /** @returns false where the store did not take the process to be alive. */
  async function show(as: string): Promise<boolean> {
    try {
      const { isKnown, error } = await store.renew(as);
      if (error !== null) failed(error);
      return isKnown;
    } catch (error) {
      failed(error);
      return true;
    }
  }

  let introduced: Promise<unknown> | null = null;

  /** The first time, that it is not known means nothing; but whoever has just come knows nothing of an outage before. */
  function introduce(): Promise<unknown> {
    if (introduced !== null) return introduced;
    beUnsure();
    introduced = show(holder);
    return introduced;
  }

  function beUnsure(): void {
    unsureUntil = performance.now() + times.renewal * 1.5;
  }

  async function renew(): Promise<boolean> {
    await introduce();
    const as = holder;
    const isKnown = await show(as);
    if (as === holder && (owing || !isKnown)) doubt();
    return isKnown;
  }

  /** The store may lack what this process holds. Where that comes again and again it is made good with a later renewal. */
  function doubt(): void {
    owing = !isSure();
    if (!owing) void holdAll();
  }

  function isSure(): boolean {
    return performance.now() >= unsureUntil;
  }

  async function holdAll(): Promise<void> {
    const before = holder;
    holder = randomUUID();
    owing = false;
    beUnsure();
    // Before anything is held, so that the store knows by then who holds it. And once more by the name before, under which
    // everything stands until it is held again.
    await Promise.all([show(holder), show(before)]);
    for (const id of leases.keys()) changes.set(id, 'hold');
    await flush();
  }

  function holdPart(): void {
    turn = (turn + 1) % parts;
    for (const [id, { part }] of leases) if (part === turn) redo(id, 'hold');
    if (changes.size > 0) void flush();
  }

  function close(connectionId: string): void {
    const lease = leases.get(connectionId);
    if (!lease) return;
    const { tenantId, actorId } = lease;
    leases.delete(connectionId);
    if (!lease.isTold) changes.delete(connectionId);
    else changes.set(connectionId, { tenantId, actorId, connectionId, closedAt: performance.now() });
  }

  const timers = [
    setInterval(() => void renew(), times.renewal),
    setInterval(holdPart, times.holding),
    setInterval(() => {
      if (changes.size > 0) void flush();
    }, times.sweep),
  ];
  for (const timer of timers) timer.unref();

  return {
    async open(lease) {
      nextPart = (nextPart + 1) % parts;
      leases.set(lease.connectionId, { ...lease, status: 'ONLINE', force: false, part: nextPart, isTold: false });
      changes.set(lease.connectionId, 'hold');
      await introduce();
      await flush();
    },
    async close(connectionId) {
      close(connectionId);
      await flush();
    },
    async setStatus({ tenantId, actorId }, connectionId, status) {
      const held = leases.get(connectionId);
      if (held?.tenantId !== tenantId || held.actorId !== actorId) return;
      leases.set(connectionId, { ...held, status, force: true });
      changes.set(connectionId, 'hold');
      await orLater(flush());
    },
    assume({ tenantId, actorId }, status) {
      for (const [id, lease] of leases) {
        if (lease.tenantId === tenantId && lease.actorId === actorId) leases.set(id, { ...lease, status });
      }
    },
    holdAll,
    async mayEndOthers() {
      // Asked before the time is looked at: another call may just have found that it was not known.
      return (await renew()) && isSure();
    },
    isSure,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      for (const id of [...leases.keys()]) close(id);
      await orLater(changes.size > 0 ? flush() : sending);
    },
  };
}

/** Waits, but not for a store that hangs. */
async function orLater(work: Promise<void>): Promise<void> {
  const waiting = new AbortController();
  const enough = delay(patience, undefined, { signal: waiting.signal }).catch(() => undefined);
  await Promise.race([work, enough]).finally(() => waiting.abort());
}
