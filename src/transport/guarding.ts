import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { RequestConfig } from '../config.ts';
import type { Context } from '../graphql/context.ts';
import type { Documents } from '../graphql/documents.ts';
import { TimeoutError } from '../kernel/errors.ts';
import type { Admission } from './admission.ts';
import { type RateState, rateWindow } from './rateLimits.ts';

/** Where callers stand, by request: for the headers of its answer. */
export type RatesByRequest = WeakMap<Request, RateState>;

/**
 * Holds operations to their limits. WebSocket operations are parsed, validated and executed through the same plugins;
 * only subscriptions take another way (subscriptions.ts).
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
