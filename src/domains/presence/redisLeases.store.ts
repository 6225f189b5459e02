import { z } from 'zod';
import { shardOf, shards } from './leaseShards.store.ts';
import type { ActorKey, Due, PresenceStore, Transition } from './leases.types.ts';
import type { ConnectionStatus } from './presence.types.ts';
import { type RedisClient, runScript, type Script, script } from './redisScript.store.ts';

// Per actor a hash: `c:<connection>` is O or A (online, away) and the time in milliseconds at which the lease runs out,
// `state` the state that was last told, `seen` the last renewal. Per shard a sorted set of `<tenant>:<actor>` by the time
// at which the first of the actor's leases runs out. The shard is the hash tag of both: one slot of a Redis Cluster, so
// that a script may touch them together.

/** Actors in one script: bounds for how long it blocks Redis to about a millisecond. */
const batchSize = 200;

const prelude = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', time[1] * 1000000 + time[2])
local function text(number) return string.format('%.0f', number) end
local function look(key)
  local fields = redis.call('HGETALL', key)
  local seen = { before = 'OFFLINE', state = 'OFFLINE', seen = '0', dead = {} }
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == 'state' then seen.before = value
    elseif name == 'seen' then seen.seen = value
    else
      local expiry = tonumber(string.sub(value, 2))
      if expiry <= now then table.insert(seen.dead, name)
      else
        if string.sub(value, 1, 1) == 'O' then seen.state = 'ONLINE'
        elseif seen.state == 'OFFLINE' then seen.state = 'AWAY' end
        if not seen.first or expiry < seen.first then seen.first = expiry end
      end
    end
  end
  return seen
end
local told = {}
-- Both keys begin with the shard's tag; the member follows it in one, 'due' in the other.
local function settle(due, key, mayEnd)
  local member = string.sub(key, #due - #'due' + 1)
  local seen = look(key)
  if seen.state == 'OFFLINE' then
    if not mayEnd then return end
    redis.call('DEL', key)
    redis.call('ZREM', due, member)
  else
    if #seen.dead > 0 then redis.call('HDEL', key, unpack(seen.dead)) end
    redis.call('ZADD', due, text(seen.first), member)
    redis.call('HSET', key, 'state', seen.state)
  end
  if seen.state ~= seen.before then table.insert(told, { member, seen.state, seen.seen, stamp }) end
end
-- Once for each actor: a program may have hundreds of connections, and each look goes over all of them.
local function settleAll()
  local done = {}
  for i = 2, #KEYS do
    if not done[KEYS[i]] then settle(KEYS[1], KEYS[i], false) end
    done[KEYS[i]] = true
  end
end
`;

const holdScript = script(`${prelude}
for i = 2, #KEYS do
  local status, force, connection = string.match(ARGV[i], '^(.)(.)(.*)$')
  local field = 'c:' .. connection
  local held = redis.call('HGET', KEYS[i], field)
  if held and force == '0' then status = string.sub(held, 1, 1) end
  redis.call('HSET', KEYS[i], field, status .. text(now + ARGV[1]), 'seen', text(now))
end
settleAll()
return told`);

const releaseScript = script(`${prelude}
for i = 2, #KEYS do
  local field = 'c:' .. ARGV[i]
  local held = redis.call('HGET', KEYS[i], field)
  if held then
    local expiry = math.min(tonumber(string.sub(held, 2)), now + ARGV[1])
    redis.call('HSET', KEYS[i], field, string.sub(held, 1, 1) .. text(expiry), 'seen', text(now))
  end
end
settleAll()
return told`);

const setStatusScript = script(`${prelude}
local fields = redis.call('HGETALL', KEYS[2])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'c:' then
    redis.call('HSET', KEYS[2], fields[i], ARGV[1] .. string.sub(fields[i + 1], 2))
  end
end
settle(KEYS[1], KEYS[2], false)
return told`);

const readScript = script(`
local time = redis.call('TIME')
local states = { string.format('%.0f', time[1] * 1000000 + time[2]) }
for i = 1, #KEYS do states[i + 1] = redis.call('HGET', KEYS[i], 'state') or 'OFFLINE' end
return states`);

const dueScript = script(`
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])`);

const lookScript = script(`${prelude}
for i = 1, #KEYS do
  local seen = look(KEYS[i])
  table.insert(told, { ARGV[i], seen.state, seen.seen, stamp })
