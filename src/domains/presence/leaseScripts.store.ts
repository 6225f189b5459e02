import { script } from './redisScript.store.ts';

// Per actor a hash: `c:<connection>` is O or A (online, away), the time in milliseconds at which the connection runs out, `@`,
// and the process that has to be alive until then (none for a connection that was let go); `state` is the state that was
// last told, `seen` when a connection was last held or let go. Per shard
// - `due`, a sorted set of `<tenant>:<actor>` by the time at which the first connection of an actor runs out by itself,
// - `holders`, a sorted set of the processes by when each last showed that it is alive,
// - `held:<process>`, a set of the actors of whom it holds connections: those who are looked at when it has died.
// The shard is the hash tag of all of them: one slot of a Redis Cluster, so that a script may touch them together.
//
// KEYS are `due`, `holders`, one `held:<process>`, and hashes of actors; ARGV how long a process is taken to be alive after it
// last showed it, in milliseconds, the process, and what a script needs besides.

const prelude = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local stamp = string.format('%.0f', time[1] * 1000000 + time[2])
local patience, process = tonumber(ARGV[1]), ARGV[2]
local function text(number) return string.format('%.0f', number) end
local shown = {}
local function lastShown(holder)
  if not shown[holder] then shown[holder] = tonumber(redis.call('ZSCORE', KEYS[2], holder) or 0) end
  return shown[holder]
end
local function isAlive(holder) return lastShown(holder) + patience > now end
local function look(key)
  local fields = redis.call('HGETALL', key)
  local seen = { before = 'OFFLINE', state = 'OFFLINE', seen = 0, dead = {}, mine = false, orphaned = 0 }
  for i = 1, #fields, 2 do
    local name, value = fields[i], fields[i + 1]
    if name == 'state' then seen.before = value
    elseif name == 'seen' then seen.seen = math.max(seen.seen, tonumber(value))
    else
      local letter, expiry, holder = string.match(value, '^(.)(%d+)@(.*)$')
      expiry = tonumber(expiry) or 0
      local held = holder and holder ~= ''
      if expiry > now and (not held or isAlive(holder)) then
        if letter == 'O' then seen.state = 'ONLINE'
        elseif seen.state == 'OFFLINE' then seen.state = 'AWAY' end
        if held and holder == process then seen.mine = true end
        if not seen.first or expiry < seen.first then seen.first = expiry end
      else
        table.insert(seen.dead, name)
        if held and not isAlive(holder) then
          seen.orphaned = 1
          seen.seen = math.max(seen.seen, lastShown(holder))
        end
      end
    end
  end
  return seen
end
local told = {}
-- All keys of a shard begin with the same tag; the member follows it in one, 'due' in the other.
local function settle(key, mayEnd, pause)
  local member = string.sub(key, #KEYS[1] - #'due' + 1)
  local seen = look(key)
  if seen.mine then redis.call('SADD', KEYS[3], member) else redis.call('SREM', KEYS[3], member) end
  if seen.state == 'OFFLINE' and #seen.dead > 0 and not mayEnd then
    redis.call('ZADD', KEYS[1], text(now + pause), member)
    return
  end
  if seen.state == 'OFFLINE' then
    redis.call('DEL', key)
    redis.call('ZREM', KEYS[1], member)
  else
    for _, field in ipairs(seen.dead) do redis.call('HDEL', key, field) end
    redis.call('ZADD', KEYS[1], text(seen.first), member)
    redis.call('HSET', key, 'state', seen.state)
  end
  if seen.state ~= seen.before then table.insert(told, { member, seen.state, text(seen.seen), stamp }) end
end
-- Once for each actor: a program may have hundreds of connections, and each look goes over all of them.
local function settleAll()
  local done = {}
  for i = 4, #KEYS do
    if not done[KEYS[i]] then settle(KEYS[i], false, 0) end
    done[KEYS[i]] = true
  end
end
`;

/** ARGV[3] is for how many milliseconds; then for each actor a letter, whether it replaces what is there, the connection. */
export const holdScript = script(`${prelude}
local known = isAlive(process) and 1 or 0
redis.call('ZADD', KEYS[2], text(now), process)
shown[process] = now
local expiry = text(now + ARGV[3])
for i = 4, #KEYS do
  local status, force, connection = string.match(ARGV[i], '^(.)(.)(.*)$')
  local field = 'c:' .. connection
  local held = redis.call('HGET', KEYS[i], field)
  if held and force == '0' then status = string.sub(held, 1, 1) end
  redis.call('HSET', KEYS[i], field, status .. expiry .. '@' .. process, 'seen', text(now))
end
settleAll()
return { known, told }`);

export const renewScript = script(`${prelude}
local known = isAlive(process) and 1 or 0
redis.call('ZADD', KEYS[2], text(now), process)
return known`);

/** ARGV[3] is the grace in milliseconds; then for each actor how long ago it was closed, and the connection. */
export const releaseScript = script(`${prelude}
for i = 4, #KEYS do
  local age, connection = string.match(ARGV[i], '^(%d+):(.*)$')
  local field, closed = 'c:' .. connection, now - age
  local held = redis.call('HGET', KEYS[i], field)
  -- One that was lost meanwhile is made good: else nobody would learn when its actor was last seen.
  local letter, expiry = string.match(held or '', '^(.)(%d+)')
  expiry = math.min(tonumber(expiry) or math.huge, closed + ARGV[3])
  local seen = math.max(tonumber(redis.call('HGET', KEYS[i], 'seen') or 0), closed)
  redis.call('HSET', KEYS[i], field, (letter or 'O') .. text(expiry) .. '@', 'seen', text(seen))
end
settleAll()
return told`);

/** ARGV[3] is the letter. */
export const setStatusScript = script(`${prelude}
local fields = redis.call('HGETALL', KEYS[4])
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 2) == 'c:' then
    redis.call('HSET', KEYS[4], fields[i], ARGV[3] .. string.sub(fields[i + 1], 2))
  end
end
settleAll()
return told`);

/** KEYS are hashes of actors only. */
export const readScript = script(`
local time = redis.call('TIME')
local states = { string.format('%.0f', time[1] * 1000000 + time[2]) }
for i = 1, #KEYS do states[i + 1] = redis.call('HGET', KEYS[i], 'state') or 'OFFLINE' end
return states`);

/** ARGV[3] is how many are wanted at most. Answers with actors of whom a connection ran out, and with processes that died. */
export const dueScript = script(`${prelude}
return {
  redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', text(now), 'LIMIT', 0, ARGV[3]),
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', text(now - patience), 'LIMIT', 0, ARGV[3]) }`);

/** Of a process that died: ARGV[3] at most of the actors of whom it held connections. Without any it is forgotten. */
export const leftBehindScript = script(`${prelude}
if isAlive(process) then return {} end
if redis.call('SCARD', KEYS[3]) == 0 then redis.call('ZREM', KEYS[2], process) end
return redis.call('SRANDMEMBER', KEYS[3], ARGV[3])`);

/** The actors' members follow the process in ARGV. Tells of each also whether one of its connections is of a dead process. */
export const lookScript = script(`${prelude}
for i = 4, #KEYS do
  local seen = look(KEYS[i])
  table.insert(told, { ARGV[i - 1], seen.state, text(seen.seen), seen.orphaned })
end
return told`);

/** For each actor in how many milliseconds it is due again, or `end` where it may end. */
export const expireScript = script(`${prelude}
for i = 4, #KEYS do
  local pause = tonumber(ARGV[i - 1])
  settle(KEYS[i], not pause, pause)
end
return told`);
