import type { AddressInfo } from 'node:net';
import type { GraphiQLOptions } from 'graphql-yoga';
import type { Config } from './config.ts';
import { type Database, openDatabase } from './db/database.ts';
import { embeddedEngine, postgresEngine } from './db/engine.ts';
import { applyMigrations, migrationStatus } from './db/migrations.ts';
import { createOutageLog } from './db/trouble.ts';
import type { Caller } from './domains/caller.ts';
import { frameAncestorsOf } from './domains/identity/embedding.service.ts';
import { createTenantRoles } from './domains/identity/roles.service.ts';
import { createShownActors } from './domains/identity/shownActors.service.ts';
import type { ShownActors } from './domains/identity/shownActors.types.ts';
import type { JobDeps } from './domains/job.ts';
import { createPresence } from './domains/presence/presence.service.ts';
import type { Presence } from './domains/presence/presence.types.ts';
import { presenceStores } from './domains/presence/stores.service.ts';
import { createTyping } from './domains/presence/typing.service.ts';
import { createRoomViews } from './domains/rooms/roomViews.service.ts';
import { auditTrailOf } from './events/auditTrail.ts';
import type { Bus } from './events/bus.ts';
import { createLiveDelivery, type LiveDelivery } from './events/live.ts';
import { createLocalBus } from './events/localBus.ts';
import { createRedisBus } from './events/redisBus.ts';
import { createRoomLog } from './events/roomLog.ts';
import { createErrorMask } from './graphql/errors.ts';
import { createExecute } from './graphql/execution.ts';
import { schema } from './graphql/schema.ts';
import { createSharedExecution } from './graphql/sharedExecution.ts';
import type { Actor } from './kernel/actor.ts';
import type { Logger } from './kernel/logger.ts';
import { type Origin, ownOrigin } from './kernel/origin.ts';
import { createAuthentication } from './transport/authentication.ts';
import { createFront } from './transport/front.ts';
import { createGraphql, graphqlPath } from './transport/graphql.ts';
import { createHttpServer, createOriginOf } from './transport/http.ts';
import { createMetrics, type Metrics } from './transport/metrics.ts';
import { readPersistedOperations } from './transport/persistedOperations.ts';
import { type Compress, createPlainRequests } from './transport/plainRequests.ts';
import { createRateLimits, type RateLimits } from './transport/rateLimits.ts';
import { createSessions } from './transport/sessions.ts';
import { type ConnectionObserver, serveWebSockets } from './transport/websocket.ts';
import { createJobQueue } from './worker/jobQueue.ts';
import { queuedJobs } from './worker/jobs.ts';

/** The parts of a process on which its roles work. */
export interface Foundation {
  readonly database: Database;
  readonly bus: Bus;
  readonly live: LiveDelivery;
  readonly presence: Presence;
  readonly shownActors: ShownActors;
  /** What the role `worker` works with. */
  readonly jobDeps: JobDeps;
  /** What this process counts, and how often its callers may ask. */
  readonly metrics: Metrics;
  readonly rateLimits: RateLimits;
  /** @param origin where the request came from; absent for what Prosa does by itself. */
  readonly callerFor: (actor: Actor, origin?: Origin) => Caller;
  /** @param closing told of each part before it is waited for. */
  close(closing?: (part: string) => void): Promise<void>;
}

/** A start that cannot go on until the operator does something; the message is one line. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/**
 * Opens database and bus. The embedded database is migrated on the way; PostgreSQL has to have been.
 * @throws StartError, DataFolderError
 */
export async function openFoundation(config: Config, log: Logger): Promise<Foundation> {
  const { statementTimeout } = config.requests;
  const onError = (what: string) => (error: Error) => log.warn({ err: error }, `trouble with ${what}`);
  const outages = createOutageLog(log, 'the database');
  const engine = config.databaseUrl
    ? postgresEngine(config.databaseUrl, config.databasePoolSize, outages.failed, {
        statementTimeout,
        onAnswer: outages.answered,
        onTimeout: (statement) => log.warn({ statement }, 'the database gave up on a statement that took too long'),
      })
    : await embeddedEngine(config.dataDir);
  const database = openDatabase(engine);
  if (config.databaseUrl) await requireMigrated(config.databaseUrl);
  else await applyMigrations(engine.migrations);
  const { redisUrl, redisPrefix } = config;
  const redis = redisUrl ? createRedisBus(redisUrl, redisPrefix, onError('Redis')) : null;
  const bus = redis ?? createLocalBus();
  const live = createLiveDelivery({ database, bus, log, queueEvents: config.limits.queueEvents });
  const metrics = createMetrics(database, log);
  const roomLog = metrics.countMessages(createRoomLog(bus));
  const keys = redis && { commands: redis.commands, prefix: redisPrefix };
  const { leases, throttle } = presenceStores(keys);
  const presence = createPresence({ store: leases, bus, database, log });
  const roomViews = createRoomViews(database);
  const typing = createTyping({ throttle, bus, live, log });
  const roles = createTenantRoles({ database, bus, log });
  const shownActors = createShownActors({ database, bus, log });
  const queues = queuedJobs.map((job) => job.name);
  const jobs = createJobQueue(engine.jobStore, queues, log);
  return {
    database,
    bus,
    live,
    presence,
    shownActors,
    jobDeps: {
      database,
      bus,
      roomLog,
      jobs,
      log,
      roomLogDays: config.roomLogDays,
      silentRoomDays: config.silentRoomDays,
    },
    metrics,
    rateLimits: createRateLimits(config.rates, keys),
    callerFor: (actor, origin = ownOrigin()) => ({
      actor: roles.follow(actor),
      origin,
      db: database.forTenant(actor.tenantId),
      bus,
      roomLog,
      live,
      roomViews,
      shownActors,
      roles,
      audit: auditTrailOf({ actor, origin }, config.auditKeepDays, metrics.actionCommitted),
      presence,
      typing,
      jobs,
    }),
    async close(closing = () => undefined) {
      roles.close();
      shownActors.close();
      typing.close();
      closing('presence');
      await presence.close();
      closing('the queue of jobs');
      await jobs.close();
      live.close();
      closing('the bus');
      await bus.close();
      closing('the database');
      await database.close();
    },
  };
}

