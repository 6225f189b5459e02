import { z } from 'zod';
import { waitFor } from './waiting.ts';

/** A subscription as a client sees it. */
export interface Follower {
  /** The values so far, each the `data` of an event. */
  readonly received: readonly unknown[];
  /** The errors so far: of events, or of the subscription that was refused. */
  readonly failures: readonly unknown[];
  /** Whether the server ended it. */
  readonly ended: boolean;
  /** The next value that was not taken yet. */
  next(): Promise<unknown>;
  /** Waits until what was received is as wanted. */
  until(what: string, wanted: (received: readonly unknown[]) => boolean): Promise<void>;
  stop(): Promise<void>;
}

interface Sink {
  next(value: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

const event = z.object({ data: z.unknown().optional(), errors: z.array(z.unknown()).default([]) });

/** Follows what `open` feeds into the sink; it returns what stops it. */
export function follow(open: (sink: Sink) => () => Promise<void>): Follower {
  const received: unknown[] = [];
  const failures: unknown[] = [];
  let taken = 0;
  let ended = false;
  const stop = open({
    next(value) {
      const { data, errors } = event.parse(value);
      failures.push(...errors);
      if (data !== null && data !== undefined) received.push(data);
    },
    error(error) {
      failures.push(...(Array.isArray(error) ? error : [error]));
      ended = true;
    },
    complete() {
      ended = true;
    },
  });
  return {
    received,
    failures,
    get ended() {
      return ended;
    },
    async next() {
      const index = taken++;
      const what = () => `event ${index + 1} of a subscription; failures: ${JSON.stringify(failures)}`;
      await waitFor(what, () => index < received.length);
      return received[index];
    },
    async until(what, wanted) {
      await waitFor(
        () => `${what}; so far: ${JSON.stringify(received)}`,
        () => wanted(received),
      );
    },
    stop,
  };
}
