import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { RequestConfig } from '../config.ts';
import { endingWith, onceEnded } from '../events/iterators.ts';
import type { Context } from '../graphql/context.ts';
import type { Documents } from '../graphql/documents.ts';
import type { SharedExecution, SharedResult } from '../graphql/sharedExecution.ts';
import { TimeoutError } from '../kernel/errors.ts';
import type { Admission, OperationContext } from './admission.ts';
import { askerOf, type OperationLog, operationOf } from './operationLog.ts';
import { type RateState, rateWindow } from './rateLimits.ts';

/** Where callers stand, by request: for the headers of its answer. */
export type RatesByRequest = WeakMap<Request, RateState>;

/**
 * Holds operations to their limits. WebSocket operations are parsed, validated and executed through the same plugins;
 * only subscriptions take another way, which `guardSubscriptions` watches.
 */
export function useGuards(deps: {
  requests: RequestConfig;
  documents: Documents;
  admission: Admission;
  mask: (error: unknown) => GraphQLError;
  rates: RatesByRequest;
}): Plugin<Context> {
  const { requests, documents, admission, mask, rates } = deps;
  return {
    onParse({ setParseFn }) {
      setParseFn((source) => documents.parse(String(source)));
    },
    onValidate({ setValidationFn }) {
      setValidationFn((_schema, document) => documents.validate(document));
      return ({ valid, result, setResult }) => {
        if (!valid) setResult(result.map(mask));
      };
    },
    onExecute({ executeFn, setExecuteFn }) {
      setExecuteFn(async (args: ExecutionArgs): Promise<ExecutionResult> => {
        try {
          const { cost } = await admission(args);
          const result = await within(requests.timeout, executeFn(args) as Promise<ExecutionResult>);
          if (cost === null) return result;
          const extensions = { ...result.extensions, cost: { requested: cost, limit: requests.operation.cost } };
          return { ...result, extensions };
        } catch (error) {
          return { errors: errorsOf(error).map(mask) };
        }
      });
    },
    onResponse({ request, response }) {
      const rate = rates.get(request);
      if (rate) for (const [name, value] of rateHeaders(rate)) response.headers.set(name, value);
    },
  };
}

/** Subscriptions are let in like other operations; those that stand are told of, and what they deliver is timed. */
export function guardSubscriptions(
  subscriptions: SharedExecution,
  deps: {
    admission: Admission;
    mask: (error: unknown) => GraphQLError;
    operations: OperationLog;
    /** Milliseconds from a message's commit until it was written to the subscriber. */
    onDelivered: (milliseconds: number) => void;
  },
): SharedExecution {
  const { admission, mask, operations, onDelivered } = deps;
  return {
    async subscribe(args) {
      const since = new Date();
      const startedAt = performance.now();
      try {
        await admission(args);
      } catch (error) {
        return { errors: errorsOf(error).map(mask) };
      }
      const results = await subscriptions.subscribe(args);
      if (!(Symbol.asyncIterator in results)) return results;
      const asker = askerOf(args.contextValue as OperationContext);
      const ended = operations.opened(operationOf(args.document, args.operationName, asker, startedAt));
      return onceEnded(
        endingWith(timed(results, since, onDelivered), () => void results.return?.()),
        ended,
      );
    },
  };
}

/** The next is asked for when the last was written. What was replayed from the log is as old as it is. */
async function* timed(results: AsyncIterable<SharedResult>, since: Date, onDelivered: (milliseconds: number) => void) {
  for await (const result of results) {
    yield result;
    if (result.sentAt && result.sentAt >= since) onDelivered(Date.now() - result.sentAt.getTime());
  }
}

function errorsOf(error: unknown): unknown[] {
  return error instanceof AggregateError ? error.errors : [error];
}

/** @throws TimeoutError; what was begun may still be done. */
async function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TimeoutError()), milliseconds);
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** As draft-ietf-httpapi-ratelimit-headers-06 names them: those that clients in use understand. */
function rateHeaders(rate: RateState): readonly (readonly [string, string])[] {
  return [
    ['ratelimit-limit', String(rate.limit)],
    ['ratelimit-policy', `${rate.limit};w=${rateWindow}`],
    ['ratelimit-remaining', String(rate.remaining)],
    ['ratelimit-reset', String(Math.ceil(rate.reset / 1_000))],
  ];
}
