import { ValidationError } from '../../kernel/errors.ts';
import { parseText } from '../../kernel/text.ts';

export const purgeRules = {
  purge: { permission: 'message:purge' },
  remove: { permission: 'message:remove' },
} as const;

/** The queue of jobs on which purges get on: one job for a tenant that has some. */
export const purgeQueue = 'governance.purge';

export type PurgeStatus = 'QUEUED' | 'RUNNING' | 'DONE' | 'CANCELLED' | 'FAILED' | 'UNDOING' | 'UNDONE';

/** How long after its end a SOFT purge can be undone, in milliseconds. */
const undoWindow = 24 * 60 * 60 * 1000;
export const maxPurgeNonce = 64;

/** Whether there is something left to do. */
export function isUnfinished(status: PurgeStatus): boolean {
  return status === 'QUEUED' || status === 'RUNNING' || status === 'UNDOING';
}

interface Ended {
  readonly mode: 'SOFT' | 'PERMANENT';
  readonly status: PurgeStatus;
  readonly finishedAt: Date | null;
}

/** Until when a purge can be undone; null for one that cannot. */
export function undoableUntil({ mode, status, finishedAt }: Ended): Date | null {
  const ended = status === 'DONE' || status === 'CANCELLED' || status === 'FAILED';
  return mode === 'SOFT' && ended && finishedAt ? new Date(finishedAt.getTime() + undoWindow) : null;
}

/** How much of it is done, from 0 to 1; null while it is not known how much there is. */
export function progressOf(purge: {
  readonly status: PurgeStatus;
  readonly estimate: bigint | null;
  readonly rows: bigint;
  readonly restored: bigint;
}): number | null {
  const { status, estimate, rows, restored } = purge;
  if (status === 'DONE' || status === 'UNDONE') return 1;
  if (status === 'UNDOING') return rows === 0n ? 1 : Number(restored) / Number(rows);
  if (estimate === null) return status === 'QUEUED' ? 0 : null;
  // What is sent or deleted meanwhile makes the estimate one.
  return estimate === 0n ? 1 : Math.min(1, Number(rows) / Number(estimate));
}

/** @throws ValidationError for a time to come, which nobody can have meant: messages yet to be sent would be gone. */
export function checkCutoff(before: Date, now: Date): void {
  if (before > now) throw new ValidationError('input.before', 'must not be in the future');
  if (before.getUTCFullYear() < 1) throw new ValidationError('input.before', 'is before our era');
}

/** @throws ValidationError */
export function parsePurgeNonce(nonce: string): string {
  return parseText('input.nonce', nonce, { min: 1, max: maxPurgeNonce });
}
