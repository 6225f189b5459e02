import { Redis as RedisClient } from 'ioredis';
import type { Postgres } from '../services/postgres.ts';
import type { Redis } from '../services/redis.ts';
import type { Random } from '../support/random.ts';
import type { Crew } from './crew.ts';
import type { ApiProcess } from './deployment.ts';
import { progress } from './progress.ts';

/** Something goes wrong, under load, and is put right again. */
export interface Fault {
  readonly name: string;
  happen(): Promise<void>;
}

/** How many sends come through, or come to nothing, before what was broken is put right. */
const meanwhile = 20;

/** The faults of one round, in random order. */
export function faultsOf(
  { postgres, redis, apis }: { postgres: Postgres; redis: Redis; apis: readonly ApiProcess[] },
  crew: Crew,
  random: Random,
): Fault[] {
  const sent = (count: number) => progress(() => sum(crew.writers.map((writer) => writer.acknowledged.size)), count);
  const failed = (count: number) => progress(() => sum(crew.writers.map((writer) => writer.failures)), count);
  const cutPubsub = {
    name: 'the subscriptions to Redis are cut',
    happen: () => withRedis(redis.url, (client) => client.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
  };
  const cutSockets = {
    name: 'sockets are cut',
    async happen() {
      for (const reader of crew.readers) if (random.integer(2) === 0) reader.cut();
    },
  };
  const killApi = (api: ApiProcess): Fault => ({
    name: `the API process ${api.name} is killed`,
    async happen() {
      await api.kill();
      await sent(meanwhile);
      await api.restart();
    },
  });
  const faults = [
    cutPubsub,
    cutPubsub,
    cutSockets,
    cutSockets,
    ...apis.map(killApi),
    {
      name: 'Redis is killed',
      async happen() {
        await redis.kill();
        await sent(meanwhile);
        await redis.restart();
      },
    },
    {
      name: 'PostgreSQL is stopped hard',
      async happen() {
        await postgres.kill('immediate');
        await failed(meanwhile);
        await postgres.restart();
      },
    },
  ];
  return shuffled(faults, random).map(({ name, happen }) => ({
    name,
    async happen() {
      await happen();
      // The next one does not wait for all to be well again, only until sends come through.
      await sent(meanwhile + random.integer(meanwhile));
    },
  }));
}

async function withRedis(url: string, work: (client: RedisClient) => Promise<unknown>): Promise<void> {
  const client = new RedisClient(url);
  try {
    await work(client);
  } finally {
    client.disconnect();
  }
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const rest = [...values];
  return values.flatMap(() => rest.splice(random.integer(rest.length), 1));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
