import { Redis } from 'ioredis';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { deleteMessage, editMessage, sendMessage } from '../../src/domains/messages/messages.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { updateRoom } from '../../src/domains/rooms/rooms.service.ts';
import { roomChannel } from '../../src/events/catalogue.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { startRedisCluster } from '../services/redisCluster.ts';
import { type House, openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const cluster = await startRedisCluster();
afterAll(() => cluster.stop());
const redisUrls = { Redis: createTestRedis().url, 'Redis Cluster': cluster.url };
const houses = {
  Redis: await openHouse({ databaseUrl, redisUrl: redisUrls.Redis, poolSize: 15 }),
  'Redis Cluster': await openHouse({ databaseUrl, redisUrl: cluster.url, poolSize: 15 }),
  'in process': await openHouse({ databaseUrl, poolSize: 15 }),
};
const ana = person('acme', 'Ana', 'admin');

const say = (caller: Caller, roomId: string, body: string) =>
  sendMessage(caller, { roomId, body, nonce: undefined, replyToId: undefined });
const newRoom = (caller: Caller) =>
  createRoom(caller, { kind: 'GROUP', name: 'followed', topic: undefined, memberIds: [] });

const follow = (caller: Caller, roomId: string, after: bigint | null) =>
  caller.live.room(caller.db.tenantId, roomId, after);

type Followed = ReturnType<typeof follow>;
type Event = Followed extends AsyncIterable<infer Value> ? Value : never;

/** Takes events as they come, from the moment of the call. */
function collect(events: Followed) {
  const taken: Event[] = [];
  const done = (async () => {
    for await (const event of events) taken.push(event);
  })();
  return {
    taken,
    versions: () => taken.flatMap((event) => ('version' in event ? [event.version] : [])),
    async until(version: bigint) {
      await waitFor(
        () => `version ${version}; so far: ${taken.length}`,
        () => taken.some((event) => 'version' in event && event.version >= version),
      );
    },
    async stop() {
      await events.return?.();
      await done;
    },
  };
}

function range(from: bigint, to: bigint): bigint[] {
  return Array.from({ length: Number(to - from) + 1 }, (_, index) => from + BigInt(index));
}

const currentVersion = sql<{ version: bigint }>(
  'test.version',
  'SELECT version FROM rooms WHERE tenant_id = $1 AND id = $2',
);
async function versionOf(caller: Caller, roomId: string): Promise<bigint> {
  return (await caller.db.query(currentVersion, roomId))[0]?.version ?? 0n;
}

describe.each(['Redis', 'Redis Cluster', 'in process'] as const)('live delivery, events over %s', (bus) => {
  const house: House = houses[bus];

  test('R5 what was missed is replayed, and then it goes on live: each change once, in the order of the room', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    const first = await say(caller, roomId, 'one');
    await editMessage(caller, first.id, 'One');
    await updateRoom(caller, roomId, { name: 'renamed' });
    const follower = collect(follow(caller, roomId, start));
    await follower.until(start + 4n);
    await deleteMessage(caller, first.id);
    await say(caller, roomId, 'two');
    await follower.until(start + 6n);
    expect(follower.taken.map((event) => event.type)).toEqual([
      'MESSAGE_ADDED',
      'MESSAGE_EDITED',
      'ROOM_UPDATED',
      'MESSAGE_ADDED',
      'MESSAGE_DELETED',
      'MESSAGE_ADDED',
    ]);
    expect(follower.versions()).toEqual(range(start + 1n, start + 6n));
    await follower.stop();
  });

  test('R5 nothing is lost or twice while others send during the replay', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    // More than a page of the log.
    for (let index = 0; index < 25; index++) {
      await Promise.all(Array.from({ length: 10 }, () => say(caller, roomId, 'before')));
    }
    const sending = Promise.all(
      Array.from({ length: 5 }, async () => {
        for (let index = 0; index < 20; index++) await say(caller, roomId, 'meanwhile');
      }),
    );
    const followers = [start, start + 100n, start + 249n].map((after) => ({
      after,
      follower: collect(follow(caller, roomId, after)),
    }));
    await sending;
    const end = await versionOf(caller, roomId);
    expect(end).toBe(start + 350n);
    for (const { after, follower } of followers) {
      await follower.until(end);
      expect(follower.versions()).toEqual(range(after + 1n, end));
      await follower.stop();
    }
  });

  test('R5 without a cursor a subscription starts with what comes next', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    await say(caller, roomId, 'before');
    const before = await versionOf(caller, roomId);
    // Another one of the same room stands already, so that this one stands as soon as it is asked for its first event.
    const first = collect(follow(caller, roomId, before - 1n));
    await first.until(before);
    const second = collect(follow(caller, roomId, null));
    await waitFor('the second to stand', async () => {
      await say(caller, roomId, 'after');
      return second.taken.length > 0;
    });
    const end = await versionOf(caller, roomId);
    await Promise.all([first.until(end), second.until(end)]);
    expect(first.versions()).toEqual(range(before, end));
    expect(second.versions()).toEqual(range(second.versions()[0] ?? 0n, end));
    expect(second.versions()[0]).toBeGreaterThan(before);
    await Promise.all([first.stop(), second.stop()]);
  });

  test('R5 what a process without the bus has written is found by the comparison with the database', async () => {
    const silent = await openHouse({ databaseUrl });
    const [caller, unheard] = await Promise.all([house.callerOf(ana), silent.callerOf(ana)]);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    const follower = collect(follow(caller, roomId, start));
    await say(caller, roomId, 'heard');
    await follower.until(start + 1n);
    for (let index = 0; index < 5; index++) await say(unheard, roomId, 'not heard');
    expect(follower.versions()).toEqual([start + 1n]);
    await house.foundation.live.compare();
    await follower.until(start + 6n);
    // And by the gap before the next hint.
    for (let index = 0; index < 5; index++) await say(unheard, roomId, 'not heard');
    await say(caller, roomId, 'heard');
    await follower.until(start + 12n);
    expect(follower.versions()).toEqual(range(start + 1n, start + 12n));
    await follower.stop();
  });

  test('R5 a cursor from before what is kept says so, and goes on from now', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    for (let index = 0; index < 5; index++) await say(caller, roomId, 'old');
    const end = await versionOf(caller, roomId);
    await caller.db.query(
      sql<never>('test.raiseFloor', 'UPDATE rooms SET log_floor = version - 2 WHERE tenant_id = $1 AND id = $2'),
      roomId,
    );
    const late = collect(follow(caller, roomId, end - 3n));
    const inTime = collect(follow(caller, roomId, end - 2n));
    await waitFor('the resync', () => late.taken.length > 0);
    await say(caller, roomId, 'new');
    await Promise.all([late.until(end + 1n), inTime.until(end + 1n)]);
    expect(late.taken[0]).toMatchObject({ type: 'RESYNC', reason: 'CURSOR_TOO_OLD', roomId });
    expect(late.taken.slice(1)).toMatchObject([{ type: 'MESSAGE_ADDED', version: end + 1n }]);
    expect(inTime.versions()).toEqual([end - 1n, end, end + 1n]);
    await Promise.all([late.stop(), inTime.stop()]);
  });

  test('R5 a follower who is about to start when the last one leaves gets everything', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    const leaving = collect(follow(caller, roomId, start));
    await say(caller, roomId, 'one');
    await leaving.until(start + 1n);
    const events = follow(caller, roomId, start);
    await leaving.stop();
    const staying = collect(events);
    await staying.until(start + 1n);
    await say(caller, roomId, 'two');
    await staying.until(start + 2n);
    expect(staying.versions()).toEqual([start + 1n, start + 2n]);
    await staying.stop();
  });

  test('R2 one subscription to the bus serves all followers of a room, and ends with the last of them', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    const channel = roomChannel(caller.db.tenantId, roomId);
    const { bus: port } = house.foundation;
    const subscribe = port.subscribe.bind(port);
    let [begun, ended] = [0, 0];
    const spy = vi.spyOn(port, 'subscribe').mockImplementation(async (name, onPayload) => {
      const unsubscribe = await subscribe(name, onPayload);
      if (name === channel) begun++;
      return () => {
        if (name === channel) ended++;
        unsubscribe();
      };
    });
    const start = await versionOf(caller, roomId);
    const followers = Array.from({ length: 5 }, () => collect(follow(caller, roomId, start)));
    await say(caller, roomId, 'to all');
    for (const follower of followers) await follower.until(start + 1n);
    expect([begun, ended]).toEqual([1, 0]);
    // They end while they wait, without another event.
    for (const follower of followers) await follower.stop();
    expect([begun, ended]).toEqual([1, 1]);
    spy.mockRestore();
  });
});

