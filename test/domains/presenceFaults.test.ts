import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import type { PresenceStore } from '../../src/domains/presence/leases.types.ts';
import { createLocalPresenceStore } from '../../src/domains/presence/localLeases.store.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { startRedis } from '../services/redis.ts';
import {
  database,
  lastSeen,
  newPerson,
  newTenant,
  overRedis,
  prefix,
  processOver,
  publishedOf,
  recorded,
  stateOf,
  times,
  undo,
  untilSeen,
  untilStatus,
  url,
} from '../support/presence.ts';
import { waitFor } from '../support/waiting.ts';

test('R3: while Redis is away what was known stays, and leases are renewed when it is back, even if empty', async () => {
  const redis = await startRedis();
  undo.push(() => redis.stop());
  const deployment = overRedis(redis.url);
  const [one, other] = [await deployment.process(), await deployment.process()];
  const ana = await newPerson();
  await one.presence.connect(ana, 'ana');
  const seen = recorded(other.presence.watch(ana.tenantId, [ana.id]), { [ana.id]: 'ana' });
  await untilSeen(seen, ['ana:ONLINE']);
  const bruno = await newPerson();
  await one.presence.connect(bruno, 'bruno');
  await redis.kill();
  const leftAt = Date.now();
  await one.presence.disconnect('bruno');
  await one.presence.setStatus(ana, 'ana', 'AWAY');
  await one.presence.connect(await newPerson(), 'meanwhile');
  expect((await stateOf(other, ana))?.status, 'the last known').toBe('ONLINE');
  await redis.restart();
  await untilStatus(other, ana, 'AWAY');
  await waitFor('the watcher to be told', () => seen.at(-1) === 'ana:AWAY');
  await waitFor('what is known of one who left meanwhile', async () => (await lastSeen(bruno)) !== null);
  expect(Math.abs(((await lastSeen(bruno))?.getTime() ?? 0) - leftAt)).toBeLessThan(times.grace);
  await untilStatus(other, bruno, 'OFFLINE');
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

test('R3: whoever leaves between the look of a sweep and its end goes offline with the next one', async () => {
  const store = createLocalPresenceStore(times.lease);
  const slow: PresenceStore = {
    ...store,
    expire: async (actors) => {
      await delay(times.grace);
      return store.expire(actors);
    },
  };
  const process = processOver(slow, createLocalBus());
  const ana = await newPerson();
  await process.presence.connect(ana, 'tab 1');
  await process.presence.connect(ana, 'tab 2');
  await process.presence.disconnect('tab 1');
  await delay(times.grace / 2);
  await process.presence.disconnect('tab 2');
  await untilStatus(process, ana, 'OFFLINE');
});

test('R3, R9: whoever is first after an outage, or has just come, does not take the others for dead', async () => {
  const store = createLocalPresenceStore(times.lease);
  const bus = createLocalBus();
  const slower = { ...times, renewal: 400 };
  const [one, other] = [processOver(store, bus, { times: slower }), processOver(store, bus, { times: slower })];
  const [ana, bruno] = [await newPerson(), await newPerson()];
  await one.presence.connect(ana, 'ana');
  await other.presence.connect(bruno, 'bruno');
  // Also where a tab on the first one has just been closed.
  await one.presence.connect(bruno, 'bruno, here');
  await one.presence.disconnect('bruno, here');
  const [goOn, follow] = [one.pause(), other.pause()];
  await delay(times.lease * 1.2);
  const fresh = processOver(store, bus, { times: slower });
  await delay(times.sweep * 3);
  goOn();
  await delay(slower.renewal / 2);
  follow();
  await delay(slower.renewal * 3);
  expect(publishedOf(ana, one, other, fresh)).toHaveLength(1);
  expect(publishedOf(bruno, one, other, fresh)).toHaveLength(1);
});
