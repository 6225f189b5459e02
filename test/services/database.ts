import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, inject } from 'vitest';
import { administer } from './postgres.ts';

/**
 * Gives the calling test file a migrated, empty database of its own, in about 0.1 s, and drops it after its last test.
 * Call it at the top of the file, before anything that uses the database registers its own `afterAll`: those run last
 * registered first.
 * @returns its URL.
 */
export function createTestDatabase(): Promise<string> {
  return copyOf(inject('templateDatabase'));
}

/** As createTestDatabase, but without any table: for tests of the migrations. */
export function createEmptyDatabase(): Promise<string> {
  return copyOf('template0');
}

async function copyOf(template: string): Promise<string> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const url = new URL(inject('postgresUrl'));
  await administer(url.href, `CREATE DATABASE ${name} TEMPLATE ${template}`);
  afterAll(() => administer(inject('postgresUrl'), `DROP DATABASE ${name} WITH (FORCE)`));
  url.pathname = name;
  return url.href;
}

/** The Redis of the whole test run, and what the calling test file may use of it. */
export interface TestRedis {
  readonly url: string;
  /** Goes before every key and channel: files run side by side, and publications know no database numbers. */
  readonly prefix: string;
}

/** Gives the calling test file a key space of its own in Redis, and clears it after its last test. */
export function createTestRedis(): TestRedis {
  const url = inject('redisUrl');
  const prefix = `test_${randomBytes(6).toString('hex')}:`;
  afterAll(async () => {
    const client = new Redis(url);
    for await (const keys of client.scanStream({ match: `${prefix}*`, count: 1000 })) {
      if (keys.length > 0) await client.unlink(...keys);
    }
    client.disconnect();
  });
  return { url, prefix };
}