async function requireMigrated(url: string): Promise<void> {
  const status = await migrationStatus(url).catch((error: unknown) => {
    throw new StartError(
      `DATABASE_URL: the database does not answer: ${error instanceof Error ? error.message : error}`,
    );
  });
  if (status.failed.length > 0) throw new StartError(`DATABASE_URL: the migration ${status.failed[0]} has failed`);
  if (status.pending.length > 0) {
    throw new StartError(`DATABASE_URL: ${status.pending.length} migrations are pending: npm run db:migrate`);
  }
}

export interface Api {
  /** Where GraphQL is. */
  readonly url: string;
  /** Stops accepting, lets requests finish, closes sockets as going away. */
  close(): Promise<void>;
}

/** How long requests under way have at a shutdown. */
const drainFor = 10_000;

/** What stands between a connection and the execution of its operations, whatever the transport. */
export function createRequestPath(
  config: Config,
  foundation: Foundation,
  log: Logger,
  graphiql: GraphiQLOptions | false,
  onExecute?: () => void,
) {
  const { database, bus, shownActors, callerFor, metrics, rateLimits } = foundation;
  const { limits, requests } = config;
  const { bodyBytes } = requests;
  const mask = createErrorMask(log, requests.introspection);
  const authentication = createAuthentication(config.auth, database, shownActors.changed);
  const sessions = createSessions({ database, bus, log, onRevoked: authentication.forget });
  const front = createFront({
    requests,
    persisted: readPersistedOperations(requests.persistedOperations),
    rateLimits,
    subscriptions: createSharedExecution({
      mask,
      execute: createExecute(schema),
      onExecute,
      onDelivered: metrics.delivered,
    }),
    mask,
    metrics,
    log,
    frameAncestors: (key) => frameAncestorsOf(database, key),
  });
  const { subscriptions } = front;
  const yoga = createGraphql({
    authentication,
    sessions,
    subscriptions,
    callerFor,
    limits,
    graphiql,
    front,
    bodyBytes,
  });
  const plainRequests = (compress: Compress) =>
    createPlainRequests({ front, authentication, callerFor, compress, bodyBytes });
  return { authentication, sessions, callerFor, front, yoga, plainRequests };
}

/**
 * The role `api`: serves HTTP and WebSocket.
 * @param options.onExecute called whenever a subscription is executed for an event.
 */
export async function startApi(
  config: Config,
  foundation: Foundation,
  log: Logger,
  graphiql: GraphiQLOptions | false,
  options: { readonly onExecute?: () => void } = {},
): Promise<Api> {
  const { database, bus, presence, metrics } = foundation;
  const { limits, requests, corsOrigins } = config;
  const originOf = createOriginOf(requests.trustedProxies);
  const path = createRequestPath(config, foundation, log, graphiql, options.onExecute);
  const { authentication, sessions, callerFor, front, yoga } = path;
  const server = createHttpServer({
    yoga,
    plainRequests: path.plainRequests,
    checks: { database: () => database.ping(), events: () => bus.ping() },
    originOf,
    corsOrigins,
    metrics: config.metrics.enabled ? { collect: metrics.collect, token: config.metrics.token } : null,
  });
  const closers = new Map<string, () => void>();
  const observer: ConnectionObserver = {
    connected(actor, connectionId) {
      closers.set(connectionId, metrics.socketOpened());
      void presence.connect(actor, connectionId);
    },
    disconnected(connectionId) {
      closers.get(connectionId)?.();
      closers.delete(connectionId);
      void presence.disconnect(connectionId);
    },
  };
  const sockets = serveWebSockets({
    server,
    authentication,
    sessions,
    callerFor,
    observer,
    front,
    originOf,
    limits,
    log,
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(config.port, config.host, resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    const setting = error.code === 'EADDRINUSE' || error.code === 'EACCES' ? 'PORT' : 'HOST';
    throw new StartError(`${setting}: cannot listen on ${config.host}:${config.port}: ${error.code}`);
  });
  const { address, port, family } = server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  return {
    url: `http://${host}:${port}${graphqlPath}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await sockets.close();
      sessions.close();
      // A connection that is kept alive becomes idle with its last answer.
      const sweep = setInterval(() => server.closeIdleConnections(), 50);
      const timer = setTimeout(() => server.closeAllConnections(), drainFor);
      await closed;
      clearInterval(sweep);
      clearTimeout(timer);
    },
  };
}