describe.each(['Redis', 'Redis Cluster'] as const)('over %s', (bus) => {
  const redisUrl = redisUrls[bus];
  const house = houses[bus];
  const nodes = redisUrl.split(',').map((url) => new Redis(url, { retryStrategy: () => 50 }));
  for (const node of nodes) node.on('error', () => undefined);
  afterAll(() => nodes.forEach((node) => void node.disconnect()));

  test('R5 what was published while the connection was broken is delivered after it', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    const follower = collect(follow(caller, roomId, start));
    await say(caller, roomId, 'first');
    await follower.until(start + 1n);
    for (let index = 0; index < 30; index++) {
      if (index % 10 === 5) await Promise.all(nodes.map((node) => node.call('CLIENT', 'KILL', 'TYPE', 'pubsub')));
      await say(caller, roomId, 'meanwhile');
    }
    await follower.until(start + 31n);
    expect(follower.versions()).toEqual(range(start + 1n, start + 31n));
    await follower.stop();
  });

  test('R9 what one process writes the other delivers, in one order', async () => {
    const other = await openHouse({ databaseUrl, redisUrl });
    const [here, there] = await Promise.all([house.callerOf(ana), other.callerOf(ana)]);
    const roomId = await newRoom(here);
    const start = await versionOf(here, roomId);
    const followers = [here, there].map((caller) => collect(follow(caller, roomId, start)));
    await Promise.all(
      [here, there].map(async (caller) => {
        for (let index = 0; index < 25; index++) await say(caller, roomId, 'from both');
      }),
    );
    const idsOf = (follower: ReturnType<typeof collect>) =>
      follower.taken.map((event) => ('message' in event ? event.message.id : event.type));
    for (const follower of followers) {
      await follower.until(start + 50n);
      expect(follower.versions()).toEqual(range(start + 1n, start + 50n));
    }
    expect(followers.map(idsOf)[0]).toEqual(followers.map(idsOf)[1]);
    for (const follower of followers) await follower.stop();
  });

  test('R2 an ended subscription is given back to Redis', async () => {
    const caller = await house.callerOf(ana);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    const channel = roomChannel(caller.db.tenantId, roomId);
    // Whatever goes before the channels of this installation.
    const subscribed = async () => {
      const found = await Promise.all(nodes.map((node) => node.pubsub('CHANNELS', `*${channel}`)));
      return found.flat().length === 1;
    };
    const follower = collect(follow(caller, roomId, start));
    await waitFor('the subscription', subscribed);
    await follower.stop();
    await waitFor('its end', async () => !(await subscribed()));
  });
});

describe('over a Redis Cluster', () => {
  test('R9 whichever node is killed, what is sent meanwhile and afterwards is delivered', async () => {
    const caller = await houses['Redis Cluster'].callerOf(ana);
    const roomId = await newRoom(caller);
    const start = await versionOf(caller, roomId);
    const follower = collect(follow(caller, roomId, start));
    let sent = start;
    const sayMore = async (times: number) => {
      for (let index = 0; index < times; index++) sent = (await say(caller, roomId, 'through it all')).seq;
    };
    for (const node of cluster.nodes) {
      await sayMore(5);
      await node.kill();
      await sayMore(5);
      await follower.until(sent);
      await node.restart();
    }
    await sayMore(5);
    await follower.until(sent);
    expect(follower.versions()).toEqual(range(start + 1n, sent));
    await follower.stop();
  });
});