end
return told`);

const expireScript = script(`${prelude}
for i = 2, #KEYS do settle(KEYS[1], KEYS[i], ARGV[i - 1] == '1') end
return told`);

const statuses = z.enum(['ONLINE', 'AWAY', 'OFFLINE']);
const rows = z.array(z.tuple([z.string(), statuses, z.coerce.number(), z.coerce.number()]));
const readings = z.tuple([z.coerce.number()], statuses);
const members = z.array(z.string());

/**
 * The leases of all processes over one Redis or Redis Cluster.
 * @param prefix goes before every key; deployments that share a Redis do well to have different ones.
 */
export function createRedisPresenceStore(redis: RedisClient, prefix = 'prosa:'): PresenceStore {
  const tagOf = (shard: number) => `${prefix}presence:{${shard}}`;
  const dueKey = (shard: number) => `${tagOf(shard)}:due`;
  const actorKey = (actor: ActorKey) => `${tagOf(shardOf(actor.actorId))}:${memberOf(actor)}`;

  /**
   * Runs a script per shard and batch, all at once, on the sorted set and each actor's hash. One argument for each: a
   * process renews tens of thousands of leases, and what that costs is the number of texts in a command.
   */
  async function perShard<A extends ActorKey>(
    text: Script,
    actors: readonly A[],
    first: readonly number[],
    argOf: (actor: A) => string | number,
  ): Promise<Transition[]> {
    const answers = await Promise.all(
      batchesOf(actors).map(({ shard, batch }) =>
        runScript(redis, text, [dueKey(shard), ...batch.map(actorKey)], [...first, ...batch.map(argOf)]),
      ),
    );
    return answers.flatMap(transitionsOf);
  }

  return {
    hold: (leases, lease) =>
      perShard(
        holdScript,
        leases,
        [lease],
        ({ status, force, connectionId }) => `${letterOf(status)}${force ? 1 : 0}${connectionId}`,
      ),
    release: (leases, grace) => perShard(releaseScript, leases, [grace], ({ connectionId }) => connectionId),
    setStatus: (actor, status) => perShard(setStatusScript, [actor], [], () => letterOf(status)),
    async read(actors) {
      const found = new Map<string, { status: z.infer<typeof statuses>; stamp: number }>();
      await Promise.all(
        batchesOf(actors).map(async ({ batch }) => {
          const [stamp, ...states] = readings.parse(await runScript(redis, readScript, batch.map(actorKey), []));
          batch.forEach((actor, index) => {
            found.set(memberOf(actor), { status: states[index] ?? 'OFFLINE', stamp });
          });
        }),
      );
      return actors.map((actor) => found.get(memberOf(actor)) ?? { status: 'OFFLINE', stamp: 0 });
    },
    async due() {
      const found = await Promise.all(
        Array.from({ length: shards }, async (_, shard): Promise<Due[]> => {
          const due = members.parse(await runScript(redis, dueScript, [dueKey(shard)], [batchSize]));
          if (due.length === 0) return [];
          const keys = due.map((member) => `${tagOf(shard)}:${member}`);
          return transitionsOf(await runScript(redis, lookScript, keys, due));
        }),
      );
      return found.flat();
    },
    expire: (actors) => perShard(expireScript, actors, [], ({ mayEnd }) => (mayEnd ? 1 : 0)),
  };
}

function memberOf({ tenantId, actorId }: ActorKey): string {
  return `${tenantId}:${actorId}`;
}

function letterOf(status: ConnectionStatus): 'O' | 'A' {
  return status === 'AWAY' ? 'A' : 'O';
}

function batchesOf<A extends ActorKey>(actors: readonly A[]): { shard: number; batch: A[] }[] {
  return [...Map.groupBy(actors, ({ actorId }) => shardOf(actorId))].flatMap(([shard, all]) =>
    Array.from({ length: Math.ceil(all.length / batchSize) }, (_, index) => ({
      shard,
      batch: all.slice(index * batchSize, (index + 1) * batchSize),
    })),
  );
}

function transitionsOf(answer: unknown): Transition[] {
  return rows.parse(answer).map(([member, status, seen, stamp]) => {
    const [tenantId = '', actorId = ''] = member.split(':');
    return { tenantId, actorId, status, seenAt: new Date(seen), stamp };
  });
}
