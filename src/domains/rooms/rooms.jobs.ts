import { trimRoomLogs } from '../../events/trimming.ts';
import type { ScheduledJob } from '../job.ts';

const day = 24 * 60 * 60 * 1000;

/** Keeps the logs of rooms as long as the setting says. */
export const trimRoomLogsJob: ScheduledJob = {
  name: 'rooms.trim-logs',
  cron: '17 3 * * *',
  run: ({ database, roomLogDays }) => trimRoomLogs(database, new Date(Date.now() - roomLogDays * day)),
};
