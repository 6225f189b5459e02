import type { GraphQLError } from 'graphql';
import { Stage } from '../events/stream.ts';
import type { SharedExecution, SharedResult, Subscription } from '../graphql/sharedExecution.ts';
import type { Admission, OperationContext } from './admission.ts';
import { askerOf, type OperationLog, operationOf } from './operationLog.ts';

/** Milliseconds from a message's commit until it was written to the subscriber. */
type OnDelivered = (milliseconds: number) => void;

/** A subscription whose end is told, and whose deliveries are timed. */
class Observed extends Stage<SharedResult> implements Subscription {
  readonly #results: Subscription;
  readonly #onDelivered: OnDelivered;
  readonly #onEnd: () => void;
  /** What was replayed from the log is as old as it is. */
  readonly #since = Date.now();

  constructor(results: Subscription, onDelivered: OnDelivered, onEnd: () => void) {
    super(results);
    this.#results = results;
    this.#onDelivered = onDelivered;
    this.#onEnd = onEnd;
  }

  take(result: SharedResult): boolean {
    const more = this.give(result);
    if (result.sentAt !== null && result.sentAt >= this.#since) this.#onDelivered(Date.now() - result.sentAt);
    return more;
  }

  override done(error?: unknown): void {
    this.#onEnd();
    super.done(error);
  }

  override stop(): void {
    this.#onEnd();
    super.stop();
  }

  recheck() {
    return this.#results.recheck();
  }
}

/** Subscriptions are let in like other operations; those that stand are told of, and what they deliver is timed. */
export function guardSubscriptions(
  subscriptions: SharedExecution,
  deps: {
    admission: Admission;
    mask: (error: unknown) => GraphQLError;
    operations: OperationLog;
    onDelivered: OnDelivered;
  },
): SharedExecution {
  const { admission, mask, operations, onDelivered } = deps;
  return {
    async subscribe(args) {
      const startedAt = performance.now();
      try {
        await admission(args);
      } catch (error) {
        const errors = error instanceof AggregateError ? error.errors : [error];
        return { errors: errors.map(mask) };
      }
      const results = await subscriptions.subscribe(args);
      if (!(Symbol.asyncIterator in results)) return results;
      const asker = askerOf(args.contextValue as OperationContext);
      const operation = operationOf(args.document, args.operationName, asker, startedAt);
      return new Observed(results, onDelivered, operations.opened(operation));
    },
  };
}
