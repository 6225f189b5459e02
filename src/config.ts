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

/** Without a path, not even `/`: anything else is never what a browser sends. Apps have schemes of their own. */
const isOrigin = (value: string) =>
  /^https?:/i.test(value)
    ? URL.canParse(value) && new URL(value).origin === value
    : /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/.test(value);

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
  /** Days without a message after which the daily notice counts a room as silent; a tenant can say otherwise. */
  SILENT_ROOM_DAYS: z.coerce.number().int().min(1).max(36_500).default(90),
  /** Days for which the audit trail keeps every entry, whoever wants to purge it. */
  AUDIT_KEEP_DAYS: z.coerce.number().int().min(0).default(90),
  CORS_ORIGINS: z
    .string()
    .transform((value) => value.split(',').map((origin) => origin.trim()))
    .refine((origins) => origins.every(isOrigin), {
      error: 'must be origins as browsers send them, such as https://app.example, with commas in between',
    })
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
  WS_PING_MS: z.coerce.number().int().min(10).default(30_000),
  /** Bytes written and not yet taken by the network before a socket's operations wait for it. */
  WS_BUFFER_BYTES: z.coerce.number().int().min(1_024).default(262_144),
  /** Events that wait for one slow subscriber before it is told to resync: a few pages, some hundred kilobytes. */
  LIVE_QUEUE_EVENTS: z.coerce.number().int().min(1).default(1_000),
});

const list = z.string().transform((value) => value.split(',').map((entry) => entry.trim()));
const atLeast = (minimum: number) => z.coerce.number().int().min(minimum);

/** What one request may be and cost. GraphiQL, the examples and every operation of our own stay far below. */
const requestSettings = z.object({
  /** Levels of fields inside fields: a reply's author in a page of a room's messages is at 9. */
  LIMIT_DEPTH: atLeast(1).default(15),
  /** Objects that an operation can give, with every page full: 100 rooms with 90 messages and their authors are 18,201. */
  LIMIT_COST: atLeast(1).default(20_000),
  LIMIT_ALIASES: atLeast(0).default(30),
  LIMIT_DIRECTIVES: atLeast(0).default(30),
  /** Words and signs of a document; GraphiQL's introspection has about 400. */
  LIMIT_TOKENS: atLeast(10).default(4_000),
  /** Bytes of a request's body: the longest message in the widest script, escaped, twice. */
  REQUEST_BYTES: atLeast(1_024).default(1_048_576),
  /** Milliseconds for a query or mutation. */
  REQUEST_TIMEOUT_MS: atLeast(10).default(30_000),
  /** Milliseconds for one statement in PostgreSQL; below the former, so that the database stops working for nobody. */
  STATEMENT_TIMEOUT_MS: atLeast(10).default(20_000),
  /** Proxies in front that add to X-Forwarded-For; 0: the address is that of the connection. */
  TRUSTED_PROXIES: atLeast(0).default(0),
  INTROSPECTION: flag.optional(),
  /** Files with operations by their SHA-256, as the code generator writes them. */
  PERSISTED_OPERATIONS: list.default([]),
  PERSISTED_ONLY: flag.default(false),
  METRICS: flag.default(true),
  METRICS_TOKEN: z.string().min(16, { error: 'must have at least 16 characters' }).optional(),
});

/** How often, per minute. A person with several busy tabs stays far below; 0 is no limit. */
const rateSettings = z.object({
  RATE_QUERIES: atLeast(0).default(3_000),
  RATE_MUTATIONS: atLeast(0).default(1_800),
  RATE_SUBSCRIPTIONS: atLeast(0).default(600),
  RATE_SENDS: atLeast(0).default(900),
  /** One address is an office, one tenant a company: each may do what so many people may. */
  RATE_ADDRESS_FACTOR: atLeast(1).default(50),
  RATE_TENANT_FACTOR: atLeast(1).default(500),
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
  /** Days after which a room counts as silent, where its tenant says nothing else. */
  readonly silentRoomDays: number;
  /** Days for which entries of the audit trail cannot be purged. */
  readonly auditKeepDays: number;
  readonly limits: Limits;
  readonly requests: RequestConfig;
  readonly rates: RateConfig;
  readonly metrics: MetricsConfig;
}

/** See the settings of the same names for what each bounds. */
export type Limits = ReturnType<typeof toLimits>;
export type RequestConfig = ReturnType<typeof toRequests>;
export type RateConfig = ReturnType<typeof toRates>;

interface MetricsConfig {
  readonly enabled: boolean;
  /** Absent: only this machine may read them. */
  readonly token: string | undefined;
}

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
  const graphiql = value.GRAPHIQL ?? !production;
  const requests = parse(requestSettings, env);
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
    graphiql,
    corsOrigins: value.CORS_ORIGINS,
    roomLogDays: value.ROOM_LOG_DAYS,
    silentRoomDays: value.SILENT_ROOM_DAYS,
    auditKeepDays: value.AUDIT_KEEP_DAYS,
    limits: toLimits(parse(limitSettings, env)),
    requests: toRequests(requests, graphiql),
    rates: toRates(parse(rateSettings, env)),
    metrics: { enabled: requests.METRICS, token: requests.METRICS_TOKEN },
  };
}

function toRequests(value: z.infer<typeof requestSettings>, graphiql: boolean) {
  return {
    operation: {
      depth: value.LIMIT_DEPTH,
      cost: value.LIMIT_COST,
      aliases: value.LIMIT_ALIASES,
      directives: value.LIMIT_DIRECTIVES,
      tokens: value.LIMIT_TOKENS,
    },
    bodyBytes: value.REQUEST_BYTES,
    timeout: value.REQUEST_TIMEOUT_MS,
    statementTimeout: value.STATEMENT_TIMEOUT_MS,
    trustedProxies: value.TRUSTED_PROXIES,
    // GraphiQL cannot do without.
    introspection: value.INTROSPECTION ?? graphiql,
    persistedOperations: value.PERSISTED_OPERATIONS,
    persistedOnly: value.PERSISTED_ONLY,
  } as const;
}

function toRates(value: z.infer<typeof rateSettings>) {
  return {
    query: value.RATE_QUERIES,
    mutation: value.RATE_MUTATIONS,
    subscription: value.RATE_SUBSCRIPTIONS,
    send: value.RATE_SENDS,
    addressFactor: value.RATE_ADDRESS_FACTOR,
    tenantFactor: value.RATE_TENANT_FACTOR,
  } as const;
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
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== ''));
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
