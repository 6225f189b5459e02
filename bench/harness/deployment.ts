import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import pg from 'pg';
import { z } from 'zod';
import { applyMigrations } from '../../src/db/migrations.ts';
import { startPostgres } from '../../test/services/postgres.ts';
import { startRedis } from '../../test/services/redis.ts';
import { cpuOfTree, type Program, parentOf, startProgram } from './processes.ts';

const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const manifest = z.object({ scripts: z.object({ start: z.string() }) });
/** Those with which `npm start` starts Node.js. */
const startFlags = manifest
  .parse(JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')))
  .scripts.start.split(' ')
  .filter((word) => word.startsWith('--'));
const secret = 'a secret for benchmarks, of more than 32 characters';
/** Limits are not what is measured. */
const unlimited = { RATE_QUERIES: '0', RATE_MUTATIONS: '0', RATE_SUBSCRIPTIONS: '0', RATE_SENDS: '0' };
const tenantKey = 'bench';

/** A deployment as it is run: PostgreSQL (durable) and Redis, and each role of Prosa in a process of its own. */
export interface Deployment {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** The process of the role `api`; its `url` is where GraphQL is. */
  readonly api: Program;
  /** The time of the processor that PostgreSQL has used, in microseconds. */
  databaseCpu(): number;
  token(subject: string, role?: 'admin' | 'agent'): Promise<string>;
  /** Starts one more process of a role. */
  start(role: 'api' | 'worker', flags?: readonly string[]): Promise<Program>;
  /** Ends a program with the deployment. */
  keep(program: Program): Program;
  stop(): Promise<void>;
}

/**
 * Starts it on this machine, with an empty database.
 * @param options.settings of Prosa, beyond those that every benchmark has.
 * @param options.postgres settings as in postgresql.conf.
 * @param options.flags for Node.js under the role `api`, besides those of `npm start`.
 */
export async function deploy(
  options: {
    readonly settings?: Readonly<Record<string, string>>;
    readonly postgres?: Readonly<Record<string, string>>;
    readonly flags?: readonly string[];
  } = {},
): Promise<Deployment> {
  const [postgres, redis] = await Promise.all([
    startPostgres({ durable: true, settings: { shared_buffers: '1GB', max_wal_size: '4GB', ...options.postgres } }),
    startRedis(),
  ]);
  const programs: Program[] = [];
  const keep = (started: Program) => {
    programs.push(started);
    return started;
  };
  const stop = async () => {
    await Promise.all(programs.map((each) => each.stop()));
    await Promise.all([postgres.stop(), redis.stop()]);
  };
  const start = async (role: 'api' | 'worker', flags: readonly string[] = []) => {
    const started = await startProgram(
      program,
      {
        ...unlimited,
        // As many as the peers have.
        DATABASE_POOL_SIZE: '16',
        ROLES: role,
        PORT: '0',
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        AUTH_JWT_SECRET: secret,
        LOG_LEVEL: 'info',
        ...options.settings,
      },
      { flags: [...startFlags, ...flags], serves: role === 'api' },
    );
    return keep(started);
  };
  try {
    await applyMigrations(postgres.url);
    const postmaster = await postmasterOf(postgres.url);
    return {
      databaseUrl: postgres.url,
      redisUrl: redis.url,
      api: await start('api', options.flags),
      databaseCpu: () => cpuOfTree(postmaster),
      start,
      keep,
      stop,
      token: (subject, role = 'agent') =>
        new SignJWT({ tenant: tenantKey, role, name: subject })
          .setProtectedHeader({ alg: 'HS256' })
          .setSubject(subject)
          .setExpirationTime('2h')
          .sign(new TextEncoder().encode(secret)),
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts a peer from `bench/peers`, on the same PostgreSQL and Redis, with the secret of the tokens. It ends with the deployment. */
export async function startPeer(
  deployment: Deployment,
  name: string,
  tenantId: string,
  flags: readonly string[] = [],
): Promise<Program> {
  const file = fileURLToPath(new URL(`../peers/${name}.ts`, import.meta.url));
  const { databaseUrl, redisUrl } = deployment;
  return deployment.keep(
    await startProgram(
      file,
      { DATABASE_URL: databaseUrl, REDIS_URL: redisUrl, SECRET: secret, TENANT_ID: tenantId },
      { flags },
    ),
  );
}

async function postmasterOf(databaseUrl: string): Promise<number> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return parentOf(rows[0]?.pid ?? 0);
  } finally {
    await client.end();
  }
}

/** One operation over HTTP. @throws for a top-level error. */
export async function ask(url: string, token: string, query: string, variables: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const answer: unknown = await response.json();
  if (typeof answer !== 'object' || answer === null || !('data' in answer) || 'errors' in answer) {
    throw new Error(JSON.stringify(answer));
  }
  return answer.data;
}
