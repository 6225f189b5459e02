import type { GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { RequestConfig } from '../config.ts';
import type { Context } from '../graphql/context.ts';
import type { Documents } from '../graphql/documents.ts';
import type { Execute } from '../graphql/execution.ts';
import { TimeoutError } from '../kernel/errors.ts';
import type { Admission } from './admission.ts';
import { type RateState, rateWindow } from './rateLimits.ts';

/** Where callers stand, by request, or by context where there is no request of yoga's: for the headers of the answer. */
export type RatesByRequest = WeakMap<object, RateState>;

/**
 * Holds operations to their limits: lets them in, ends them in time, and tells their cost with the result, whose errors
 * are masked.
 */
export function guardExecution(deps: {
  requests: RequestConfig;
  admission: Admission;
  mask: (error: unknown) => GraphQLError;
  execute: Execute;
}): Execute {
  const { requests, admission, mask, execute } = deps;
  return async (args) => {
    try {
      const { cost } = await admission(args);
      const result = await within(requests.timeout, execute(args));
      const masked = result.errors ? { ...result, errors: result.errors.map(mask) } : result;
      if (cost === null) return masked;
      const extensions = { ...result.extensions, cost: { requested: cost, limit: requests.operation.cost } };
      return { ...masked, extensions };
    } catch (error) {
      return { errors: errorsOf(error).map(mask) };
    }
  };
}

/** The same for yoga, with the documents that all transports share. Subscriptions are watched by `guardSubscriptions`. */
export function useGuards(deps: {
  documents: Documents;
  mask: (error: unknown) => GraphQLError;
  /** Guarded. */
  execute: Execute;
  rates: RatesByRequest;
}): Plugin<Context> {
  const { documents, mask, execute, rates } = deps;
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
    onExecute({ setExecuteFn }) {
      setExecuteFn(execute);
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
function within<T>(milliseconds: number, work: Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(new TimeoutError()), milliseconds);
  const settling =
    <V>(settle: (value: V) => void) =>
    (value: V) => {
      clearTimeout(timer);
      settle(value);
    };
  work.then(settling(resolve), settling(reject));
  return promise;
}

/** As draft-ietf-httpapi-ratelimit-headers-06 names them: those that clients in use understand. */
export function rateHeaders(rate: RateState): readonly (readonly [string, string])[] {
  return [
    ['ratelimit-limit', String(rate.limit)],
    ['ratelimit-policy', `${rate.limit};w=${rateWindow}`],
    ['ratelimit-remaining', String(rate.remaining)],
    ['ratelimit-reset', String(Math.ceil(rate.reset / 1_000))],
  ];
}
