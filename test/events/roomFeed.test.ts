import { beforeEach, describe, expect, test } from 'vitest';
import type { RoomEvent } from '../../src/events/catalogue.ts';
import { encodeHint } from '../../src/events/hints.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { createRoomFeed, type FeedListener, type RoomFeed } from '../../src/events/roomFeed.ts';
import { newId } from '../../src/kernel/ids.ts';
import { captureLog } from '../support/logs.ts';
import { waitFor } from '../support/waiting.ts';

const roomId = newId();
/** How the room stands in the database: its version, and what of its log is read. */
let stored: { version: bigint; log: object[]; asked: number };
const db = { tenantId: 'acme', query: async () => stored.log as never[] };
const change = (version: bigint): RoomEvent => ({ type: 'ROOM_UPDATED', roomId, version, actorId: 'ana' });

let feed: RoomFeed;
/** What the bus brings. */
let bring: (version: bigint) => void;
let bringText: (text: string) => void;

beforeEach(() => {
  stored = { version: 4n, log: [], asked: 0 };
  feed = createRoomFeed({
    bus: {
      ...createLocalBus(),
      async subscribe(_channel, onPayload) {
        bringText = onPayload;
        bring = (version) => onPayload(encodeHint(change(version)));
        return () => undefined;
      },
    },
    db,
    roomId,
    log: captureLog().logger,
    readVersion: async () => {
      stored.asked++;
      return stored.version;
    },
    onIdle: () => undefined,
  });
});

function listener() {
  const versions: bigint[] = [];
  const each: FeedListener & { readonly versions: bigint[] } = {
    versions,
    take: (event) => void ('version' in event && versions.push(event.version)),
    fail: () => undefined,
  };
  return each;
}

async function listeners(count: number) {
  const some = Array.from({ length: count }, listener);
  for (const each of some) await feed.add(each);
  return some;
}

/** More than get an event at once. */
const many = 20;
const turn = () => new Promise(setImmediate);
const versionsOf = (some: readonly { readonly versions: bigint[] }[]) => some.map(({ versions }) => versions);

describe('R2 a feed', () => {
  test('hands an event to a few at once, to each once and in order', async () => {
    const some = await listeners(3);
    bring(5n);
    bring(6n);
    expect(versionsOf(some)).toEqual(some.map(() => [5n, 6n]));
    await turn();
    expect(versionsOf(some)).toEqual(some.map(() => [5n, 6n]));
  });

  test('hands an event to one of many at once and to the others in the same turn, to each once and in order', async () => {
    const some = await listeners(many);
    bring(5n);
    bring(6n);
    expect(versionsOf(some)).toEqual(some.map((_, index) => (index === 0 ? [5n, 6n] : [])));
    await turn();
    bring(7n);
    await turn();
    expect(versionsOf(some)).toEqual(some.map(() => [5n, 6n, 7n]));
  });

  test('keeps the order where many become a few in between', async () => {
    const some = await listeners(many);
    bring(5n);
    for (const each of some.slice(2)) feed.remove(each);
    bring(6n);
    await turn();
    bring(7n);
    expect(versionsOf(some.slice(0, 2))).toEqual([
      [5n, 6n, 7n],
      [5n, 6n, 7n],
    ]);
    expect(versionsOf(some.slice(2)).flat()).toEqual([]);
  });

  test('keeps the order for all where the one who was first leaves in between', async () => {
    const [first, ...others] = await listeners(many);
    bring(5n);
    if (first) feed.remove(first);
    bring(6n);
    await turn();
    expect(first?.versions).toEqual([5n]);
    expect(versionsOf(others)).toEqual(others.map(() => [5n, 6n]));
  });

  test('hands nothing to who leaves before its turn, and what is older than its start only to who can tell', async () => {
    const [, second, third] = await listeners(many);
    bring(5n);
    if (second) feed.remove(second);
    const late = listener();
    expect(await feed.add(late)).toBe(5n);
    bring(6n);
    await turn();
    expect(second?.versions).toEqual([]);
    expect(third?.versions).toEqual([5n, 6n]);
    expect(late.versions.filter((version) => version > 5n)).toEqual([6n]);
  });

  test.each([
    ['of another version', '["0:columns of long ago","MESSAGE_ADDED","5"]'],
    ['of a kind that it does not know', '{"type":"ROOM_FOLDED","version":"5"}'],
    ['that is cut off', '["1:'],
  ])('R5 reads from the log what a hint %s stands for', async (_what, text) => {
    const some = await listeners(3);
    stored = { version: 5n, log: [change(5n)], asked: 0 };
    bringText(text);
    await waitFor('the event', () => some.every(({ versions }) => versions.length > 0));
    bring(6n);
    expect(versionsOf(some)).toEqual(some.map(() => [5n, 6n]));
  });

  test('R5 asks once for all hints that it cannot read meanwhile, and again for those that come later', async () => {
    const some = await listeners(3);
    stored = { version: 5n, log: [change(5n)], asked: 0 };
    for (let hint = 0; hint < 10; hint++) bringText('["0:other"]');
    await waitFor('the event', () => some.every(({ versions }) => versions.length > 0));
    await turn();
    expect(stored.asked).toBe(2);
    stored = { version: 6n, log: [change(6n)], asked: 0 };
    bringText('["0:other"]');
    await waitFor('the next one', () => some.every(({ versions }) => versions.length > 1));
    expect(versionsOf(some)).toEqual(some.map(() => [5n, 6n]));
  });

  test('R5 passes over a change of a newer version, and goes on', async () => {
    const some = await listeners(3);
    stored = { version: 6n, log: [{ ...change(5n), type: 'ROOM_FOLDED' }, change(6n)], asked: 0 };
    bringText('{"type":"ROOM_FOLDED","version":"5"}');
    await waitFor('the event', () => some.every(({ versions }) => versions.length > 0));
    bring(7n);
    expect(versionsOf(some)).toEqual(some.map(() => [6n, 7n]));
  });
});
