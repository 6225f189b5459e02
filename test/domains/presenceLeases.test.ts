import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import type { ActorKey, Due, Lease, PresenceStore } from '../../src/domains/presence/leases.types.ts';
import { createLocalPresenceStore } from '../../src/domains/presence/localLeases.store.ts';
import type { ConnectionStatus } from '../../src/domains/presence/presence.types.ts';
import { createRedisPresenceStore } from '../../src/domains/presence/redisLeases.store.ts';
import { newId } from '../../src/kernel/ids.ts';
import { newPerson, newTenant, prefix, times, undo, url } from '../support/presence.ts';
import { waitFor } from '../support/waiting.ts';

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
    expect((await store.expire(due.map((each) => ({ ...each, pause: 60_000 })))).transitions).toEqual([]);
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
  const ended = await store.expire(due.map((each) => ({ ...each, pause: null })));
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
  const { transitions } = await store.expire(due.map((each) => ({ ...each, pause: null })));
  return transitions.map(({ status }) => status);
}
