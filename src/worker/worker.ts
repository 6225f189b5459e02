import { PgBoss } from 'pg-boss';
import type { JobStore } from '../db/engine.ts';
import type { JobDeps } from '../domains/job.ts';
import type { Logger } from '../kernel/logger.ts';
import { createTroubleLog, openQueue } from './jobQueue.ts';
import { queuedJobs, scheduledJobs } from './jobs.ts';

/** Jobs of one queue that a worker runs at the same time. */
const atOnce = 2;

/** How long jobs under way have at a shutdown; another worker takes up those that needed longer. */
const finishWithin = 8_000;

export interface Worker {
  /** Lets jobs under way finish. */
  close(): Promise<void>;
}

/** The role `worker`: runs the domains' jobs from the queue in the database. */
export async function startWorker(store: JobStore, deps: JobDeps, log: Logger): Promise<Worker> {
  const boss = new PgBoss(store);
  boss.on('error', createTroubleLog(log));
  await boss.start();
  const stopping = new AbortController();
  for (const job of queuedJobs) {
    await openQueue(boss, job.name);
    const options = { localConcurrency: atOnce, pollingIntervalSeconds: 0.5 };
    await boss.work(job.name, options, async (taken) => {
      for (const { data } of taken) await job.run(deps, data, stopping.signal);
    });
  }
  for (const job of scheduledJobs) {
    await openQueue(boss, job.name);
    // A night for which no worker was there is made up for, once, by the next one that starts.
    await boss.schedule(job.name, job.cron, null, { missed: 'once' });
    if (job.atStart) await boss.send(job.name, { starting: true });
    await boss.work<{ starting?: boolean }>(job.name, async (taken) => {
      const count = await job.run(
        deps,
        taken.some(({ data }) => data?.starting),
      );
      log.info({ job: job.name, count }, 'job done');
    });
  }
  return {
    async close() {
      stopping.abort();
      await boss.stop({ graceful: true, timeout: finishWithin });
    },
  };
}
