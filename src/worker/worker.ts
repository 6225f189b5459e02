import { PgBoss } from 'pg-boss';
import type { JobStore } from '../db/engine.ts';
import type { JobDeps, ScheduledJob } from '../domains/job.ts';
import { trimRoomLogsJob } from '../domains/rooms/rooms.jobs.ts';
import type { Logger } from '../kernel/logger.ts';

/** The jobs of all domains. */
const jobs: readonly ScheduledJob[] = [trimRoomLogsJob];

export interface Worker {
  /** Lets jobs under way finish. */
  close(): Promise<void>;
}

/** The role `worker`: runs the domains' jobs from the queue in the database. */
export async function startWorker(store: JobStore, deps: JobDeps, log: Logger): Promise<Worker> {
  const boss = new PgBoss(store);
  boss.on('error', (error) => log.warn({ err: error }, 'trouble with the queue of jobs'));
  await boss.start();
  for (const job of jobs) {
    await boss.createQueue(job.name);
    await boss.schedule(job.name, job.cron);
    await boss.work(job.name, async () => {
      const count = await job.run(deps);
      log.info({ job: job.name, count }, 'job done');
    });
  }
  return { close: () => boss.stop({ graceful: true }) };
}
