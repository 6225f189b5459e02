import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import pg from 'pg';
import { expect, test } from 'vitest';
import { findChromium } from './chromium.ts';
import { createTestDatabase, createTestRedis } from './database.ts';
import { startPostgres } from './postgres.ts';
import { findOrInstall } from './programs.ts';
import { startRedis } from './redis.ts';

const databaseUrl = await createTestDatabase();
const redis = createTestRedis();

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('a test file has a migrated, empty database of its own', async () => {
  expect(await query(databaseUrl, 'SELECT count(*)::int AS tenants FROM tenants')).toEqual([{ tenants: 0 }]);
  const other = await createTestDatabase();
  await query(other, `INSERT INTO tenants (id, key, name) VALUES (gen_random_uuid(), 'other', 'Other')`);
  expect(await query(databaseUrl, 'SELECT count(*)::int AS tenants FROM tenants')).toEqual([{ tenants: 0 }]);
});

test('a test file has a part of Redis of its own', async () => {
  const client = new Redis(redis.url);
  await client.set(`${redis.prefix}a`, '1');
  expect(await client.get(`${redis.prefix}a`)).toBe('1');
  expect(createTestRedis().prefix).not.toBe(redis.prefix);
  client.disconnect();
});

test('a durable PostgreSQL that is stopped hard comes back on the same port with what was committed', async () => {
  const postgres = await startPostgres({ durable: true });
  await query(postgres.url, 'CREATE TABLE kept AS SELECT 1 AS n');
  await postgres.kill('immediate');
  await expect(query(postgres.url, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
  await postgres.restart();
  expect(await query(postgres.url, 'SELECT n FROM kept')).toEqual([{ n: 1 }]);
  expect(await query(postgres.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
  await postgres.stop();
});

test('a Redis that is killed comes back on the same port', async () => {
  const own = await startRedis();
  const client = new Redis(own.url, { retryStrategy: () => 50 });
  client.on('error', () => undefined);
  await client.ping();
  await own.kill();
  await own.restart();
  expect(await client.ping()).toBe('PONG');
  client.disconnect();
  await own.stop();
});

test('services do not outlive a test process that is killed', async () => {
  const code = `
    const { startPostgres } = await import('./postgres.ts');
    const { startRedis } = await import('./redis.ts');
    const [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
    console.log(JSON.stringify([postgres.url, redis.url]));
    setInterval(() => undefined, 1000);`;
  const cwd = fileURLToPath(new URL('.', import.meta.url));
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [postgresUrl, redisUrl] = await new Promise<[string, string]>((resolve) => {
    child.stdout.once('data', (data: Buffer) => resolve(JSON.parse(data.toString())));
  });
  const data = await query(postgresUrl, 'SHOW data_directory');
  const folder = String(Object.values(data[0] ?? {})[0]);
  expect(existsSync(folder)).toBe(true);
  child.kill('SIGKILL');
  await expect
    .poll(() => Promise.all([isUp(postgresUrl), isUp(redisUrl), existsSync(folder)]), { timeout: 10_000 })
    .toEqual([false, false, false]);
});

async function isUp(url: string): Promise<boolean> {
  return fetch(`http://${new URL(url).host}`, { signal: AbortSignal.timeout(1000) }).then(
    () => true,
    (error: unknown) =>
      !(error instanceof Error && String(Reflect.get(Object(error.cause), 'code')) === 'ECONNREFUSED'),
  );
}

test('what is missing is said in one sentence', async () => {
  const wanted = { what: 'Nothing 1', debian: 'no-such-package-of-prosa', setting: 'TEST_NOTHING' };
  const path = process.env.PATH;
  process.env.PATH = '';
  try {
    await expect(findOrInstall(async () => undefined, wanted)).rejects.toThrow(
      'The tests need Nothing 1: install it (on Debian: apt-get install no-such-package-of-prosa), or set TEST_NOTHING.',
    );
  } finally {
    process.env.PATH = path;
  }
});

test('a Chromium is found', async () => {
  const { stdout } = await promisify(execFile)(await findChromium(), ['--version']);
  expect(stdout).toMatch(/Chrom/);
});
