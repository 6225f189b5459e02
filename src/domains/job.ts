import type { Database } from '../db/database.ts';
import type { TenantTransaction } from '../db/sql.ts';
import type { Bus } from '../events/bus.ts';
import type { RoomLog } from '../events/roomLog.ts';
import type { Logger } from '../kernel/logger.ts';

/** Adds a job to a queue in a transaction: it is there when the transaction is committed, and never when it is not. */
type AddJob = (tx: TenantTransaction, queue: string, data: object) => Promise<void>;

/** The queues of jobs, as use cases have them, in any process. */
export interface JobQueue {
  /**
   * Opens the queues, the first time. To be called before the transaction: the embedded database has one connection,
   * which the transaction holds.
   */
  ready(): Promise<AddJob>;
}

/** What background work has to work with. */
export interface JobDeps {
  readonly database: Database;
  readonly bus: Bus;
  readonly roomLog: RoomLog;
  readonly jobs: JobQueue;
  readonly log: Logger;
  readonly roomLogDays: number;
  /** Days after which a room counts as silent, where its tenant says nothing else. */
  readonly silentRoomDays: number;
}

/** Work that comes again by the clock. One process of all runs it; a run that fails is tried again. */
export interface ScheduledJob {
  /** `domain.what-it-does`: also the name of its queue. */
  readonly name: string;
  /** Five fields, in UTC. */
  readonly cron: string;
  /** Whether it runs when a worker starts, too. */
  readonly atStart?: boolean;
  /**
   * @param starting whether it runs because a worker has started.
   * @returns how many things it dealt with, for the log.
   */
  run(deps: JobDeps, starting: boolean): Promise<number>;
}

/** Work that is asked for with `AddJob`. It may run twice, and at the same time as another of its kind. */
export interface QueuedJob {
  /** `domain.what-it-does`: also the name of its queue. */
  readonly name: string;
  /** @param stopping when the worker is about to end: work that can go on elsewhere stops. */
  run(deps: JobDeps, data: unknown, stopping: AbortSignal): Promise<void>;
}
