import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Caller } from '../../src/domains/caller.ts';
import { sendMessage } from '../../src/domains/messages/messages.service.ts';
import type { TypingChange } from '../../src/domains/presence/presence.types.ts';
import { createTyping } from '../../src/domains/presence/typing.service.ts';
import {
  createLocalTypingThrottle,
  createRedisTypingThrottle,
} from '../../src/domains/presence/typingThrottle.store.ts';
import type { TypingThrottle } from '../../src/domains/presence/typingThrottle.types.ts';
import { followTyping, setTyping } from '../../src/domains/presence/typists.service.ts';
import { addMembers, removeMember } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { setArchived } from '../../src/domains/rooms/rooms.service.ts';
import type { Bus } from '../../src/events/bus.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { type House, openHouse } from '../support/house.ts';
import { type Person, person } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

const limits = { throttle: 300, expiry: 800, burst: 4 };

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix } = createTestRedis();
// Two processes over one Redis, and one that has none.
const houses = [
  await openHouse({ databaseUrl, redisUrl }),
  await openHouse({ databaseUrl, redisUrl }),
  await openHouse({ databaseUrl }),
] as const;
const client = new Redis(redisUrl);
await once(client, 'ready');
afterAll(() => client.disconnect());

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Process {
  callerOf(name: string, tenant?: string, role?: Person['role']): Promise<Caller>;
  readonly published: string[];
}

function processOf(house: House, throttle: TypingThrottle): Process {
  const { bus, live } = house.foundation;
  const published: string[] = [];
  const noting: Bus = {
    ...bus,
    publish(channel, payload) {
      published.push(payload);
      bus.publish(channel, payload);
    },
  };
  const typing = createTyping({ throttle, bus: noting, live, log: house.log.logger, limits });
  undo.push(() => typing.close());
  return {
    published,
    callerOf: async (name, tenant = 'acme', role = 'agent') => ({
      ...(await house.callerOf(person(tenant, name, role))),
      typing,
    }),
  };
}

interface Recorded {
  readonly seen: string[];
  readonly changes: TypingChange[];
  readonly ended: () => boolean;
}

function recorded(changes: AsyncIterableIterator<TypingChange>, names: Readonly<Record<string, string>>): Recorded {
  const all: TypingChange[] = [];
  const seen: string[] = [];
  let ended = false;
  undo.push(() => changes.return?.());
  void (async () => {
    for await (const change of changes) {
      all.push(change);
      seen.push(`${names[change.actorId] ?? change.actorId}:${change.typing ? 'types' : 'stops'}`);
    }
    ended = true;
  })();
  return { seen, changes: all, ended: () => ended };
}

async function untilSeen({ seen }: Recorded, wanted: readonly string[]): Promise<void> {
  await waitFor(
    () => `${wanted.join(' ')}; so far: ${seen.join(' ')}`,
    () => seen.length >= wanted.length,
  );
  expect(seen).toEqual(wanted);
}

/** A group of Ana, on one process, and Bruno, on the other, who follows; ready when it is shown to work. */
async function group(one: Process, other: Process) {
  const ana = await one.callerOf('Ana', 'acme', 'admin');
  const bruno = await other.callerOf('Bruno');
  const roomId = await createRoom(ana, {
    kind: 'GROUP',
    name: `typing ${newId()}`,
    topic: undefined,
    memberIds: [bruno.actor.id],
  });
  const names = { [ana.actor.id]: 'ana', [bruno.actor.id]: 'bruno' };
  const follow = async (caller: Caller) => {
    const following = recorded(await followTyping(caller, roomId), names);
    // The bus subscription stands a moment later; what is told before is not replayed.
    await delay(100);
    return following;
  };
  return { ana, bruno, roomId, follow };
}

