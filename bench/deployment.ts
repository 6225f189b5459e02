import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SignJWT } from 'jose';
import { applyMigrations } from '../src/db/migrations.ts';
import { startPostgres } from '../test/services/postgres.ts';
import { startRedis } from '../test/services/redis.ts';

const program = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const secret = 'a secret for benchmarks, of more than 32 characters';
/** Limits are not what is measured. */
const unlimited = { RATE_QUERIES: '0', RATE_MUTATIONS: '0', RATE_SUBSCRIPTIONS: '0', RATE_SENDS: '0' };

/** A deployment as it is run: PostgreSQL (durable) and Redis, and each role of Prosa in a process of its own. */
export interface Deployment {
  readonly databaseUrl: string;
  /** Where GraphQL is. */
  readonly url: string;
  token(subject: string, role: 'admin' | 'agent'): Promise<string>;
  /** Starts one more process with this role. */
  start(role: 'api' | 'worker'): Promise<void>;
  stop(): Promise<void>;
}

const tenantKey = 'bench';

/** Starts it on this machine, with an empty database. */
export async function deploy(): Promise<Deployment> {
  const [postgres, redis] = await Promise.all([startPostgres({ durable: true }), startRedis()]);
  await applyMigrations(postgres.url);
  const processes: { readonly child: ChildProcess; readonly exited: Promise<unknown> }[] = [];
  let url = '';

  async function start(role: 'api' | 'worker'): Promise<void> {
    const child = spawn(process.execPath, [program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        ...unlimited,
        NODE_ENV: 'production',
        ROLES: role,
        PORT: '0',
        DATABASE_URL: postgres.url,
        REDIS_URL: redis.url,
        AUTH_JWT_SECRET: secret,
        LOG_LEVEL: role === 'api' ? 'info' : 'warn',
      },
    });
    processes.push({ child, exited: once(child, 'exit') });
    let output = '';
    await new Promise<void>((resolve, reject) => {
      if (role === 'worker') resolve();
      child.once('exit', () => reject(new Error(`the server did not start: ${output}`)));
      // Read to the end: a server whose output nobody takes is not the one to be measured.
      child.stdout.on('data', (chunk) => {
        if (url) return;
        output += String(chunk);
        url = /"url":"([^"]+)"/.exec(output)?.[1] ?? '';
        if (url) resolve();
      });
    });
  }

  await start('api');
  return {
    databaseUrl: postgres.url,
    url,
    start,
    token: (subject, role) =>
      new SignJWT({ tenant: tenantKey, role, name: subject })
        .setProtectedHeader({ alg: 'HS256' })
        .setSubject(subject)
        .setExpirationTime('2h')
        .sign(new TextEncoder().encode(secret)),
    async stop() {
      for (const { child } of processes) child.kill('SIGTERM');
      await Promise.all(processes.map(({ exited }) => exited));
      await Promise.all([postgres.stop(), redis.stop()]);
    },
  };
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
