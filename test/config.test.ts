import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../src/config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'prosa-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'file');
writeFileSync(file, '');

const secret = 'x'.repeat(32);
const production = { NODE_ENV: 'production', AUTH_JWT_SECRET: secret, DATABASE_URL: 'postgresql://db/prosa' };

function refusal(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return 'none';
}

describe('P6 a start with nothing set', () => {
  test('serves on this machine only, with the embedded database, events in the process and GraphiQL', () => {
    expect(readConfig({})).toMatchObject({
      host: '127.0.0.1',
      port: 4000,
      databaseUrl: undefined,
      redisUrl: undefined,
      dataDir: 'data',
      development: true,
      graphiql: true,
      corsOrigins: [],
      roles: ['api', 'worker'],
    });
  });

  test('takes an empty variable for one that is not set', () => {
    expect(readConfig({ PORT: '', DATABASE_URL: '', AUTH_JWT_SECRET: '' })).toEqual(readConfig({}));
  });
});

describe('a wrong setting stops the start with one line that names it', () => {
  test.each([
    ['PORT', { PORT: 'http' }],
    ['PORT', { PORT: '65536' }],
    ['PORT', { PORT: '-1' }],
    ['PORT', { PORT: '1.5' }],
    ['DATABASE_URL', { DATABASE_URL: 'mysql://db/prosa' }],
    ['DATABASE_URL', { DATABASE_URL: 'nonsense' }],
    ['DATABASE_POOL_SIZE', { DATABASE_POOL_SIZE: '0' }],
    ['REDIS_URL', { REDIS_URL: 'http://redis' }],
    ['REDIS_URL', { REDIS_URL: 'redis://one,two' }],
    ['DATA_DIR', { DATA_DIR: file }],
    ['CORS_ORIGINS', { CORS_ORIGINS: '*' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'null' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'https://app.example, https://other.example/' }],
    ['AUTH_JWT_SECRET', { AUTH_JWT_SECRET: 'short' }],
    ['AUTH_JWKS_URL', { AUTH_JWKS_URL: 'ftp://keys', AUTH_ISSUER: 'a', AUTH_AUDIENCE: 'b' }],
    ['AUTH_JWKS_URL', { AUTH_JWKS_URL: 'https://keys', AUTH_JWT_SECRET: secret }],
    ['AUTH_ISSUER', { AUTH_JWKS_URL: 'https://keys', AUTH_AUDIENCE: 'b' }],
    ['AUTH_AUDIENCE', { AUTH_JWKS_URL: 'https://keys', AUTH_ISSUER: 'a' }],
    ['ROLES', { ROLES: 'api,cook' }],
    ['LOG_LEVEL', { LOG_LEVEL: 'loud' }],
    ['NODE_ENV', { NODE_ENV: 'prod' }],
    ['GRAPHIQL', { GRAPHIQL: 'maybe' }],
  ])('%s: %j', (name, env) => {
    expect(refusal(env)).toMatch(new RegExp(`^${name}: [^\n]+$`));
  });
});

describe('in production', () => {
  test('a start without keys or without a database is refused', () => {
    expect(refusal({ ...production, AUTH_JWT_SECRET: '' })).toMatch(/^AUTH_JWT_SECRET: /);
    expect(refusal({ ...production, DATABASE_URL: '' })).toMatch(/^DATABASE_URL: /);
  });

  test('P4 there is no GraphiQL unless it is asked for', () => {
    expect(readConfig(production)).toMatchObject({ development: false, graphiql: false });
    expect(readConfig({ ...production, GRAPHIQL: 'true' })).toMatchObject({ graphiql: true });
  });

  test('published keys do instead of a secret', () => {
    const { AUTH_JWT_SECRET: _, ...rest } = production;
    const keys = { AUTH_JWKS_URL: 'https://keys', AUTH_ISSUER: 'issuer', AUTH_AUDIENCE: 'prosa' };
    expect(readConfig({ ...rest, ...keys }).auth).toEqual({
      secret: undefined,
      jwksUrl: 'https://keys',
      issuer: 'issuer',
      audience: 'prosa',
    });
  });
});

test('R9 a Redis Cluster is named by several of its nodes', () => {
  const nodes = 'redis://one:7001,redis://two:7002';
  expect(readConfig({ REDIS_URL: nodes })).toMatchObject({ redisUrl: nodes });
});

test('lists are split at commas', () => {
  expect(readConfig({ ROLES: 'worker', CORS_ORIGINS: 'https://a.example, https://b.example' })).toMatchObject({
    roles: ['worker'],
    corsOrigins: ['https://a.example', 'https://b.example'],
  });
});