describe.each([
  [
    'over Redis',
    () => {
      const throttle = () => createRedisTypingThrottle(client, prefix);
      return [processOf(houses[0], throttle()), processOf(houses[1], throttle())] as const;
    },
  ],
  [
    'in process',
    () => {
      const only = processOf(houses[2], createLocalTypingThrottle());
      return [only, only] as const;
    },
  ],
] as const)('typing %s', (_where, open) => {
  test('R4, R9: is told to the other members, not to the one who types', async () => {
    const { ana, bruno, roomId, follow } = await group(...open());
    const [brunos, anas] = [await follow(bruno), await follow(ana)];
    await setTyping(ana, roomId, true);
    await untilSeen(brunos, ['ana:types']);
    expect(brunos.changes[0]?.expiresAt?.getTime()).toBeGreaterThan(Date.now());
    await setTyping(bruno, roomId, true);
    await untilSeen(anas, ['bruno:types']);
    expect(brunos.seen).toEqual(['ana:types']);
  });

  test('R4: going on is throttled over all processes; stopping and starting again is told at once', async () => {
    const [one, other] = open();
    const { ana, bruno, roomId, follow } = await group(one, other);
    const anaElsewhere: Caller = { ...ana, typing: bruno.typing };
    const brunos = await follow(bruno);
    const startedAt = Date.now();
    let calls = 0;
    while (Date.now() - startedAt < limits.throttle * 2.5) {
      await setTyping(calls++ % 2 ? ana : anaElsewhere, roomId, true);
      await delay(5);
    }
    expect(calls).toBeGreaterThan(20);
    expect(one.published.length + (one === other ? 0 : other.published.length)).toBe(3);
    await delay(limits.throttle);
    const before = brunos.seen.length;
    await setTyping(ana, roomId, false);
    await setTyping(anaElsewhere, roomId, false);
    await waitFor('the stop', () => brunos.seen.at(-1) === 'ana:stops');
    await setTyping(ana, roomId, true);
    await waitFor('the start', () => brunos.seen.at(-1) === 'ana:types');
    expect(brunos.seen.slice(before).filter((change) => change === 'ana:stops')).toHaveLength(1);
  });

  test('R4: starting and stopping in turn is no way around the throttle', async () => {
    const [one, other] = open();
    const { ana, roomId } = await group(one, other);
    for (let turn = 0; turn < 20; turn++) await setTyping(ana, roomId, turn % 2 === 0);
    expect(one.published.length).toBeLessThanOrEqual(limits.burst * 2);
  });

  test('R4: ends by itself when it is not renewed', async () => {
    const { ana, bruno, roomId, follow } = await group(...open());
    const brunos = await follow(bruno);
    await setTyping(ana, roomId, true);
    await untilSeen(brunos, ['ana:types']);
    const startedAt = Date.now();
    await untilSeen(brunos, ['ana:types', 'ana:stops']);
    expect(Date.now() - startedAt).toBeGreaterThan(limits.expiry - 150);
    expect(brunos.changes[1]).toEqual({ actorId: ana.actor.id, typing: false, expiresAt: null });
  });

  test('R4: ends at once when the message arrives', async () => {
    const { ana, bruno, roomId, follow } = await group(...open());
    const brunos = await follow(bruno);
    await setTyping(ana, roomId, true);
    await untilSeen(brunos, ['ana:types']);
    const sentAt = Date.now();
    await sendMessage(ana, { roomId, body: 'there', nonce: undefined, replyToId: undefined });
    await untilSeen(brunos, ['ana:types', 'ana:stops']);
    expect(Date.now() - sentAt).toBeLessThan(limits.expiry - 200);
  });

  test('R4: strangers and other tenants neither type nor follow, and learn nothing of the room', async () => {
    const [one, other] = open();
    const { ana, roomId } = await group(one, other);
    for (const stranger of [await other.callerOf('Carla'), await other.callerOf('Wanda', 'globex')]) {
      const unknown = newId();
      for (const id of [roomId, unknown]) {
        await expect(setTyping(stranger, id, true)).rejects.toMatchObject({ code: 'NOT_FOUND', field: 'input.roomId' });
        await expect(followTyping(stranger, id)).rejects.toMatchObject({ code: 'NOT_FOUND', field: 'roomId' });
      }
    }
    await setArchived(ana, roomId, true);
    await expect(setTyping(ana, roomId, true)).rejects.toMatchObject({ code: 'ROOM_ARCHIVED' });
  });

  test('R4: who is removed stops receiving, and stops typing for the others', async () => {
    const { ana, bruno, roomId, follow } = await group(...open());
    const [brunos, anas] = [await follow(bruno), await follow(ana)];
    await setTyping(bruno, roomId, true);
    await untilSeen(anas, ['bruno:types']);
    await removeMember(ana, roomId, bruno.actor.id);
    await waitFor('the end', brunos.ended);
    await untilSeen(anas, ['bruno:types', 'bruno:stops']);
    await setTyping(ana, roomId, true);
    await delay(100);
    expect(brunos.seen).toEqual([]);
    await addMembers(ana, roomId, [bruno.actor.id]);
    const again = await follow(bruno);
    expect(again.ended()).toBe(false);
  });

  test('R4: ends for all when the room is archived', async () => {
    const { ana, bruno, roomId, follow } = await group(...open());
    const followers = [await follow(bruno), await follow(ana)];
    await setArchived(ana, roomId, true);
    await waitFor('the ends', () => followers.every(({ ended }) => ended()));
  });
});

test('R4: without Redis a call succeeds and tells nobody', async () => {
  const gone = new Redis(redisUrl, { enableOfflineQueue: false, maxRetriesPerRequest: 0 });
  gone.on('error', () => undefined);
  gone.disconnect();
  const process = processOf(houses[0], createRedisTypingThrottle(gone, prefix));
  const { ana, roomId } = await group(process, process);
  await setTyping(ana, roomId, true);
  expect(process.published).toEqual([]);
});
