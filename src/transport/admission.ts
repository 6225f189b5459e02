import type { ExecutionArgs } from 'graphql';
import type { RequestConfig } from '../config.ts';
import type { Context } from '../graphql/context.ts';
import { costOf, tooComplex } from '../graphql/operationLimits.ts';
import { countRootFields } from '../graphql/rateClass.ts';
import { RateLimitedError } from '../kernel/errors.ts';
import type { Origin } from '../kernel/origin.ts';
import type { RateLimits, RateState } from './rateLimits.ts';

/** The context of an operation with what its transport has put there. */
export type OperationContext = Context & {
  readonly origin?: Origin;
  /** Absent on a WebSocket. */
  readonly request?: Request;
};

interface Admitted {
  /** Objects that it can give at most; null where there is no such operation in the document. */
  readonly cost: number | null;
  readonly rate: RateState | null;
}

/**
 * Lets an operation in before anything of it is done: for what it may cost, then for how often its user, tenant and
 * address have asked. All of it is refused or none, so a refused send can be sent again as it was.
 * @throws GraphQLError, RateLimitedError
 */
export type Admission = (args: ExecutionArgs) => Promise<Admitted>;

/** @param onRate told where the caller stands, also when it is refused. */
export function createAdmission(
  limits: RequestConfig['operation'],
  rates: RateLimits,
  onRate: (context: OperationContext, rate: RateState) => void,
): Admission {
  return async (args) => {
    const cost = costOf(args);
    if (cost !== null && cost > limits.cost) {
      const message = `The operation can give ${cost} objects, and may give ${limits.cost}: ask for smaller pages.`;
      throw tooComplex('cost', message, { max: limits.cost, cost });
    }
    const context = args.contextValue as OperationContext;
    const who = { actor: context.caller?.actor ?? null, address: context.origin?.address ?? null };
    const rate = cost === null ? null : await rates.consume(who, countRootFields(args));
    if (rate) onRate(context, rate);
    if (rate?.retryAfter != null) throw new RateLimitedError(rate.retryAfter);
    return { cost, rate };
  };
}
