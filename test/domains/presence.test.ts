import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/db/database.ts';
import { postgresEngine } from '../../src/db/engine.ts';
import type { ActorKey, Due, Lease, PresenceStore } from '../../src/domains/presence/leases.types.ts';
import { createLocalPresenceStore } from '../../src/domains/presence/localLeases.store.ts';
import type { PresenceTimes } from '../../src/domains/presence/presence.rules.ts';
import { createPresence } from '../../src/domains/presence/presence.service.ts';
import type {
  ConnectionStatus,
  Presence,
  PresenceState,
  PresenceWatch,
} from '../../src/domains/presence/presence.types.ts';
import { createRedisPresenceStore } from '../../src/domains/presence/redisLeases.store.ts';
import type { Bus } from '../../src/events/bus.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { createRedisBus } from '../../src/events/redisBus.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { startRedis } from '../services/redis.ts';
import { captureLog } from '../support/logs.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const { url, prefix } = createTestRedis();
const database = openDatabase(postgresEngine(databaseUrl, 5, () => undefined));
afterAll(() => database.close());

const times: PresenceTimes = {
  lease: 1_000,
  renewal: 150,
  holding: 150,
  expiry: 120_000,
  grace: 300,
  sweep: 30,
  comparison: 60_000,
};

interface Person {
  readonly tenantId: string;
  readonly id: string;
}

async function newTenant(): Promise<string> {
  const id = newId();
  await database.prisma.tenant.create({ data: { id, key: id, name: 'a tenant' } });
  return id;
}

async function newPerson(tenantId?: string): Promise<Person> {
  const person = { tenantId: tenantId ?? (await newTenant()), id: newId() };
  await database.prisma.actor.create({ data: { ...person, kind: 'USER', name: 'somebody', role: 'AGENT' } });
  return person;
}

async function lastSeen({ tenantId, id }: Person): Promise<Date | null> {
  const actor = await database.prisma.actor.findUnique({ where: { tenantId_id: { tenantId, id } } });
  return actor?.lastSeenAt ?? null;
}

/** A process as it takes part in presence. */
interface Process {
  readonly presence: Presence;
  /** Everything that it published. */
  readonly published: string[];
  /** As after a broken connection to the bus. */
  reconnect(): void;
  /** Its calls to the store do not come through. @returns what lets them, and those that come after. */
  pause(): () => void;
  /** Ends it as SIGKILL does: nothing is renewed or swept any more, nothing released. */
  kill(): void;
}

interface Options {
  readonly times?: Partial<PresenceTimes>;
  /** Nothing that is published arrives. */
  readonly deaf?: boolean;
}

interface Deployment {
  process(options?: Options): Promise<Process>;
}

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

