import type { ScheduledJob } from '../job.ts';
import { noteSilentRooms, startRetention } from './retention.service.ts';

/** Purges, daily, what is kept no longer. */
export const retentionJob: ScheduledJob = {
  name: 'governance.retention',
  cron: '31 3 * * *',
  run: (deps) => startRetention(deps),
};

/** Tells daily of rooms that have fallen silent. */
export const silentRoomsJob: ScheduledJob = {
  name: 'governance.silent-rooms',
  cron: '41 3 * * *',
  run: (deps) => noteSilentRooms(deps),
};
