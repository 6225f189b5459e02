import { PgBoss } from 'pg-boss';
import type { JobStore } from '../db/engine.ts';
import { troubleOf } from '../db/trouble.ts';
import type { JobQueue } from '../domains/job.ts';
import { UnavailableError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';

/** What a process that serves requests has of the queue: it adds jobs, and runs none. */
export interface JobSender extends JobQueue {
  close(): Promise<void>;
}

/** @param queues the names of the queues that jobs can be added to. */
export function createJobQueue(store: JobStore, queues: readonly string[], log: Logger): JobSender {
  let opening: Promise<PgBoss> | null = null;

  async function open(): Promise<PgBoss> {
    const boss = new PgBoss({ ...store, supervise: false, schedule: false });
    boss.on('error', createTroubleLog(log));
    await boss.start();
    // Known before a transaction asks for them: to look one up takes a connection of its own.
    for (const queue of queues) await openQueue(boss, queue);
    return boss;
  }

  return {
    async ready() {
      opening ??= open();
      opening.catch(() => {
        opening = null;
      });
      const boss = await opening;
      return async (tx, queue, data) => {
        await boss.send(queue, data, { db: { executeSql: (text, values) => tx.runForeign(text, values) } });
      };
    },
    async close() {
      const boss = await opening?.catch(() => null);
      await boss?.stop({ graceful: false });
    },
  };
}

/** What the queue cannot do. It asks several times a second: of an outage the database tells, once. */
export function createTroubleLog(log: Logger): (error: Error) => void {
  return (error) => {
    const away = troubleOf(error) instanceof UnavailableError;
    if (away) log.debug({ reason: error.message }, 'the queue of jobs waits for the database');
    else log.warn({ err: error }, 'trouble with the queue of jobs');
  };
}

const noJob = '00000000-0000-0000-0000-000000000000';

/** Makes the queue, the first time, and has it remembered: whatever is done with a queue looks it up once. */
export async function openQueue(boss: PgBoss, queue: string): Promise<void> {
  await boss.createQueue(queue);
  await boss.findJobs(queue, { id: noJob });
}
