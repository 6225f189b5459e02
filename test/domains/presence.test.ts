import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { PresenceStore } from '../../src/domains/presence/leases.types.ts';
import { createLocalPresenceStore } from '../../src/domains/presence/localLeases.store.ts';
import { encodeChange, presenceChannel } from '../../src/domains/presence/watching.service.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import {
  inProcess,
  lastSeen,
  newPerson,
  newTenant,
  overRedis,
  processOver,
  publishedOf,
  recorded,
  stateOf,
  times,
  untilSeen,
  untilStatus,
} from '../support/presence.ts';
import { waitFor } from '../support/waiting.ts';

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

  test('R3: somebody is offline when the last of several tabs is closed, however soon after the others', async () => {
    const process = await deploy().process();
    const ana = await newPerson();
    for (const tab of ['tab 1', 'tab 2', 'tab 3']) await process.presence.connect(ana, tab);
    for (const tab of ['tab 1', 'tab 2', 'tab 3']) {
      await process.presence.disconnect(tab);
      await delay(times.grace / 3);
    }
    await untilStatus(process, ana, 'OFFLINE');
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

  test('R3: a watcher is told what is newer, by a clock that may be set back', async () => {
    const deployment = deploy();
    const process = await deployment.process();
    const ana = await newPerson();
    const seen = recorded(process.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
    await untilSeen(seen, ['ana:OFFLINE']);
    const tell = (status: 'ONLINE' | 'AWAY', stamp: number) =>
      process.publish(
        presenceChannel(ana.tenantId),
        encodeChange({ actorId: ana.id, status, lastSeenAt: null, stamp }),
      );
    const now = Date.now() * 2_000;
    tell('AWAY', now);
    await untilSeen(seen, ['ana:OFFLINE', 'ana:AWAY']);
    tell('ONLINE', now - 5_000_000);
    tell('ONLINE', now - 3_600_000_000);
    await untilSeen(seen, ['ana:OFFLINE', 'ana:AWAY', 'ana:ONLINE']);
    tell('AWAY', now - 3_605_000_000);
    tell('AWAY', now - 3_599_000_000);
    await untilSeen(seen, ['ana:OFFLINE', 'ana:AWAY', 'ana:ONLINE', 'ana:AWAY']);
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
