import pg from 'pg';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Caller } from '../../src/domains/caller.ts';
import { follow, viewerCursor } from '../../src/domains/messages/following.service.ts';
import { sendMessage } from '../../src/domains/messages/messages.service.ts';
import { addMembers, joinRoom, removeMember } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { actorChannel, roomChannel } from '../../src/events/catalogue.ts';
import type { Delivered } from '../../src/events/delivered.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const one = await openHouse({ databaseUrl, redisUrl, redisPrefix, poolSize: 15 });
const other = await openHouse({ databaseUrl, redisUrl, redisPrefix, poolSize: 15 });
const ana = await one.callerOf(person('acme', 'Ana', 'admin'));
const bruno = await other.callerOf(person('acme', 'Bruno', 'admin'));

const say = (caller: Caller, roomId: string, body: string) =>
  sendMessage(caller, { roomId, body, nonce: undefined, replyToId: undefined });

/** What a client keeps: what it was given, and where it stands. It may be cut off at any time. */
function createClient(caller: Caller, start: string) {
  let cursor = start;
  const versions = new Map<string, bigint[]>();
  let events: AsyncIterableIterator<Delivered> | null = null;
  let running: Promise<void> = Promise.resolve();

  async function take(from: AsyncIterableIterator<Delivered>): Promise<void> {
    for await (const event of from) {
      if (events !== from) return;
      if (event.type === 'RESYNC') throw new Error(`a resync: ${event.reason}`);
      if (event.type === 'READ') continue;
      const room = versions.get(event.roomId) ?? [];
      room.push(event.version);
      versions.set(event.roomId, room);
      cursor = event.cursor;
    }
  }

  return {
    versions,
    cursorLength: () => cursor.length,
    async connect() {
      const followed = await follow(caller, null, cursor);
      events = followed;
      running = take(followed);
    },
    async cut() {
      const cut = events;
      events = null;
      await cut?.return?.();
      await running;
    },
    last: (roomId: string) => versions.get(roomId)?.at(-1) ?? 0n,
  };
}

const upTo = (version: bigint) => Array.from({ length: Number(version) }, (_, index) => BigInt(index + 1));

async function currentVersion(roomId: string): Promise<bigint> {
  const [row] = await ana.db.prisma.room.findMany({ where: { id: roomId }, select: { version: true } });
  return row?.version ?? 0n;
}

