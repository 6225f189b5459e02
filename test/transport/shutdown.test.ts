import { afterAll, expect, test } from 'vitest';
import { applyMigrations } from '../../src/db/migrations.ts';
import { startPostgres } from '../services/postgres.ts';
import { startRedis } from '../services/redis.ts';
import { createRoom, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { openCuttableNetwork } from '../support/cuttable.ts';
import { person, secret, signToken } from '../support/people.ts';
import { startProgram } from '../support/program.ts';
import { waitFor } from '../support/waiting.ts';

const [postgres, redis] = await Promise.all([startPostgres({ durable: true }), startRedis()]);
afterAll(() => Promise.all([postgres.stop(), redis.stop()]));
await applyMigrations(postgres.url);

/** A server with subscribers, a follower of each kind. */
async function serve(roles: string, databaseUrl: string, redisUrl: string) {
  const server = startProgram({
    NODE_ENV: 'production',
    ROLES: roles,
    DATABASE_URL: databaseUrl,
    REDIS_URL: redisUrl,
    AUTH_JWT_SECRET: secret,
  });
  const url = await server.url();
  if (roles.includes('worker')) await waitFor('the worker', () => server.output().includes('job done'));
  const ana = createClient(url, await signToken(person('acme', 'Ana', 'admin')));
  const room = await createRoom(ana, { kind: 'GROUP', name: 'Team' });
  const { cursor } = await send(ana, room, 'one');
  const added =
    'subscription ($room: ID!, $after: String) { messageAdded(roomId: $room, after: $after) { __typename } }';
  const variables = { room, after: cursor };
  const followers = [ana.subscribe(added, variables), ana.stream(added, variables)];
  await send(ana, room, 'two');
  for (const follower of followers) await follower.next();
  return {
    server,
    sendMany: () =>
      Promise.all(Array.from({ length: 30 }, (_, index) => send(ana, room, `${index}`).catch(() => null))),
    ping: () => ana.query('{ serverTime }'),
    async stop() {
      const started = Date.now();
      server.child.kill('SIGTERM');
      const code = await server.exited;
      await Promise.allSettled(followers.map((follower) => follower.stop()));
      return { code, took: Date.now() - started };
    },
  };
}

const roles = ['api', 'api,worker'];

test.each(roles)('R9 SIGTERM ends %s at once where PostgreSQL and Redis are gone', async (role) => {
  await Promise.all([postgres.restart(), redis.restart()]);
  const { server, sendMany, stop } = await serve(role, postgres.url, redis.url);
  const underWay = sendMany();
  await Promise.all([postgres.kill('immediate'), redis.kill()]);
  await underWay;
  const { code, took } = await stop();
  expect(code).toBe(0);
  expect(took).toBeLessThan(10_000);
  expect(server.errors()).toBe('');
});

test('R9 SIGTERM ends it soon where PostgreSQL and Redis do not answer, and tells what it waited for in vain', async () => {
  await Promise.all([postgres.restart(), redis.restart()]);
  const [database, events] = await Promise.all([openCuttableNetwork(postgres.url), openCuttableNetwork(redis.url)]);
  const stops = await Promise.all(
    roles.map(async (role) => {
      const served = await serve(role, database.url, events.url);
      return { role, ...served };
    }),
  );
  for (const network of [database, events]) network.freeze();
  await Promise.all(
    stops.map(async ({ role, server, sendMany, ping, stop }) => {
      const underWay = sendMany();
      // Its answer, for which nothing is asked, shows that those before it are under way.
      await ping();
      const { code, took } = await stop();
      await underWay;
      expect(took).toBeLessThan(35_000);
      expect(server.errors()).toBe('');
      // The api has given up on each part by itself; a worker's job may still wait for its statement.
      if (role === 'api') expect(code).toBe(0);
      else if (code !== 0) expect(server.output()).toMatch(/"waitingFor":"[^"]+","msg":"could not stop in time/);
    }),
  );
}, 90_000);
