import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterAll, afterEach, expect } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import { postgresEngine } from '../../src/db/engine.ts';
import type { PresenceStore } from '../../src/domains/presence/leases.types.ts';
import { createLocalPresenceStore } from '../../src/domains/presence/localLeases.store.ts';
import type { PresenceTimes } from '../../src/domains/presence/presence.rules.ts';
import { createPresence } from '../../src/domains/presence/presence.service.ts';
import type { Presence, PresenceState, PresenceWatch } from '../../src/domains/presence/presence.types.ts';
import { createRedisPresenceStore } from '../../src/domains/presence/redisLeases.store.ts';
import type { Bus } from '../../src/events/bus.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { createRedisBus } from '../../src/events/redisBus.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { captureLog } from './logs.ts';
import { waitFor } from './waiting.ts';

// Processes that take part in presence over one store, and people. A database and a Redis prefix for each test file.

const databaseUrl = await createTestDatabase();
export const { url, prefix } = createTestRedis();
export const database = openDatabase(postgresEngine(databaseUrl, 5, () => undefined));
afterAll(() => database.close());

export const times: PresenceTimes = {
  lease: 1_000,
  renewal: 150,
  holding: 150,
  expiry: 120_000,
  grace: 300,
  sweep: 30,
  comparison: 60_000,
};

export interface Person {
  readonly tenantId: string;
  readonly id: string;
}

export async function newTenant(): Promise<string> {
  const id = newId();
  await database.prisma.tenant.create({ data: { id, key: id, name: 'a tenant' } });
  return id;
}

export async function newPerson(tenantId?: string): Promise<Person> {
  const person = { tenantId: tenantId ?? (await newTenant()), id: newId() };
  await database.prisma.actor.create({ data: { ...person, kind: 'USER', name: 'somebody', role: 'AGENT' } });
  return person;
}

export async function lastSeen({ tenantId, id }: Person): Promise<Date | null> {
  const actor = await database.prisma.actor.findUnique({ where: { tenantId_id: { tenantId, id } } });
  return actor?.lastSeenAt ?? null;
}

/** A process as it takes part in presence. */
export interface Process {
  readonly presence: Presence;
  /** Everything that it published. */
  readonly published: string[];
  /** Publishes a text as a process does. */
  publish(channel: string, payload: string): void;
  /** As after a broken connection to the bus. */
  reconnect(): void;
  /** Its calls to the store do not come through. @returns what lets them, and those that come after. */
  pause(): () => void;
  /** Ends it as SIGKILL does: nothing is renewed or swept any more, nothing released. */
  kill(): void;
}

export interface Options {
  readonly times?: Partial<PresenceTimes>;
  /** Nothing that is published arrives. */
  readonly deaf?: boolean;
}

export interface Deployment {
  process(options?: Options): Promise<Process>;
}

/** What each test has to undo, the last first. */
export const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

export function processOver(store: PresenceStore, bus: Bus, options: Options = {}): Process {
  const published: string[] = [];
  const callbacks: (() => void)[] = [];
  let dead = false;
  // A dead process does nothing to the store: its calls never come back.
  const never = new Promise<never>(() => undefined);
  let paused: Promise<void> | null = null;
  const alive =
    <A extends unknown[], T>(call: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      await paused;
      return dead ? never : call(...args);
    };
  const presence = createPresence({
    store: {
      hold: alive(store.hold),
      renew: alive(store.renew),
      release: alive(store.release),
      setStatus: alive(store.setStatus),
      read: alive(store.read),
      due: alive(store.due),
      expire: alive(store.expire),
    },
    bus: {
      ...bus,
      onReconnect(callback) {
        callbacks.push(callback);
        bus.onReconnect(callback);
      },
      subscribe: (channel, onPayload) => bus.subscribe(channel, options.deaf ? () => undefined : onPayload),
      publish(channel, payload) {
        published.push(payload);
        bus.publish(channel, payload);
      },
    },
    database,
    log: captureLog().logger,
    times: { ...times, ...options.times },
  });
  undo.push(() => (dead ? undefined : presence.close()));
  return {
    presence,
    published,
    publish: (channel, payload) => bus.publish(channel, payload),
    reconnect() {
      for (const callback of callbacks) callback();
    },
    pause() {
      const { promise, resolve } = Promise.withResolvers<void>();
      paused = promise;
      return () => {
        paused = null;
        resolve();
      };
    },
    kill() {
      dead = true;
    },
  };
}

/** Processes that share a Redis, each with its own connections. */
export function overRedis(redisUrl = url, keyPrefix = prefix): Deployment {
  return {
    async process(options) {
      const client = new Redis(redisUrl, { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
      client.on('error', () => undefined);
      const bus = createRedisBus(redisUrl, '', () => undefined);
      undo.push(() => {
        client.disconnect();
        return bus.close();
      });
      await Promise.all([
        once(client, 'ready'),
        waitFor('the bus', () =>
          bus.ping().then(
            () => true,
            () => false,
          ),
        ),
      ]);
      return processOver(createRedisPresenceStore(client, { lease: times.lease, prefix: keyPrefix }), bus, options);
    },
  };
}

/** Several services over one store in this process behave as processes do. */
export function inProcess(): Deployment {
  const store = createLocalPresenceStore(times.lease);
  const bus = createLocalBus();
  return { process: async (options) => processOver(store, bus, options) };
}

/** What a watch has told so far, as `name:STATUS`. */
export function recorded(watch: PresenceWatch, names: Readonly<Record<string, string>>): string[] {
  const seen: string[] = [];
  undo.push(() => watch.end());
  void (async () => {
    for await (const state of watch) seen.push(`${names[state.actorId] ?? state.actorId}:${state.status}`);
  })();
  return seen;
}

/** Processes sweep for all others: also for those of the test before. */
export function publishedOf({ id }: Person, ...processes: Process[]): string[] {
  return processes.flatMap(({ published }) => published.filter((payload) => payload.includes(id)));
}

export async function stateOf({ presence }: Process, { tenantId, id }: Person): Promise<PresenceState | undefined> {
  return (await presence.read(tenantId, [id]))[0];
}

export async function untilStatus(process: Process, person: Person, status: string): Promise<void> {
  await waitFor(`${status}`, async () => (await stateOf(process, person))?.status === status);
}

export async function untilSeen(seen: readonly string[], wanted: readonly string[]): Promise<void> {
  await waitFor(
    () => `${wanted.join(' ')}; so far: ${seen.join(' ')}`,
    () => seen.length >= wanted.length,
  );
  expect(seen).toEqual(wanted);
}
