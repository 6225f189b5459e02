import type { PresenceStore } from './leases.types.ts';
import { createLocalPresenceStore } from './localLeases.store.ts';
import { presenceTimes } from './presence.rules.ts';
import { createRedisPresenceStore } from './redisLeases.store.ts';
import type { RedisClient } from './redisScript.store.ts';
import { createLocalTypingThrottle, createRedisTypingThrottle } from './typingThrottle.store.ts';
import type { TypingThrottle } from './typingThrottle.types.ts';

/** Where presence and typing are kept: in Redis for all processes together, or (without it) in this one. */
export function presenceStores(redis: { readonly commands: RedisClient; readonly prefix: string } | null): {
  readonly leases: PresenceStore;
  readonly throttle: TypingThrottle;
} {
  if (!redis) return { leases: createLocalPresenceStore(presenceTimes.lease), throttle: createLocalTypingThrottle() };
  const { commands, prefix } = redis;
  return {
    leases: createRedisPresenceStore(commands, { lease: presenceTimes.lease, prefix }),
    throttle: createRedisTypingThrottle(commands, prefix),
  };
}