describe('a subscription to all of the rooms', () => {
  test('R2 R5 gives every change once and in the order of its room, however often it is cut off and resumed', async () => {
    const random = createRandom('viewer stream');
    const start = await viewerCursor(ana);
    const rooms: string[] = [];
    for (let index = 0; index < 40; index++) {
      rooms.push(
        await createRoom(bruno, {
          kind: 'CHANNEL',
          name: `r${index}`,
          topic: undefined,
          memberIds: [ana.actor.id],
        }),
      );
    }
    const client = createClient(ana, start);
    // Transactions that begin early and commit late: what a snapshot saw and what came first are not the same.
    const slow = new pg.Client({ connectionString: databaseUrl });
    await slow.connect();
    onTestFinished(() => slow.end());

    for (let round = 0; round < 30; round++) {
      await client.connect();
      await slow.query('BEGIN');
      await slow.query('SELECT pg_current_xact_id()');
      const sends = Array.from({ length: 5 + random.integer(60) }, (_, index) =>
        say(random.pick([ana, bruno]), random.pick(rooms), `${round}.${index}`),
      );
      for (let wait = random.integer(sends.length); wait > 0; wait--) await sends[wait];
      if (random.integer(3) > 0) await client.cut();
      await Promise.all(sends);
      await slow.query(random.pick(['COMMIT', 'ROLLBACK']));
      if (random.integer(4) === 0) await one.foundation.live.compare();
      await client.cut();
    }
    await client.connect();
    for (const room of rooms) {
      const version = await currentVersion(room);
      await waitFor(
        () => `version ${version} of a room, now at ${client.last(room)}`,
        () => client.last(room) >= version,
      );
      expect(client.versions.get(room)).toEqual(upTo(version));
    }
    await client.cut();
    expect(client.cursorLength()).toBeLessThan(4_000);
  });

  test('R2 follows the viewer into rooms joined later, and out of rooms that are left', async () => {
    const client = createClient(ana, await viewerCursor(ana));
    await client.connect();
    const room = await createRoom(bruno, { kind: 'CHANNEL', name: 'later', topic: undefined, memberIds: [] });
    await say(bruno, room, 'before Ana');
    await joinRoom(ana, room);
    await say(bruno, room, 'to Ana');
    const shown = await currentVersion(room);
    await waitFor(
      () => 'what came after joining',
      () => client.last(room) === shown,
    );
    await removeMember(bruno, room, ana.actor.id);
    await say(bruno, room, 'without Ana');
    await addMembers(bruno, room, [ana.actor.id]);
    await say(bruno, room, 'with Ana again');
    const end = await currentVersion(room);
    await waitFor(
      () => 'what came after being added again',
      () => client.last(room) === end,
    );
    await client.cut();
    // 1 Bruno, 2 his message; 3 Ana joins and 4 its report, 5 his message; 6 her removal (7 its report, 8 his message);
    // 9 she is added and 10 its report, 11 his message.
    expect(client.versions.get(room)).toEqual([3n, 4n, 5n, 6n, 9n, 10n, 11n]);
  });

  test('R7 gives nothing of the time in which the viewer was not a member, also when it resumes afterwards', async () => {
    const room = await createRoom(bruno, { kind: 'GROUP', name: 'gap', topic: undefined, memberIds: [ana.actor.id] });
    const client = createClient(ana, await viewerCursor(ana));
    await say(bruno, room, 'seen');
    await removeMember(bruno, room, ana.actor.id);
    await say(bruno, room, 'not seen');
    await addMembers(bruno, room, [ana.actor.id]);
    await say(bruno, room, 'seen again');
    await client.connect();
    const end = await currentVersion(room);
    await waitFor(
      () => 'what she may see',
      () => client.last(room) === end,
    );
    await client.cut();
    const seen = client.versions.get(room) ?? [];
    const [hidden] = await ana.db.prisma.message.findMany({ where: { roomId: room, body: 'not seen' } });
    expect(seen).not.toContain(hidden?.seq);
  });

  test('R7 gives nothing of that time to a subscriber who is behind, and has only now heard of any of it', async () => {
    const room = await createRoom(bruno, {
      kind: 'GROUP',
      name: 'behind',
      topic: undefined,
      memberIds: [ana.actor.id],
    });
    const events = await follow(ana, null, await viewerCursor(ana));
    const said = async (body: string) => {
      await say(bruno, room, body);
      return await currentVersion(room);
    };
    const seen: bigint[] = [];
    const read = async () => {
      const { value } = await events.next();
      if (value?.type !== 'READ' && value?.type !== 'RESYNC' && value?.roomId === room) seen.push(value.version);
    };
    // The stream stands, and is not asked for anything more until she is back.
    const first = read();
    const start = await said('seen');
    await first;
    await removeMember(bruno, room, ana.actor.id);
    const hidden = await said('not seen');
    await addMembers(bruno, room, [ana.actor.id]);
    const end = await said('seen again');
    while (seen.at(-1) !== end) await read();
    const after = await said('and what comes then');
    while (seen.at(-1) !== after) await read();
    await events.return?.();
    const removal = start + 1n;
    // 'not seen', and the report of the removal before it, are not among them.
    expect(seen).toEqual([start, removal, ...upTo(after).filter((version) => version > hidden)]);
  });

  test('R5 loses nothing of a room of which the bus has not told that it was joined, when it is cut right after a comparison', async () => {
    const kept = await createRoom(bruno, {
      kind: 'GROUP',
      name: 'kept',
      topic: undefined,
      memberIds: [ana.actor.id],
    });
    const client = createClient(ana, await viewerCursor(ana));
    await client.connect();
    const told = async (body: string) => {
      await say(bruno, kept, body);
      const version = await currentVersion(kept);
      await waitFor(body, () => client.last(kept) === version);
    };
    await told('it stands');
    // The comparison stops half way, when the rooms have been read and the memberships have not.
    const { engine } = one.foundation.database;
    const run = engine.run.bind(engine);
    const asked = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const running = vi.spyOn(engine, 'run').mockImplementation(async (statement, values) => {
      if (statement.name !== 'live.membershipVersions') return run(statement, values);
      asked.resolve();
      await held.promise;
      return run(statement, values);
    });
    const { bus } = other.foundation;
    const publish = bus.publish.bind(bus);
    const publishing = vi.spyOn(bus, 'publish').mockImplementation((channel, payload) => {
      if (channel !== actorChannel(ana.db.tenantId, ana.actor.id)) publish(channel, payload);
    });
    const joined = await createRoom(bruno, {
      kind: 'GROUP',
      name: 'joined',
      topic: undefined,
      memberIds: [ana.actor.id],
    });
    await say(bruno, joined, 'in the new room');
    publishing.mockRestore();
    const comparing = one.foundation.live.compare();
    await asked.promise;
    await told('after the rooms were compared');
    await client.cut();
    held.resolve();
    await comparing;
    running.mockRestore();
    await client.connect();
    const end = await currentVersion(joined);
    await waitFor('the new room', () => client.last(joined) === end);
    expect(client.versions.get(joined)).toEqual(upTo(end));
    await client.cut();
  });

  test('R5 loses nothing of a room that is joined while it starts, when it is cut during the replay', async () => {
    const older = await createRoom(bruno, { kind: 'GROUP', name: 'older', topic: undefined, memberIds: [] });
    const kept = await createRoom(bruno, {
      kind: 'GROUP',
      name: 'kept',
      topic: undefined,
      memberIds: [ana.actor.id],
    });
    let cursor = await viewerCursor(ana);
    await say(bruno, kept, 'missed');
    const { bus } = one.foundation;
    const subscribe = bus.subscribe.bind(bus);
    // Her rooms have been read by then, and not what she missed in them.
    const subscribing = vi.spyOn(bus, 'subscribe').mockImplementation(async (channel, onPayload) => {
      if (channel === roomChannel(ana.db.tenantId, kept)) {
        await addMembers(bruno, older, [ana.actor.id]);
        await say(bruno, older, 'to Ana too');
      }
      return subscribe(channel, onPayload);
    });
    const seen: bigint[] = [];
    const read = async (events: AsyncIterableIterator<Delivered>) => {
      const { value } = await events.next();
      if (!value || value.type === 'READ' || value.type === 'RESYNC') return null;
      if (value.roomId === older) seen.push(value.version);
      cursor = value.cursor;
      return value.roomId;
    };
    const cut = await follow(ana, null, cursor);
    while ((await read(cut)) !== kept);
    await cut.return?.();
    subscribing.mockRestore();
    const end = await currentVersion(older);
    const resumed = await follow(ana, null, cursor);
    await say(bruno, older, 'and later');
    while (seen.at(-1) !== end + 1n) await read(resumed);
    await resumed.return?.();
    // She is added, the report of it, and what was said.
    expect(seen).toEqual([end - 2n, end - 1n, end, end + 1n]);
  });

  test.each(['the bus', 'its rooms'])('R2 leaves nothing behind where it ends while it waits for %s', async (what) => {
    await createRoom(bruno, { kind: 'GROUP', name: 'not reached', topic: undefined, memberIds: [ana.actor.id] });
    const { bus } = one.foundation;
    const subscribe = bus.subscribe.bind(bus);
    const query = ana.db.query.bind(ana.db);
    const asked = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const hold = async (where: string) => {
      if (where !== what) return;
      asked.resolve();
      await held.promise;
    };
    const standing: string[] = [];
    const ended: string[] = [];
    const subscribing = vi.spyOn(bus, 'subscribe').mockImplementation(async (channel, onPayload) => {
      await hold('the bus');
      const unsubscribe = await subscribe(channel, onPayload);
      standing.push(channel);
      return () => {
        ended.push(channel);
        unsubscribe();
      };
    });
    let goesOn = false;
    const querying = vi.spyOn(ana.db, 'query').mockImplementation(async (statement, ...values) => {
      if (statement.name === 'viewerRooms.memberships') await hold('its rooms');
      if (statement.name === 'viewerRooms.missed') goesOn = true;
      return query(statement, ...values);
    });
    const events = await follow(ana, null, undefined);
    const first = events.next();
    await asked.promise;
    await events.return?.();
    held.resolve();
    expect(await first).toMatchObject({ done: true });
    if (what === 'its rooms') await waitFor('what it does with them', () => goesOn);
    await waitFor(
      () => `the end of what stood: ${standing}`,
      () => standing.length > 0 && ended.length === standing.length,
    );
    expect(standing).toEqual([actorChannel(ana.db.tenantId, ana.actor.id)]);
    subscribing.mockRestore();
    querying.mockRestore();
  });
});
