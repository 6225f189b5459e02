import type { Database } from '../db/database.ts';

/** What background work has to work with. */
export interface JobDeps {
  readonly database: Database;
  readonly roomLogDays: number;
}

/** Work that comes again by the clock. One process of all runs it; a run that fails is tried again. */
export interface ScheduledJob {
  /** `domain.what-it-does`: also the name of its queue. */
  readonly name: string;
  /** Five fields, in UTC. */
  readonly cron: string;
  /** @returns how many things it dealt with, for the log. */
  run(deps: JobDeps): Promise<number>;
}
