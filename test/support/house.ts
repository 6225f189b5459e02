import { afterAll } from 'vitest';
import { type Config, readConfig } from '../../src/config.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { signIn } from '../../src/domains/identity/identity.service.ts';
import { type Foundation, openFoundation } from '../../src/server.ts';
import { type CapturedLog, captureLog } from './logs.ts';
import { type Person, secret } from './people.ts';

export interface HouseOptions {
  readonly databaseUrl: string;
  /** Absent: events stay in the process. */
  readonly redisUrl?: string;
  /** What this file may use of Redis; absent: what every process uses. */
  readonly redisPrefix?: string;
  readonly poolSize?: number;
  /** Environment variables besides, such as limits. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** One process of the back end without its transport: for tests of use cases and of live delivery. */
export interface House {
  readonly foundation: Foundation;
  readonly config: Config;
  readonly log: CapturedLog;
  callerOf(person: Person): Promise<Caller>;
}

/** Opens it, and closes it after the last test of the file. */
export async function openHouse(options: HouseOptions): Promise<House> {
  const config = readConfig({
    NODE_ENV: 'production',
    PORT: '0',
    DATABASE_URL: options.databaseUrl,
    DATABASE_POOL_SIZE: String(options.poolSize ?? 10),
    REDIS_URL: options.redisUrl,
    REDIS_PREFIX: options.redisPrefix,
    AUTH_JWT_SECRET: secret,
    ROLES: 'api',
    ...options.settings,
  });
  const log = captureLog();
  const foundation = await openFoundation(config, log.logger);
  afterAll(() => foundation.close());
  return {
    foundation,
    config,
    log,
    async callerOf({ tenant, subject, role }) {
      const roles = { admin: 'ADMIN', supervisor: 'SUPERVISOR', agent: 'AGENT', service: 'SERVICE' } as const;
      const actor = await signIn(foundation.database, {
        tenant,
        subject,
        role: roles[role],
        name: subject,
        email: undefined,
        picture: undefined,
        permissions: [],
        expiresAt: Date.now() + 3_600_000,
      });
      return foundation.callerFor(actor);
    },
  };
}
