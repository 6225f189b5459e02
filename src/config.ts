import { existsSync, statSync } from 'node:fs';
import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65_535);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const roles = z
  .string()
  .transform((value) => value.split(',').map((role) => role.trim()))
  .pipe(z.array(z.enum(['api', 'worker'])).min(1));

const redisNode = z.url({ protocol: /^rediss?$/ });
const redisUrl = z.string().refine((value) => value.split(',').every((node) => redisNode.safeParse(node).success), {
  error: 'must be a redis:// URL, or several of a cluster with commas in between',
});

/** Every setting of the server. The README's table of settings is written from here; keep both in step. */
const settings = z.object({
  PORT: port.default(4000),
  HOST: z.string().min(1).default('127.0.0.1'),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'must be a postgresql:// URL' }).optional(),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(1).max(1000).default(10),
  REDIS_URL: redisUrl.optional(),
  /** Before every key and channel in Redis: lets several deployments share one. */
  REDIS_PREFIX: z.string().max(100).default('prosa:'),
  DATA_DIR: z.string().min(1).default('data'),
  AUTH_JWT_SECRET: z.string().min(32, { error: 'must have at least 32 characters' }).optional(),
  AUTH_JWKS_URL: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  AUTH_ISSUER: z.string().min(1).optional(),
  AUTH_AUDIENCE: z.string().min(1).optional(),
  ROLES: roles.default(['api', 'worker']),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  GRAPHIQL: flag.optional(),
  /** Days that the changes of rooms are kept for subscribers that resume; messages are not affected. */
  ROOM_LOG_DAYS: z.coerce.number().int().min(1).default(30),
  /** Days for which the audit trail keeps every entry, whoever wants to purge it. */
  AUDIT_KEEP_DAYS: z.coerce.number().int().min(0).default(90),
  CORS_ORIGINS: z
    .string()
    .transform((value) => value.split(',').map((origin) => origin.trim()))
    .default([]),
});

/** The limits of live delivery. Each bounds what one client can cost; a well-behaved one meets none of them. */
const limitSettings = z.object({
  /** Sockets of one user in one process: tabs, phones and a script or two. */
  WS_SOCKETS_PER_USER: z.coerce.number().int().min(1).default(20),
  /** Operations open on one socket: a client needs a handful, and one covers all rooms. */
  WS_OPERATIONS_PER_SOCKET: z.coerce.number().int().min(1).default(100),
  /** Bytes of one frame from a client: the longest body in the widest script fits. */
  WS_MESSAGE_BYTES: z.coerce.number().int().min(1_024).default(262_144),
  /** Milliseconds from opening a socket to `connectionInit`. */
  WS_INIT_TIMEOUT_MS: z.coerce.number().int().min(10).default(10_000),
  /** Milliseconds between pings; a socket that has not answered by the next one is dead. */
  WS_PING_MS: z.coerce.number().int().min(10).default(15_000),
  /** Bytes written and not yet taken by the network before a socket's operations wait for it. */
  WS_BUFFER_BYTES: z.coerce.number().int().min(1_024).default(262_144),
  /** Events that wait for one slow subscriber before it is told to resync: a few pages, some hundred kilobytes. */
  LIVE_QUEUE_EVENTS: z.coerce.number().int().min(1).default(1_000),
});

type Settings = z.infer<typeof settings>;

export interface Config {
  readonly host: string;
  readonly port: number;
  /** Absent: the embedded database, in the data folder. */
  readonly databaseUrl: string | undefined;
  readonly databasePoolSize: number;
  /** One Redis, or several nodes of a cluster with commas in between. Absent: events stay in this process. */
  readonly redisUrl: string | undefined;
  /** Before every key and channel in Redis. */
  readonly redisPrefix: string;
  readonly dataDir: string;
  readonly auth: AuthConfig;
  readonly roles: readonly ('api' | 'worker')[];
  readonly logLevel: Settings['LOG_LEVEL'];
  /** Development: the server makes its own key, seeds a demo tenant and prints tokens. */
  readonly development: boolean;
  readonly graphiql: boolean;
  /** Origins of front ends on other hosts that browsers may let in; none by default. */
  readonly corsOrigins: readonly string[];
  /** Days after which changes leave the rooms' logs. */
  readonly roomLogDays: number;
  /** Days for which entries of the audit trail cannot be purged. */
  readonly auditKeepDays: number;
  readonly limits: Limits;
}

