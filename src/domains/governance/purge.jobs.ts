import { setTimeout as delay } from 'node:timers/promises';
import type { JobDeps, QueuedJob, ScheduledJob } from '../job.ts';
import { purgeQueue } from './purge.rules.ts';
import { findTenantsWaiting } from './purge.store.ts';
import { purgeBatch } from './purging.service.ts';

/** How long a tenant's purges have a worker for themselves, in milliseconds; then it is the turn of the next tenant. */
const turn = 10_000;
/** The least time between batches, in milliseconds; after a longer batch it is as long as the batch. */
const shortestPause = 5;
/** A purge that has not got on for so long, in milliseconds, was left by a process that died. */
const leftAfter = 30_000;

/** Gets the purges of a tenant on. */
export const purgeJob: QueuedJob = {
  name: purgeQueue,
  async run(deps, data, stopping) {
    const tenantId = tenantOf(data);
    const end = Date.now() + turn;
    for (;;) {
      const started = Date.now();
      if (!(await purgeBatch(deps, tenantId))) return;
      if (stopping.aborted || Date.now() > end) break;
      // Sends, and the disk, have at least half of the time to themselves.
      await delay(Math.max(shortestPause, Date.now() - started));
    }
    await continueIn(deps, tenantId);
  },
};

/** Takes up what is left of purges: of all when a worker starts, and every minute of those that stand still. */
export const resumePurgesJob: ScheduledJob = {
  name: 'governance.resume-purges',
  cron: '* * * * *',
  atStart: true,
  async run(deps, starting) {
    // Who starts may have died a moment ago. Two workers at one purge do no harm.
    const since = new Date(Date.now() - (starting ? 0 : leftAfter));
    const tenantIds = await findTenantsWaiting(deps.database, since);
    for (const tenantId of tenantIds) await continueIn(deps, tenantId);
    return tenantIds.length;
  },
};

async function continueIn({ jobs, database }: JobDeps, tenantId: string): Promise<void> {
  const addJob = await jobs.ready();
  await database.forTenant(tenantId).transaction((tx) => addJob(tx, purgeQueue, { tenantId }));
}

function tenantOf(data: unknown): string {
  const tenantId = typeof data === 'object' && data !== null && 'tenantId' in data ? data.tenantId : null;
  if (typeof tenantId !== 'string') throw new Error('a purge job names no tenant');
  return tenantId;
}