function processOver(store: PresenceStore, bus: Bus, options: Options = {}): Process {
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
function overRedis(redisUrl = url, keyPrefix = prefix): Deployment {
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
function inProcess(): Deployment {
  const store = createLocalPresenceStore(times.lease);
  const bus = createLocalBus();
  return { process: async (options) => processOver(store, bus, options) };
}

/** What a watch has told so far, as `name:STATUS`. */
function recorded(watch: PresenceWatch, names: Readonly<Record<string, string>>): string[] {
  const seen: string[] = [];
  undo.push(() => watch.end());
  void (async () => {
    for await (const state of watch) seen.push(`${names[state.actorId] ?? state.actorId}:${state.status}`);
  })();
  return seen;
}

/** Processes sweep for all others: also for those of the test before. */
function publishedOf({ id }: Person, ...processes: Process[]): string[] {
  return processes.flatMap(({ published }) => published.filter((payload) => payload.includes(id)));
}

async function stateOf({ presence }: Process, { tenantId, id }: Person): Promise<PresenceState | undefined> {
  return (await presence.read(tenantId, [id]))[0];
}

async function untilStatus(process: Process, person: Person, status: string): Promise<void> {
  await waitFor(`${status}`, async () => (await stateOf(process, person))?.status === status);
}

async function untilSeen(seen: readonly string[], wanted: readonly string[]): Promise<void> {
  await waitFor(
    () => `${wanted.join(' ')}; so far: ${seen.join(' ')}`,
    () => seen.length >= wanted.length,
  );
  expect(seen).toEqual(wanted);
}

describe.each([
  ['over Redis', () => overRedis()],
  ['in process', () => inProcess()],
] as const)('presence %s', (_where, deploy) => {
  test('R3: somebody is online while one of several tabs is open, and offline after the grace when all are closed', async () => {
    const process = await deploy().process();
    const ana = await newPerson();
    expect(await stateOf(process, ana)).toEqual({ actorId: ana.id, status: 'OFFLINE', lastSeenAt: null });
    await process.presence.connect(ana, 'tab 1');
    await process.presence.connect(ana, 'tab 2');
    await process.presence.disconnect('tab 1');
    await delay(times.grace * 2);
    expect(await stateOf(process, ana)).toEqual({ actorId: ana.id, status: 'ONLINE', lastSeenAt: null });
    const before = Date.now();
    await process.presence.disconnect('tab 2');
    expect((await stateOf(process, ana))?.status, 'the grace').toBe('ONLINE');
    await untilStatus(process, ana, 'OFFLINE');
    const took = Date.now() - before;
    expect(took).toBeGreaterThanOrEqual(times.grace - 20);
    expect(took, 'not after the whole lease').toBeLessThan(times.lease - times.renewal);
    const seenAt = await lastSeen(ana);
    expect((await stateOf(process, ana))?.lastSeenAt).toEqual(seenAt);
    expect(Math.abs((seenAt?.getTime() ?? 0) - before), 'last seen when the tab was closed').toBeLessThan(200);
  });

  test('R3, R9: tabs on several processes are one presence, and each change is published once', async () => {
    const deployment = deploy();
    const [one, other, watching] = [await deployment.process(), await deployment.process(), await deployment.process()];
    const ana = await newPerson();
    const seen = recorded(watching.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
    await untilSeen(seen, ['ana:OFFLINE']);
    await one.presence.connect(ana, 'tab 1');
    await other.presence.connect(ana, 'tab 2');
    await one.presence.disconnect('tab 1');
    await delay(times.lease * 2);
    await untilSeen(seen, ['ana:OFFLINE', 'ana:ONLINE']);
    await other.presence.disconnect('tab 2');
    await untilSeen(seen, ['ana:OFFLINE', 'ana:ONLINE', 'ana:OFFLINE']);
    // Renewals publish nothing, and only one of the three sweepers told the end.
    await delay(times.sweep * 5);
    expect(publishedOf(ana, one, other, watching)).toHaveLength(2);
  });

  test('R3: the users of a killed process go offline when their leases run out, last seen at the last renewal', async () => {
    const deployment = deploy();
    const [doomed, other] = [await deployment.process(), await deployment.process()];
    const [ana, bruno] = [await newPerson(), await newPerson()];
    await doomed.presence.connect(ana, 'ana');
    await doomed.presence.connect(bruno, 'bruno 1');
    await other.presence.connect(bruno, 'bruno 2');
    await delay(times.lease * 1.5);
    expect((await stateOf(other, ana))?.status, 'renewed').toBe('ONLINE');
    const killedAt = Date.now();
    doomed.kill();
    await untilStatus(other, ana, 'OFFLINE');
    const took = Date.now() - killedAt;
    expect(took).toBeGreaterThan(times.lease - times.renewal - 100);
    const seenAt = (await lastSeen(ana))?.getTime() ?? 0;
    expect(seenAt).toBeLessThanOrEqual(killedAt + 20);
    expect(seenAt).toBeGreaterThan(killedAt - times.renewal * 3);
    expect((await stateOf(other, bruno))?.status, 'the tab on the other process').toBe('ONLINE');
  });

  test('R3: a reload does not flicker', async () => {
    const deployment = deploy();
    const [one, other] = [await deployment.process(), await deployment.process()];
    const ana = await newPerson();
    const seen = recorded(other.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
    await one.presence.connect(ana, 'load 0');
    for (let load = 1; load <= 5; load++) {
      const [from, to] = load % 2 ? [one, other] : [other, one];
      await from.presence.disconnect(`load ${load - 1}`);
      await delay(times.grace / 3);
      await to.presence.connect(ana, `load ${load}`);
    }
    await delay(times.grace * 2);
    expect(seen.filter((state) => state === 'ana:ONLINE')).toHaveLength(1);
    expect(seen.at(-1)).toBe('ana:ONLINE');
    expect(publishedOf(ana, one, other)).toHaveLength(1);
  });

  test('R3: somebody is away when every living connection is', async () => {
    const deployment = deploy();
    const [one, other] = [await deployment.process(), await deployment.process()];
    const ana = await newPerson();
    await one.presence.connect(ana, 'desk');
    await other.presence.connect(ana, 'phone');
    await one.presence.setStatus(ana, 'desk', 'AWAY');
    expect((await stateOf(one, ana))?.status, 'one of two').toBe('ONLINE');
    await other.presence.setStatus(ana, 'phone', 'AWAY');
    expect((await stateOf(one, ana))?.status, 'both').toBe('AWAY');
    await delay(times.renewal * 3);
    expect((await stateOf(one, ana))?.status, 'renewals keep it').toBe('AWAY');
    await other.presence.setStatus(ana, null, 'ONLINE');
    expect((await stateOf(one, ana))?.status, 'all at once, from anywhere').toBe('ONLINE');
    await delay(times.renewal * 3);
    expect((await stateOf(one, ana))?.status, 'renewals keep that too').toBe('ONLINE');
    await other.presence.setStatus(ana, 'phone', 'AWAY');
    expect((await stateOf(one, ana))?.status, 'the other of two').toBe('ONLINE');
    await other.presence.setStatus(ana, 'phone', 'ONLINE');
    await other.presence.setStatus(ana, null, 'AWAY');
    await delay(times.renewal * 3);
    expect((await stateOf(one, ana))?.status, 'renewals know nothing better').toBe('AWAY');
    await other.presence.setStatus(ana, 'phone', 'ONLINE');
    expect((await stateOf(one, ana))?.status).toBe('ONLINE');
    await other.presence.disconnect('phone');
    await untilStatus(one, ana, 'AWAY');
    expect(await stateOf(one, ana)).toEqual({ actorId: ana.id, status: 'AWAY', lastSeenAt: null });
  });

  test("R3: nobody's connection is set by another actor, nor through a connection that is not there", async () => {
    const process = await deploy().process();
    const [ana, bruno] = [await newPerson(), await newPerson()];
    await process.presence.connect(ana, 'ana');
    await process.presence.setStatus(bruno, 'ana', 'AWAY');
    await process.presence.setStatus(bruno, 'no such', 'AWAY');
    await process.presence.setStatus(bruno, null, 'ONLINE');
    expect((await stateOf(process, ana))?.status).toBe('ONLINE');
    expect((await stateOf(process, bruno))?.status).toBe('OFFLINE');
  });

  test('R3: a watcher is told each state first, then what changes, of those only whom it watches', async () => {
    const deployment = deploy();
    const [one, other] = [await deployment.process(), await deployment.process()];
    const tenantId = await newTenant();
    const [ana, bruno, carla] = [await newPerson(tenantId), await newPerson(tenantId), await newPerson(tenantId)];
    const names = { [ana.id]: 'ana', [bruno.id]: 'bruno', [carla.id]: 'carla' };
    await one.presence.connect(ana, 'ana');
    const watch = other.presence.watch(tenantId, [ana.id, bruno.id]);
    const seen = recorded(watch, names);
    await untilSeen(seen, ['ana:ONLINE', 'bruno:OFFLINE']);
    // Who comes later is told the same without asking again.
    const later = recorded(other.presence.watch(tenantId, [bruno.id, ana.id]), names);
    await untilSeen(later, ['bruno:OFFLINE', 'ana:ONLINE']);
    await one.presence.connect(carla, 'carla');
    await one.presence.connect(bruno, 'bruno');
    await untilSeen(seen, ['ana:ONLINE', 'bruno:OFFLINE', 'bruno:ONLINE']);
    watch.follow([carla.id, bruno.id]);
    await waitFor('carla', () => seen.includes('carla:ONLINE'));
    await one.presence.setStatus(ana, 'ana', 'AWAY');
    await one.presence.setStatus(bruno, 'bruno', 'AWAY');
    await untilSeen(seen, ['ana:ONLINE', 'bruno:OFFLINE', 'bruno:ONLINE', 'carla:ONLINE', 'bruno:AWAY']);
    await untilSeen(later, ['bruno:OFFLINE', 'ana:ONLINE', 'bruno:ONLINE', 'ana:AWAY', 'bruno:AWAY']);
  });

  test("R3: another tenant's watcher is told nothing, even if it knows the id", async () => {
    const deployment = deploy();
    const process = await deployment.process({ times: { comparison: 50 } });
    const [ana, stranger] = [await newPerson(), await newPerson()];
    await process.presence.connect(ana, 'ana');
    const seen = recorded(process.presence.watch(stranger.tenantId, [ana.id]), { [ana.id]: 'ana' });
    await untilSeen(seen, ['ana:OFFLINE']);
    await process.presence.setStatus(ana, 'ana', 'AWAY');
    await delay(200);
    expect(seen).toEqual(['ana:OFFLINE']);
  });

  test('R3: a watcher finds out what no hint told it', async () => {
    const deployment = deploy();
    const process = await deployment.process();
    const deaf = await deployment.process({ deaf: true, times: { comparison: 50 } });
    const ana = await newPerson();
    const seen = recorded(deaf.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
    await untilSeen(seen, ['ana:OFFLINE']);
    await process.presence.connect(ana, 'ana');
    await untilSeen(seen, ['ana:OFFLINE', 'ana:ONLINE']);
    await delay(200);
    await process.presence.disconnect('ana');
    await untilSeen(seen, ['ana:OFFLINE', 'ana:ONLINE', 'ana:OFFLINE']);
  });

  test('R3: a watcher finds out what was not told while its bus was away', async () => {
    const deployment = deploy();
    const process = await deployment.process();
    const deaf = await deployment.process({ deaf: true });
    const ana = await newPerson();
    const seen = recorded(deaf.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
    await untilSeen(seen, ['ana:OFFLINE']);
    await process.presence.connect(ana, 'ana');
    await delay(100);
    expect(seen).toEqual(['ana:OFFLINE']);
    deaf.reconnect();
    await untilSeen(seen, ['ana:OFFLINE', 'ana:ONLINE']);
  });

  test('R3: a process that shuts down leaves its users the grace to reconnect elsewhere', async () => {
    const deployment = deploy();
    const [old, next] = [await deployment.process(), await deployment.process()];
    const ana = await newPerson();
    await old.presence.connect(ana, 'ana 1');
    await old.presence.close();
    expect((await stateOf(next, ana))?.status).toBe('ONLINE');
    await next.presence.connect(ana, 'ana 2');
    await delay(times.grace * 2);
    expect((await stateOf(next, ana))?.status).toBe('ONLINE');
    expect(publishedOf(ana, old, next)).toHaveLength(1);
  });
});

test('R3: while Redis is away what was known stays, and leases are renewed when it is back, even if empty', async () => {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  const deployment = overRedis(redis.url);
  const [one, other] = [await deployment.process(), await deployment.process()];
  const ana = await newPerson();
  await one.presence.connect(ana, 'ana');
  const seen = recorded(other.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
  await untilSeen(seen, ['ana:ONLINE']);
  await redis.kill();
  await one.presence.setStatus(ana, 'ana', 'AWAY');
  await one.presence.connect(await newPerson(), 'meanwhile');
  expect((await stateOf(other, ana))?.status, 'the last known').toBe('ONLINE');
  await redis.restart();
  await untilStatus(other, ana, 'AWAY');
  await waitFor('the watcher to be told', () => seen.at(-1) === 'ana:AWAY');
});

/** A store that notes what is asked of it. */
function noting(store: PresenceStore): { store: PresenceStore; held: number[]; renewed: () => number } {
  const held: number[] = [];
  let renewed = 0;
  return {
    held,
    renewed: () => renewed,
    store: {
      ...store,
      hold: (holder, leases, expiry) => {
        held.push(leases.length);
        return store.hold(holder, leases, expiry);
      },
      renew: (holder) => {
        renewed++;
        return store.renew(holder);
      },
    },
  };
}

test('R3: many who come at the same time are told at once, and who has gone again meanwhile is not held', async () => {
  const noted = noting(createLocalPresenceStore(times.lease));
  const process = processOver(noted.store, createLocalBus(), {
    times: { renewal: 60_000, holding: 60_000, sweep: 60_000 },
  });
  const tenantId = await newTenant();
  const people = await Promise.all(Array.from({ length: 20 }, () => newPerson(tenantId)));
  const gone = await newPerson(tenantId);
  const connected = people.map((person) => process.presence.connect(person, person.id));
  const connecting = process.presence.connect(gone, gone.id);
  await process.presence.disconnect(gone.id);
  await Promise.all([...connected, connecting]);
  expect(noted.held).toEqual([20]);
  const states = await process.presence.read(
    tenantId,
    [...people, gone].map(({ id }) => id),
  );
  expect(states.map(({ status }) => status)).toEqual([...people.map(() => 'ONLINE'), 'OFFLINE']);
});

test('R3: a process renews all its leases by one call, and holds each again in parts, one after the other', async () => {
  const noted = noting(createLocalPresenceStore(times.lease));
  const process = processOver(noted.store, createLocalBus(), { times: { holding: 10, expiry: 60_000 } });
  const tenantId = await newTenant();
  const people = await Promise.all(Array.from({ length: 64 }, () => newPerson(tenantId)));
  await Promise.all(people.map((person) => process.presence.connect(person, person.id)));
  await waitFor('two rounds of sixteen parts', () => noted.held.filter((size) => size < 64).length >= 32);
  expect(noted.held.filter((size) => size >= 64)).toEqual([64]);
  expect(noted.held.filter((size) => size < 64).every((size) => size === 4)).toBe(true);
  expect(noted.renewed()).toBeGreaterThan(0);
});

describe.each([
  ['over Redis', () => redisStore()],
  ['in process', () => createLocalPresenceStore(times.lease)],
] as const)('leases %s', (_where, createStore) => {
  test('R3: the many connections of one program are one change, and all of them count', async () => {
    const store = createStore();
    const program = await newPerson();
    const actor = { tenantId: program.tenantId, actorId: program.id };
    // More than one script takes: who decides is in the middle one.
    const all = Array.from({ length: 450 }, (_, n) => ({ ...actor, connectionId: `connection-${n}` }));
    const one = all.splice(300, 1);
    const told = [
      ...(await take(store, 'a', all, 'AWAY')),
      ...(await take(store, 'a', one, 'ONLINE')),
      ...(await store.release('a', closed(one), 0)).transitions,
    ];
    expect(told.map(({ status }) => status)).toEqual(['AWAY', 'ONLINE', 'AWAY']);
    expect((await store.release('a', closed(all.slice(1)), 0)).transitions).toEqual([]);
    expect(await endAll(store, [actor])).toEqual([]);
    await store.release('a', closed(all.slice(0, 1)), 0);
    expect(await endAll(store, [actor])).toEqual(['OFFLINE']);
  });

  test('R3: a process that was taken for dead, or is not known, is told so, and has its people back when it holds them', async () => {
    const store = createStore();
    const ana = await newPerson();
    const lease = { tenantId: ana.tenantId, actorId: ana.id, connectionId: 'ana' };
    const held = { ...lease, status: 'ONLINE', force: false } as const;
    const holder = newId();
    expect((await store.hold(holder, [held], times.expiry)).isKnown).toBe(false);
    expect((await store.hold(holder, [held], times.expiry)).isKnown).toBe(true);
    // A process is known in all parts of the store, or not at all.
    await store.renew(holder);
    expect((await store.renew(holder)).isKnown).toBe(true);
    await waitFor('the process to be taken for dead', async () => (await dueOf(store, [lease])).length > 0);
    expect((await store.renew(holder)).isKnown, 'it was away for too long').toBe(false);
    expect(await dueOf(store, [lease]), 'alive again').toEqual([]);
    await waitFor('the process to be taken for dead', async () => (await dueOf(store, [lease])).length > 0);
    expect(await endAll(store, [lease])).toEqual(['OFFLINE']);
    const again = await store.hold(holder, [held], times.expiry);
    expect(again.isKnown).toBe(false);
    expect(again.transitions.map(({ status }) => status)).toEqual(['ONLINE']);
  });

  test('R3: the very many connections that one actor had on a process that died end like others', async () => {
    const store = createStore();
    const program = await newPerson();
    const actor = { tenantId: program.tenantId, actorId: program.id };
    const all = Array.from({ length: 9_000 }, (_, n) => ({ ...actor, connectionId: `connection-${n}` }));
    const [holder, phone] = [newId(), { ...actor, connectionId: 'phone' }];
    await take(store, newId(), all, 'ONLINE');
    await take(store, holder, [phone], 'AWAY');
    await waitFor('the process to be taken for dead', async () => {
      await store.renew(holder);
      return (await dueOf(store, [actor])).length > 0;
    });
    expect(await endAll(store, [actor]), 'the phone is left').toEqual(['AWAY']);
    await store.release(holder, closed([phone]), 0);
    expect(await endAll(store, [actor])).toEqual(['OFFLINE']);
  });

  test('R3: a connection whose end was missed does not stay, though its process lives', async () => {
    const store = createStore();
    const ana = await newPerson();
    const lease = { tenantId: ana.tenantId, actorId: ana.id, connectionId: 'missed' };
    const holder = newId();
    await store.hold(holder, [{ ...lease, status: 'ONLINE', force: false }], 100);
    await waitFor('it to run out', async () => {
      await store.renew(holder);
      return (await dueOf(store, [lease])).length > 0;
    });
    expect(await endAll(store, [lease])).toEqual(['OFFLINE']);
  });

  test('R3: who is unknown here does not end, and does not keep others from it', async () => {
    const store = createStore();
    const [stranger, ana] = [await newPerson(), await newPerson()].map(({ tenantId, id }) => ({
      tenantId,
      actorId: id,
      connectionId: 'one',
    }));
    if (!stranger || !ana) throw new Error('two people');
    await take(store, 'b', [stranger, ana], 'ONLINE');
    await store.release('b', closed([stranger, ana]), 0);
    const due = await dueOf(store, [stranger]);
    expect(due.map(({ status }) => status)).toEqual(['OFFLINE']);
    expect((await store.expire(due.map((each) => ({ ...each, mayEnd: false })))).transitions).toEqual([]);
    expect(await dueOf(store, [stranger]), 'not for a minute').toEqual([]);
    expect(await endAll(store, [ana])).toEqual(['OFFLINE']);
    expect((await store.read([stranger])).states.map((state) => state?.status)).toEqual(['ONLINE']);
    // Whoever comes and goes again is due again.
    await take(store, 'b', [stranger], 'ONLINE');
    await store.release('b', closed([stranger]), 0);
    expect(await endAll(store, [stranger])).toEqual(['OFFLINE']);
    expect(await dueOf(store, [stranger, ana])).toEqual([]);
  });
});

test('R3: what Redis lost of single connections comes back', async () => {
  const client = new Redis(url);
  onTestFinished(() => client.disconnect());
  const process = await overRedis().process({ times: { holding: 10 } });
  const ana = await newPerson();
  await process.presence.connect(ana, 'ana');
  const [key = ''] = await client.keys(`${prefix}leases:*${ana.id}`);
  // Twice: the first time, all may be held again for other reasons.
  for (let time = 0; time < 2; time++) {
    await client.del(key);
    await untilStatus(process, ana, 'ONLINE');
  }
});

test('R3: nothing is left in Redis of people who are gone, and of a process that died', async () => {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  const deployment = overRedis(redis.url, 'tidy:');
  const [doomed, other] = [await deployment.process(), await deployment.process()];
  const [ana, bruno, carla] = [await newPerson(), await newPerson(), await newPerson()];
  await doomed.presence.connect(ana, 'ana');
  await doomed.presence.connect(bruno, 'bruno');
  await other.presence.connect(carla, 'carla');
  await doomed.presence.disconnect('bruno');
  await untilStatus(other, bruno, 'OFFLINE');
  doomed.kill();
  await untilStatus(other, ana, 'OFFLINE');
  await other.presence.disconnect('carla');
  await untilStatus(other, carla, 'OFFLINE');
  const client = new Redis(redis.url);
  undo.push(() => client.disconnect());
  // But that the other process is alive.
  await waitFor('nothing to be left', async () =>
    (await client.keys('tidy:*')).every((key) => key.endsWith(':holders')),
  );
  expect(await client.zcard('tidy:leases:{0}:holders')).toBe(1);
});

test('R3: a connection that could not be released is released when Redis is back', async () => {
  const store = createLocalPresenceStore(times.lease);
  let away = false;
  const process = processOver(
    {
      ...store,
      release: async (holder, leases, grace) =>
        away ? { transitions: [], failed: leases, error: new Error('away') } : store.release(holder, leases, grace),
    },
    createLocalBus(),
  );
  const [ana, bruno] = [await newPerson(), await newPerson()];
  await process.presence.connect(ana, 'ana');
  await process.presence.connect(bruno, 'bruno');
  away = true;
  const leftAt = Date.now();
  await process.presence.disconnect('ana');
  await delay(times.grace * 2);
  expect((await stateOf(process, ana))?.status).toBe('ONLINE');
  away = false;
  await untilStatus(process, ana, 'OFFLINE');
  const seenAt = (await lastSeen(ana))?.getTime() ?? 0;
  expect(Math.abs(seenAt - leftAt), 'last seen when it was closed').toBeLessThan(times.grace);
});

test('R3: whoever leaves while they are still being held is gone', async () => {
  const store = createLocalPresenceStore(times.lease);
  const slow: PresenceStore = {
    ...store,
    hold: async (...args) => {
      await delay(100);
      return store.hold(...args);
    },
  };
  const process = processOver(slow, createLocalBus());
  const ana = await newPerson();
  const connecting = process.presence.connect(ana, 'ana');
  await delay(20);
  await process.presence.disconnect('ana');
  await connecting;
  expect((await stateOf(process, ana))?.status, 'the grace').toBe('ONLINE');
  await untilStatus(process, ana, 'OFFLINE');
});

test('R3, R9: whom a store that was restored brings back does not stay, and nobody else goes', async () => {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  const client = new Redis(redis.url);
  undo.push(() => client.disconnect());
  const process = await overRedis(redis.url, 'restored:').process();
  const [ana, bruno] = [await newPerson(), await newPerson()];
  await process.presence.connect(ana, 'ana');
  await process.presence.connect(bruno, 'bruno');
  const keys = await client.keys('restored:*');
  const values = await Promise.all(keys.map((key) => client.dumpBuffer(key)));
  await process.presence.disconnect('ana');
  await untilStatus(process, ana, 'OFFLINE');
  await Promise.all(keys.map((key, index) => client.restore(key, 0, values[index] ?? '', 'REPLACE')));
  expect((await stateOf(process, ana))?.status, 'as it was').toBe('ONLINE');
  process.reconnect();
  await untilStatus(process, ana, 'OFFLINE');
  expect((await stateOf(process, bruno))?.status).toBe('ONLINE');
  expect(publishedOf(bruno, process)).toHaveLength(1);
});

test('R3: what is no lease in Redis is dropped, and keeps nobody else', async () => {
  const client = new Redis(url);
  undo.push(() => client.disconnect());
  const process = await overRedis().process();
  const tenantId = await newTenant();
  const [ana, bruno] = [await newPerson(tenantId), await newPerson(tenantId)];
  await process.presence.connect(ana, 'ana');
  await process.presence.connect(bruno, 'bruno');
  const [key = ''] = await client.keys(`${prefix}leases:*${ana.id}`);
  await client.hset(key, 'c:old', 'O1795000000000', 'c:odd', '');
  for (const name of ['ana', 'bruno']) await process.presence.disconnect(name);
  for (const person of [bruno, ana]) await untilStatus(process, person, 'OFFLINE');
});

test('R3: a row that somebody else has locked keeps nobody but its own person online', async () => {
  const process = processOver(createLocalPresenceStore(times.lease), createLocalBus());
  const [ana, bruno] = [await newPerson(), await newPerson()];
  await process.presence.connect(ana, 'ana');
  await process.presence.connect(bruno, 'bruno');
  await database.prisma.$transaction(
    async (tx) => {
      await tx.$queryRaw`SELECT 1 FROM actors WHERE tenant_id = ${ana.tenantId}::uuid AND id = ${ana.id}::uuid FOR UPDATE`;
      for (const name of ['ana', 'bruno']) await process.presence.disconnect(name);
      await untilStatus(process, bruno, 'OFFLINE');
      expect((await stateOf(process, ana))?.status).toBe('ONLINE');
    },
    { timeout: 60_000 },
  );
  await untilStatus(process, ana, 'OFFLINE');
});

test('R3, R9: the first process that is back after an outage does not take the others for dead', async () => {
  const store = createLocalPresenceStore(times.lease);
  const bus = createLocalBus();
  const slower = { ...times, renewal: 400 };
  const [one, other] = [processOver(store, bus, { times: slower }), processOver(store, bus, { times: slower })];
  const [ana, bruno] = [await newPerson(), await newPerson()];
  await one.presence.connect(ana, 'ana');
  await other.presence.connect(bruno, 'bruno');
  const [goOn, follow] = [one.pause(), other.pause()];
  await delay(times.lease * 1.2);
  goOn();
  await delay(slower.renewal / 2);
  follow();
  await delay(slower.renewal * 3);
  expect(publishedOf(ana, one, other)).toHaveLength(1);
  expect(publishedOf(bruno, one, other)).toHaveLength(1);
});

test('R3, R9: a part of Redis that does not answer keeps nobody of the others', async () => {
  const client = new Redis(url);
  undo.push(() => client.disconnect());
  const isAway = (key: unknown) => String(key).includes('{3}');
  const broken = new Proxy(client, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) =>
        args.some(isAway) ? Promise.reject(new Error('that node is away')) : value.apply(target, args);
    },
  });
  const store = createRedisPresenceStore(broken, { lease: 60_000, prefix: `${prefix}broken:` });
  const tenantId = await newTenant();
  const all = Array.from({ length: 64 }, (_, n) => ({ tenantId, actorId: newId(), connectionId: `${n}` }));
  const away = all.filter(({ actorId }) => actorId.endsWith('3'));
  const others = all.filter(({ actorId }) => !actorId.endsWith('3'));
  const leases = all.map((lease) => ({ ...lease, status: 'ONLINE', force: false }) as const);
  const held = await store.hold('c', leases, times.expiry);
  expect(held.failed.map(({ actorId }) => actorId).sort()).toEqual(away.map(({ actorId }) => actorId).sort());
  expect(held.transitions).toHaveLength(others.length);
  expect(held.error === null).toBe(away.length === 0);
  expect((await store.renew('c')).error).toMatchObject({ message: 'that node is away' });
  const { states } = await store.read(all);
  expect(states.map((state) => state?.status ?? null)).toEqual(
    all.map((lease) => (away.includes(lease) ? null : 'ONLINE')),
  );
  const released = await store.release('c', closed(all), 0);
  expect(released.failed).toHaveLength(away.length);
  const { due, error } = await store.due();
  expect(error).toMatchObject({ message: 'that node is away' });
  const ended = await store.expire(due.map((each) => ({ ...each, mayEnd: true })));
  expect(ended.transitions.map(({ status }) => status)).toEqual(others.map(() => 'OFFLINE'));
});

type Claim = Omit<Lease, 'status' | 'force'>;

/** Closed just now. */
function closed(leases: readonly Claim[]) {
  return leases.map((lease) => ({ ...lease, age: 0 }));
}

function redisStore(): PresenceStore {
  const client = new Redis(url);
  undo.push(() => client.disconnect());
  return createRedisPresenceStore(client, { lease: times.lease, prefix });
}

async function take(store: PresenceStore, holder: string, leases: readonly Claim[], status: ConnectionStatus) {
  const held = await store.hold(
    holder,
    leases.map((lease) => ({ ...lease, status, force: false })),
    times.expiry,
  );
  return held.transitions;
}

/** Of these; other processes' people may be due too. */
async function dueOf(store: PresenceStore, actors: readonly ActorKey[]): Promise<Due[]> {
  return (await store.due()).due.filter(({ actorId }) => actors.some((actor) => actor.actorId === actorId));
}

/** Lets those of them end who are due. @returns what they became. */
async function endAll(store: PresenceStore, actors: readonly ActorKey[]): Promise<string[]> {
  const due = await dueOf(store, actors);
  const { transitions } = await store.expire(due.map((each) => ({ ...each, mayEnd: true })));
  return transitions.map(({ status }) => status);
}