/** See the settings of the same names for what each bounds. */
export type Limits = ReturnType<typeof toLimits>;

/** How tokens are verified: by a shared secret, by published keys, or by a secret made on the spot in development. */
export interface AuthConfig {
  readonly secret: string | undefined;
  readonly jwksUrl: string | undefined;
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
}

/** A setting that stops the start; the message is one line that names it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings; the only reader of the environment.
 * @throws ConfigError naming the first wrong setting.
 */
export function readConfig(env: Environment = process.env): Config {
  const value = parse(settings, env);
  const production = value.NODE_ENV === 'production';
  checkAuth(value, production);
  if (production && !value.DATABASE_URL) throw new ConfigError('DATABASE_URL: is required in production');
  checkDataFolder(value);
  return {
    host: value.HOST,
    port: value.PORT,
    databaseUrl: value.DATABASE_URL,
    databasePoolSize: value.DATABASE_POOL_SIZE,
    redisUrl: value.REDIS_URL,
    redisPrefix: value.REDIS_PREFIX,
    dataDir: value.DATA_DIR,
    auth: {
      secret: value.AUTH_JWT_SECRET,
      jwksUrl: value.AUTH_JWKS_URL,
      issuer: value.AUTH_ISSUER,
      audience: value.AUTH_AUDIENCE,
    },
    roles: value.ROLES,
    logLevel: value.LOG_LEVEL,
    development: !production,
    graphiql: value.GRAPHIQL ?? !production,
    corsOrigins: value.CORS_ORIGINS,
    roomLogDays: value.ROOM_LOG_DAYS,
    auditKeepDays: value.AUDIT_KEEP_DAYS,
    limits: toLimits(parse(limitSettings, env)),
  };
}

function toLimits(value: z.infer<typeof limitSettings>) {
  return {
    socketsPerUser: value.WS_SOCKETS_PER_USER,
    operationsPerSocket: value.WS_OPERATIONS_PER_SOCKET,
    messageBytes: value.WS_MESSAGE_BYTES,
    initTimeout: value.WS_INIT_TIMEOUT_MS,
    pingEvery: value.WS_PING_MS,
    bufferBytes: value.WS_BUFFER_BYTES,
    queueEvents: value.LIVE_QUEUE_EVENTS,
  } as const;
}

const databaseSettings = settings.pick({ DATABASE_URL: true, DATABASE_POOL_SIZE: true, DATA_DIR: true });

/**
 * Where the data is, for programs that serve nobody and so need no keys.
 * @throws ConfigError naming the first wrong setting.
 */
export function readDatabaseSettings(
  env: Environment = process.env,
): Pick<Config, 'databaseUrl' | 'databasePoolSize' | 'dataDir'> {
  const value = parse(databaseSettings, env);
  checkDataFolder(value);
  return { databaseUrl: value.DATABASE_URL, databasePoolSize: value.DATABASE_POOL_SIZE, dataDir: value.DATA_DIR };
}

function parse<T>(schema: z.ZodType<T>, env: Environment): T {
  // An empty variable counts as absent: compose files and CI systems cannot unset one.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new ConfigError(`${String(issue?.path[0])}: ${issue?.message}`);
}

function checkDataFolder(value: Pick<Settings, 'DATABASE_URL' | 'DATA_DIR'>): void {
  if (!value.DATABASE_URL && existsSync(value.DATA_DIR) && !statSync(value.DATA_DIR).isDirectory()) {
    throw new ConfigError(`DATA_DIR: ${value.DATA_DIR} is not a folder`);
  }
}

function checkAuth(value: Settings, production: boolean): void {
  if (value.AUTH_JWT_SECRET && value.AUTH_JWKS_URL) {
    throw new ConfigError('AUTH_JWKS_URL: give either this or AUTH_JWT_SECRET, not both');
  }
  if (production && !value.AUTH_JWT_SECRET && !value.AUTH_JWKS_URL) {
    throw new ConfigError('AUTH_JWT_SECRET: this or AUTH_JWKS_URL is required in production');
  }
  // Published keys are often shared by several applications: without these any of their tokens would be let in.
  if (value.AUTH_JWKS_URL && !value.AUTH_ISSUER) throw new ConfigError('AUTH_ISSUER: is required with AUTH_JWKS_URL');
  if (value.AUTH_JWKS_URL && !value.AUTH_AUDIENCE) {
    throw new ConfigError('AUTH_AUDIENCE: is required with AUTH_JWKS_URL');
  }
}
