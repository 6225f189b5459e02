import { once } from 'node:events';
import { Cluster } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { createRedisPresenceStore } from '../../src/domains/presence/redisLeases.store.ts';
import { createRedisTypingThrottle } from '../../src/domains/presence/typingThrottle.store.ts';
import { newId } from '../../src/kernel/ids.ts';
import { startRedisCluster } from '../services/redisCluster.ts';
import { waitFor } from '../support/waiting.ts';

test('R3, R4: leases and throttles of many people work on a Redis Cluster', async () => {
  const redis = await startRedisCluster();
  onTestFinished(() => redis.stop());
  const client = new Cluster(redis.nodes.map(({ url }) => url));
  onTestFinished(() => client.disconnect());
  await once(client, 'ready');
  const store = createRedisPresenceStore(client, { lease: 300 });
  const tenantId = newId();
  const leases = Array.from({ length: 1000 }, () => ({
    tenantId,
    actorId: newId(),
    connectionId: newId(),
    status: 'ONLINE' as const,
    force: false,
  }));
  expect((await store.hold('a process', leases, 60_000)).transitions).toHaveLength(1000);
  expect((await store.hold('a process', leases, 60_000)).transitions).toHaveLength(0);
  await store.renew('a process');
  expect((await store.read(leases)).states.every((state) => state?.status === 'ONLINE')).toBe(true);
  await store.release(
    'a process',
    leases.slice(0, 500).map((lease) => ({ ...lease, age: 0 })),
    10,
  );
  let told = 0;
  await waitFor('all offline', async () => {
    const { due } = await store.due();
    told += (await store.expire(due.map((d) => ({ ...d, pause: null })))).transitions.length;
    return told >= 1000;
  });
  expect(told).toBe(1000);
  expect((await store.read(leases)).states.every((state) => state?.status === 'OFFLINE')).toBe(true);
  const throttle = createRedisTypingThrottle(client);
  const limits = { throttle: 1000, expiry: 2000, burst: 4 };
  const place = { tenantId, roomId: newId(), actorId: newId() };
  expect([
    await throttle.admit(place, true, limits),
    await throttle.admit(place, true, limits),
    await throttle.admit(place, false, limits),
  ]).toEqual([true, false, true]);
});
