import { Redis as Client } from 'ioredis';
import { findOrInstall, onPath } from './programs.ts';
import { freePort, service, temporaryFolder } from './service.ts';

export interface RedisOptions {
  /** Whether it keeps its data over a kill and a restart. Absent: no, it comes back empty. */
  readonly durable?: boolean;
}

/** A Redis of the test's own, on a free port of 127.0.0.1. */
export interface Redis {
  /** The same after a restart. */
  readonly url: string;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port; ends it first where it still runs. */
  restart(): Promise<void>;
  /** Ends it for good and throws its data away. */
  stop(): Promise<void>;
}

/**
 * Starts a new, empty Redis, in a fraction of a second. It is thrown away with this process at the latest.
 * @throws Error of one sentence where there is none on this machine and it cannot be installed.
 */
export async function startRedis({ durable = false }: RedisOptions = {}): Promise<Redis> {
  const command = await findOrInstall(() => onPath('redis-server', 'valkey-server'), {
    what: 'Redis',
    debian: 'redis-server',
    setting: 'TEST_REDIS_URL',
  });
  const folder = await temporaryFolder('redis', undefined);
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const appending = durable ? ['yes', '--appendfsync', 'always'] : ['no'];
  const redis = service({
    command,
    args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', ...appending],
    folder,
    runAs: undefined,
    killSignal: 'SIGKILL',
    answers: () => answers(url),
  });
  try {
    await redis.start();
  } catch (error) {
    await redis.discard();
    throw error;
  }
  return {
    url,
    kill: () => redis.end('SIGKILL'),
    restart: () => redis.start(),
    stop: () => redis.discard(),
  };
}

async function answers(url: string): Promise<void> {
  const client = new Client(url, { lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
  } finally {
    client.disconnect();
  }
}
