import type { Cluster, Redis } from 'ioredis';
import {
  type RateLimiterAbstract,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  RLWrapperTimeouts,
} from 'rate-limiter-flexible';
import type { RateConfig } from '../config.ts';
import type { RateClass } from '../graphql/rateClass.ts';
import type { Actor } from '../kernel/actor.ts';

/** Where a caller stands in the window that leaves the least. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  /** Milliseconds to the end of the window. */
  readonly reset: number;
  /** Milliseconds after which it may go on; null where it may now. */
  readonly retryAfter: number | null;
}

/** How often somebody may ask, counted by user, by tenant and by address over all processes. */
export interface RateLimits {
  /** @returns null where nothing is limited. */
  consume(
    who: { readonly actor: Actor | null; readonly address: string | null },
    counts: ReadonlyMap<RateClass, number>,
  ): Promise<RateState | null>;
}

/** Seconds. Fixed windows: the end of one is known, and a client that waits for it is let in for sure. */
export const rateWindow = 60;

/** A program acts for many people. */
const serviceFactor = 10;

/** Milliseconds that counting may take: a Redis that hangs must not hold up every request. */
const patience = 200;

const scopes = ['user', 'service', 'tenant', 'address'] as const;
type Scope = (typeof scopes)[number];

/**
 * Counts in Redis; in this process while Redis is away, and where there is none.
 * @param redis absent: this process counts by itself.
 */
export function createRateLimits(
  config: RateConfig,
  redis: { readonly commands: Redis | Cluster; readonly prefix: string } | null,
): RateLimits {
  const factors: Record<Scope, number> = {
    user: 1,
    service: serviceFactor,
    tenant: config.tenantFactor,
    address: config.addressFactor,
  };
  const limiters = new Map<string, { readonly limiter: RateLimiterAbstract; readonly points: number }>();
  for (const scope of scopes) {
    for (const rateClass of ['query', 'mutation', 'subscription', 'send'] as const) {
      const points = config[rateClass] * factors[scope];
      if (points === 0) continue;
      limiters.set(`${scope}:${rateClass}`, {
        limiter: createLimiter(`rate:${scope}:${rateClass}`, points, redis),
        points,
      });
    }
  }

  return {
    async consume({ actor, address }, counts) {
      if (limiters.size === 0) return null;
      const keys: [Scope, string][] = [];
      if (actor) keys.push([actor.role === 'SERVICE' ? 'service' : 'user', actor.id], ['tenant', actor.tenantId]);
      if (address) keys.push(['address', networkOf(address)]);
      const states = await Promise.all(
        keys.flatMap(([scope, key]) =>
          [...counts].map(async ([rateClass, count]) => {
            const known = limiters.get(`${scope}:${rateClass}`);
            return known ? take(known.limiter, known.points, key, count) : null;
          }),
        ),
      );
      return states.reduce(tighter, null);
    },
  };
}

function createLimiter(
  keyPrefix: string,
  points: number,
  redis: { readonly commands: Redis | Cluster; readonly prefix: string } | null,
): RateLimiterAbstract {
  const memory = new RateLimiterMemory({ keyPrefix, points, duration: rateWindow });
  if (!redis) return memory;
  const limiter = new RateLimiterRedis({
    storeClient: redis.commands,
    keyPrefix: redis.prefix + keyPrefix,
    points,
    duration: rateWindow,
    rejectIfRedisNotReady: true,
    // Who is over the limit is refused from memory: a flood does not reach Redis.
    inMemoryBlockOnConsumed: points + 1,
    insuranceLimiter: memory,
  });
  return new RLWrapperTimeouts({ limiter, timeoutMs: patience, insuranceLimiter: memory });
}

async function take(limiter: RateLimiterAbstract, limit: number, key: string, count: number): Promise<RateState> {
  try {
    const { remainingPoints, msBeforeNext } = await limiter.consume(key, count);
    return { limit, remaining: remainingPoints, reset: msBeforeNext, retryAfter: null };
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    const reset = Math.max(refusal.msBeforeNext, 1);
    return { limit, remaining: 0, reset, retryAfter: reset };
  }
}

function tighter(one: RateState | null, other: RateState | null): RateState | null {
  if (!one || !other) return one ?? other;
  if (one.retryAfter !== null || other.retryAfter !== null) {
    return (one.retryAfter ?? 0) >= (other.retryAfter ?? 0) ? one : other;
  }
  return one.remaining <= other.remaining ? one : other;
}

/** An IPv6 client has a whole /64 to itself, and would otherwise be somebody else with every request. */
function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '');
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head.split(':').filter(Boolean);
  const end = tail?.split(':').filter(Boolean) ?? [];
  const zeros = Array.from({ length: Math.max(8 - groups.length - end.length, 0) }, () => '0');
  return [...groups, ...zeros, ...end].slice(0, 4).join(':');
}
