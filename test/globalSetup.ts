import { randomBytes } from 'node:crypto';
import type { TestProject } from 'vitest/node';
import { applyMigrations } from '../src/db/migrations.ts';
import { administer, startPostgres } from './services/postgres.ts';
import { startRedis } from './services/redis.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A PostgreSQL in which the tests may create databases. */
    postgresUrl: string;
    /** The name of a migrated database there, to copy; nothing may connect to it. */
    templateDatabase: string;
    redisUrl: string;
  }
}

const undo: (() => Promise<void>)[] = [];

/** Before the first test: one PostgreSQL and one Redis for the whole run, given by the environment or started here. */
export async function setup(project: TestProject): Promise<void> {
  const [postgresUrl, redisUrl] = await Promise.all([
    process.env.TEST_DATABASE_URL || ownPostgres(),
    process.env.TEST_REDIS_URL || ownRedis(),
  ]);
  const templateDatabase = `test_template_${randomBytes(6).toString('hex')}`;
  await administer(postgresUrl, `CREATE DATABASE ${templateDatabase} TEMPLATE template0`);
  undo.push(() => administer(postgresUrl, `DROP DATABASE ${templateDatabase} WITH (FORCE)`));
  const url = new URL(postgresUrl);
  url.pathname = templateDatabase;
  await applyMigrations(url.href);
  project.provide('postgresUrl', postgresUrl);
  project.provide('templateDatabase', templateDatabase);
  project.provide('redisUrl', redisUrl);
}

/** After the last test. */
export async function teardown(): Promise<void> {
  for (const step of undo.splice(0).reverse()) await step();
}

async function ownPostgres(): Promise<string> {
  const postgres = await startPostgres();
  undo.push(postgres.stop);
  return postgres.url;
}

async function ownRedis(): Promise<string> {
  const redis = await startRedis();
  undo.push(redis.stop);
  return redis.url;
}
