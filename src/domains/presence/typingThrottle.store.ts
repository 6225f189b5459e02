import { z } from 'zod';
import { type RedisClient, runScript, script } from './redisScript.store.ts';
import type { TypingThrottle } from './typingThrottle.types.ts';

// One hash per person and room, gone by itself: `typing` what was told last, `at` when, and `since` and `count` of the
// present burst.
const admitScript = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local typing, throttle, expiry, burst = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local was, at, since, count = unpack(redis.call('HMGET', KEYS[1], 'typing', 'at', 'since', 'count'))
if typing == was and (typing == '0' or now - tonumber(at) < throttle) then return 0 end
if typing == '0' and not was then return 0 end
if not since or now - tonumber(since) >= throttle then since, count = string.format('%.0f', now), 0 end
if tonumber(count) >= burst then return 0 end
redis.call('HSET', KEYS[1], 'typing', typing, 'at', string.format('%.0f', now), 'since', since, 'count', count + 1)
redis.call('PEXPIRE', KEYS[1], expiry)
return 1`);

const verdict = z.union([z.literal(0), z.literal(1)]);

/** @param prefix as for the presence store. */
export function createRedisTypingThrottle(redis: RedisClient, prefix = 'prosa:'): TypingThrottle {
  return {
    async admit({ tenantId, roomId, actorId }, typing, { throttle, expiry, burst }) {
      const key = `${prefix}typing:${tenantId}:${roomId}:${actorId}`;
      const args = [typing ? 1 : 0, throttle, expiry, burst];
      return verdict.parse(await runScript(redis, admitScript, [key], args)) === 1;
    },
  };
}

interface Told {
  readonly typing: boolean;
  readonly at: number;
  readonly since: number;
  readonly count: number;
}

/** The oldest are forgotten beyond this: they are told once more than they should be. */
const capacity = 10_000;

/** The same for a deployment that is one process. */
export function createLocalTypingThrottle(): TypingThrottle {
  const told = new Map<string, Told>();
  return {
    async admit({ tenantId, roomId, actorId }, typing, { throttle, expiry, burst }) {
      const key = `${tenantId}:${roomId}:${actorId}`;
      const now = Date.now();
      const last = told.get(key);
      const was = last && now - last.at < expiry ? last : undefined;
      if (typing === was?.typing && (!typing || now - was.at < throttle)) return false;
      if (!typing && !was) return false;
      const sameBurst = was && now - was.since < throttle;
      const { since, count } = sameBurst ? was : { since: now, count: 0 };
      if (count >= burst) return false;
      // Again at the end: the map's order is that of the last time.
      told.delete(key);
      told.set(key, { typing, at: now, since, count: count + 1 });
      const oldest = told.keys().next().value;
      if (told.size > capacity && oldest !== undefined) told.delete(oldest);
      return true;
    },
  };
}
