import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Database } from '../db/database.ts';
import { type Statement, sql } from '../db/sql.ts';
import type { AuditedAction } from '../events/auditTrail.ts';
import type { RoomLog } from '../events/roomLog.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Operation } from './operationLog.ts';

/** What Prometheus is told of this process. */
export interface Metrics {
  /** The text of `/metrics`, and its content type. */
  collect(): Promise<{ readonly type: string; readonly text: string }>;
  /** The same log, whose messages are counted. */
  countMessages(roomLog: RoomLog): RoomLog;
  /** It is committed, and in the audit trail. */
  actionCommitted(action: AuditedAction): void;
  /** @param known the names of operations that get a label of their own; all others share one. */
  operationFinished(known: ReadonlySet<string>): (operation: Operation, milliseconds: number, failed: boolean) => void;
  /** @returns what to call when it is closed. */
  subscriptionOpened(): () => void;
  /** @returns what to call when it is closed. */
  socketOpened(): () => void;
  /** A message, committed at this time (milliseconds of the clock), is written to a subscriber before the event loop's turn ends. */
  delivered(sentAt: number): void;
  rateLimited(): void;
}

/** Seconds, from an answer out of memory to one that times out. */
const latencies = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Before the first worker has started there are no queues. */
const queuesExist = sql<{ exist: boolean }>(
  'metrics.queuesExist',
  `SELECT to_regclass('pgboss.job') IS NOT NULL AS exist`,
);

/** Queues grow by jobs that wait; those under way are not in the way of others. */
const waitingJobs = sql<{ queue: string; jobs: number }>(
  'metrics.waitingJobs',
  `SELECT name AS queue, count(*)::int AS jobs FROM pgboss.job WHERE state IN ('created', 'retry') AND start_after <= now() GROUP BY name`,
);

/** Of all purges that are not finished: what they have purged, and what they are expected to purge in all. */
const purgeProgress = sql<{ done: bigint; expected: bigint }>(
  'metrics.purgeProgress',
  `SELECT coalesce(sum(rows), 0)::bigint AS done, coalesce(sum(greatest(estimate, rows)), 0)::bigint AS expected
   FROM purges WHERE status IN ('QUEUED', 'RUNNING')`,
);

/** One for a process: event loop, memory and the like are collected from here on. */
export function createMetrics(database: Database, log: Logger): Metrics {
  const registers = [new Registry()];
  const [registry] = registers as [Registry];
  collectDefaultMetrics({ register: registry, prefix: 'prosa_' });
  const messages = new Counter({
    name: 'prosa_messages_sent_total',
    help: 'Messages committed, without reports of the system.',
    registers,
  });
  const rooms = new Counter({
    name: 'prosa_rooms_created_total',
    help: 'Rooms created, and direct rooms opened for the first time.',
    registers,
  });
  const actions = new Counter({
    name: 'prosa_audited_actions_total',
    help: 'Actions committed to the audit trail.',
    labelNames: ['action'],
    registers,
  });
  const operations = new Histogram({
    name: 'prosa_operation_duration_seconds',
    help: 'Queries and mutations, and subscriptions that were refused. Names that are not in a manifest are `other`.',
    labelNames: ['kind', 'name', 'outcome'],
    buckets: latencies,
    registers,
  });
  const delivery = new Histogram({
    name: 'prosa_delivery_seconds',
    help: 'From the time of a message to when subscribers were written to, for messages that came live; once for all that were committed at the same time and written at the same time.',
    buckets: latencies,
    registers,
  });
  const deliveries = new Counter({
    name: 'prosa_deliveries_total',
    help: 'Messages written to subscribers, for messages that came live; once for each subscriber.',
    registers,
  });
  /** When those of this turn were committed. */
  let lately: number[] = [];
  let written = 0;
  /** An observation is a dozen calls: between two writes to sockets, each would find the cache as the system has left it. */
  function countDeliveries(): void {
    const now = Date.now();
    for (const sentAt of lately) delivery.observe(Math.max(now - sentAt, 0) / 1_000);
    deliveries.inc(written);
    lately = [];
    written = 0;
  }
  const subscriptions = new Gauge({ name: 'prosa_subscriptions', help: 'Subscriptions open.', registers });
  const sockets = new Gauge({ name: 'prosa_sockets', help: 'WebSockets that are signed in.', registers });
  const refused = new Counter({
    name: 'prosa_rate_limited_total',
    help: 'Operations refused for coming too often.',
    registers,
  });
  const scrapeErrors = new Counter({
    name: 'prosa_scrape_errors_total',
    help: 'Times that the database did not tell what a metric shows: it is absent then.',
    labelNames: ['metric'],
    registers,
  });
  const askDatabase = createAsking(database, scrapeErrors, log);
  new Gauge({
    name: 'prosa_jobs_waiting',
    help: 'Jobs that could run now, by queue; the same in every process.',
    labelNames: ['queue'],
    registers,
    async collect() {
      this.reset();
      const [queues] = (await askDatabase('prosa_jobs_waiting', queuesExist)) ?? [];
      if (!queues?.exist) return;
      for (const { queue, jobs } of (await askDatabase('prosa_jobs_waiting', waitingJobs)) ?? []) {
        this.set({ queue }, Number(jobs));
      }
    },
  });
  new Gauge({
    name: 'prosa_purge_messages',
    help: 'Messages of the purges under way: purged so far, and expected in all; the same in every process.',
    labelNames: ['state'],
    registers,
    async collect() {
      this.reset();
      const [row] = (await askDatabase('prosa_purge_messages', purgeProgress)) ?? [];
      // No value is not zero: who looks at it would think that no purge is under way.
      if (!row) return;
      this.set({ state: 'done' }, Number(row.done));
      this.set({ state: 'expected' }, Number(row.expected));
    },
  });
  const counted = (gauge: Gauge) => {
    const close = () => gauge.dec();
    return () => {
      gauge.inc();
      return close;
    };
  };

  return {
    collect: async () => ({ type: registry.contentType, text: await registry.metrics() }),
    countMessages: (roomLog) => ({
      ...roomLog,
      async addMessage(...args) {
        const added = await roomLog.addMessage(...args);
        if (typeof added !== 'string') messages.inc();
        return added;
      },
    }),
    actionCommitted({ action }) {
      actions.inc({ action });
      if (action === 'room.create') rooms.inc();
    },
    operationFinished: (known) => (operation, milliseconds, failed) => {
      const name = operation.name === null ? 'none' : known.has(operation.name) ? operation.name : 'other';
      const outcome = failed ? 'error' : 'ok';
      operations.observe({ kind: operation.kind, name, outcome }, milliseconds / 1_000);
    },
    subscriptionOpened: counted(subscriptions),
    socketOpened: counted(sockets),
    delivered(sentAt) {
      if (written++ === 0) process.nextTick(countDeliveries);
      if (lately.at(-1) !== sentAt) lately.push(sentAt);
    },
    rateLimited: () => refused.inc(),
  };
}

/** Asks the database for what a metric shows; the rest of the metrics is not held up by an answer that does not come. */
function createAsking(database: Database, errors: Counter<'metric'>, log: Logger) {
  const failing = new Set<string>();
  /** @returns null when the database did not answer: counted each time, and logged the first time of several. */
  return async <Row>(metric: string, statement: Statement<Row>): Promise<Row[] | null> => {
    try {
      const rows = await database.engine.run(statement, []);
      failing.delete(statement.name);
      return rows;
    } catch (error) {
      errors.inc({ metric });
      if (!failing.has(statement.name)) log.warn({ err: error, metric }, 'a metric could not be read');
      failing.add(statement.name);
      return null;
    }
  };
}
