import { purgeJob, resumePurgesJob } from '../domains/governance/purge.jobs.ts';
import { retentionJob, silentRoomsJob } from '../domains/governance/retention.jobs.ts';
import type { QueuedJob, ScheduledJob } from '../domains/job.ts';
import { trimRoomLogsJob } from '../domains/rooms/rooms.jobs.ts';

/** The jobs of all domains that come by the clock. */
export const scheduledJobs: readonly ScheduledJob[] = [trimRoomLogsJob, resumePurgesJob, retentionJob, silentRoomsJob];

/** The jobs of all domains that are asked for. */
export const queuedJobs: readonly QueuedJob[] = [purgeJob];
