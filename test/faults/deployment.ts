import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { applyMigrations } from '../../src/db/migrations.ts';
import { startPostgres } from '../services/postgres.ts';
import { startRedis } from '../services/redis.ts';
import { freePort, service, temporaryFolder } from '../services/service.ts';
import { secret } from '../support/people.ts';

/** The program in a process of its own, as in production. */
export interface ApiProcess {
  readonly name: string;
  /** Where GraphQL is. The same after a restart. */
  readonly url: string;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** @throws Error with the end of its log, when it does not answer: it must have ended by itself. */
  requireAlive(): Promise<void>;
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** Two API processes on a PostgreSQL that keeps what it has committed, and a Redis; all of the test's own, to be killed. */
export async function startDeployment() {
  const [postgres, redis] = await Promise.all([startPostgres({ durable: true }), startRedis()]);
  await applyMigrations(postgres.url);
  const programs = await Promise.all(
    ['left', 'right'].map((name) => prepareApi(name, { databaseUrl: postgres.url, redisUrl: redis.url })),
  );
  const stop = async () => {
    await Promise.all(programs.map((program) => program.discard()));
    await Promise.all([postgres.stop(), redis.stop()]);
  };
  try {
    await Promise.all(programs.map(({ api }) => api.restart()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { postgres, redis, apis: programs.map(({ api }): ApiProcess => api), stop };
}

async function prepareApi(name: string, options: { databaseUrl: string; redisUrl: string }) {
  const folder = await temporaryFolder(`api-${name}`, undefined);
  const port = await freePort();
  const settings = {
    NODE_ENV: 'production',
    ROLES: 'api',
    HOST: '127.0.0.1',
    PORT: String(port),
    DATABASE_URL: options.databaseUrl,
    REDIS_URL: options.redisUrl,
    AUTH_JWT_SECRET: secret,
    AUTH_JWKS_URL: '',
    AUTH_ISSUER: '',
    AUTH_AUDIENCE: '',
    LOG_LEVEL: 'warn',
  };
  const health = async () => {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(10_000) });
    if (!response.ok) throw new Error(`not healthy: ${response.status}`);
  };
  const program = service({
    command: '/usr/bin/env',
    args: [...Object.entries(settings).map(([key, value]) => `${key}=${value}`), process.execPath, main],
    folder,
    runAs: undefined,
    killSignal: 'SIGKILL',
    answers: health,
  });
  const api = {
    name,
    url: `http://127.0.0.1:${port}/graphql`,
    kill: () => program.end('SIGKILL'),
    restart: () => program.start(),
    async requireAlive() {
      try {
        await health();
      } catch (error) {
        const log = await readFile(path.join(folder, 'log'), 'utf8');
        throw new Error(`the API process ${name} does not answer:\n${log.slice(-4000)}`, { cause: error });
      }
    },
  };
  return { api, discard: () => program.discard() };
}
