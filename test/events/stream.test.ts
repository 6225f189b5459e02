import { expect, test, vi } from 'vitest';
import { roomChannel } from '../../src/events/catalogue.ts';
import { encodeHint } from '../../src/events/hints.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import { createRoomFeed } from '../../src/events/roomFeed.ts';
import { filterMap, LiveStream, OnceEnded, type Sink, toLive } from '../../src/events/stream.ts';
import { captureLog } from '../support/logs.ts';
import { waitFor } from '../support/waiting.ts';

/** A source that obeys: it gives nothing more after a `false` until it is resumed. */
class Source extends LiveStream<number> {
  sink: Sink<number> | null = null;
  readonly waiting: number[] = [];
  full = false;
  stops = 0;

  listen(sink: Sink<number>): void {
    this.sink = sink;
  }

  resume(): void {
    this.full = false;
    this.#flow();
  }

  stop(): void {
    this.stops++;
    this.sink = null;
  }

  push(...values: readonly number[]): void {
    this.waiting.push(...values);
    this.#flow();
  }

  #flow(): void {
    while (!this.full && this.sink) {
      const value = this.waiting.shift();
      if (value === undefined) return;
      this.full = !this.sink.take(value);
    }
  }
}

/** Takes so many values before it is full. */
function takes(room: number) {
  const taken: unknown[] = [];
  const ends: unknown[] = [];
  let left = room;
  return {
    taken,
    ends,
    refill(more: number) {
      left = more;
    },
    take(value: unknown) {
      taken.push(value);
      left--;
      return left > 0;
    },
    done(error?: unknown) {
      ends.push(error);
    },
  };
}

class Counting<T> extends OnceEnded<T> {
  ends = 0;

  protected ended(): void {
    this.ends++;
  }
}

test('R2 a full sink is heard through every stage: nothing comes before it resumes, and then all in order', () => {
  const source = new Source();
  const stream = new Counting(filterMap(source, (value) => (value % 2 === 0 ? undefined : value * 10)));
  const sink = takes(2);
  stream.listen(sink);
  source.push(1, 2, 3, 5, 7);
  expect(sink.taken).toEqual([10, 30]);
  expect(source.full).toBe(true);
  sink.refill(1);
  stream.resume();
  expect(sink.taken).toEqual([10, 30, 50]);
  sink.refill(9);
  stream.resume();
  // What is filtered out leaves as much room as there was.
  source.push(8, 9);
  expect(sink.taken).toEqual([10, 30, 50, 70, 90]);
});

test('R2 an iterator is asked for no more while the sink is full, and once stopped for nothing at all', async () => {
  let asked = 0;
  let returned = 0;
  const stream = toLive({
    [Symbol.asyncIterator]: () => ({
      next: async () => ({ done: false as const, value: ++asked }),
      return: async () => {
        returned++;
        return { done: true as const, value: undefined };
      },
    }),
  });
  const sink = takes(3);
  stream.listen(sink);
  await waitFor('a full sink', () => sink.taken.length === 3);
  await new Promise(setImmediate);
  expect({ asked, taken: sink.taken }).toEqual({ asked: 3, taken: [1, 2, 3] });
  sink.refill(1);
  stream.resume();
  await waitFor('one more', () => sink.taken.length === 4);
  stream.stop();
  stream.stop();
  await new Promise(setImmediate);
  expect({ asked, returned, taken: sink.taken, ends: sink.ends }).toEqual({
    asked: 4,
    returned: 1,
    taken: [1, 2, 3, 4],
    ends: [],
  });
});

test('R2 a stop goes through to the source, and is told of once, also where the source ends as well', () => {
  const source = new Source();
  const stream = new Counting(source);
  const sink = takes(9);
  stream.listen(sink);
  source.push(1);
  stream.stop();
  source.push(2);
  stream.done();
  stream.finish();
  expect({ stops: source.stops, ends: stream.ends, taken: sink.taken }).toEqual({ stops: 1, ends: 1, taken: [1] });
});

test('R5 a stage that only passes values on is passed by, and its end is the end all the same', () => {
  const source = new Source();
  const even = filterMap(source, (value) => (value % 2 === 0 ? value : undefined));
  const first = new Counting(even);
  const last = new Counting(filterMap(first, (value) => value * 10));
  const passing = vi.spyOn(first, 'take');
  const sink = takes(9);
  last.listen(sink);
  source.push(1, 2, 3, 4);
  first.finish();
  source.push(6);
  expect({ taken: sink.taken, ends: sink.ends, inner: first.ends, outer: last.ends, stops: source.stops }).toEqual({
    ...{ taken: [20, 40], ends: [undefined], stops: 1 },
    ...{ inner: 1, outer: 1 },
  });
  expect(passing).not.toHaveBeenCalled();
});

test('R2 who iterates gets a value for each question, and after those the failure, once', async () => {
  const source = new Source();
  const first = source.next();
  source.push(1, 2, 3);
  expect(await first).toEqual({ done: false, value: 1 });
  // Nothing piles up here: what was not asked for waits at the source.
  expect(source.waiting).toEqual([2, 3]);
  expect(await source.next()).toEqual({ done: false, value: 2 });
  expect(await source.next()).toEqual({ done: false, value: 3 });
  source.sink?.done(new Error('broken'));
  await expect(source.next()).rejects.toThrow('broken');
  expect(await source.next()).toEqual({ done: true, value: undefined });
  expect(await source.return()).toEqual({ done: true, value: undefined });
  expect(source.stops).toBe(1);
});

test('R2 a listener that throws does not cost the others of its room the event', async () => {
  const bus = createLocalBus();
  const log = captureLog();
  const feed = createRoomFeed({
    bus,
    db: { tenantId: 'acme', query: async () => [] },
    roomId: 'room',
    log: log.logger,
    readVersion: async () => 0n,
    onIdle: () => undefined,
  });
  const broken = takes(9);
  const failures: unknown[] = [];
  const sound = [takes(9), takes(9)];
  const listenerOf = (sink: ReturnType<typeof takes>) => ({
    take: (event: unknown) => void sink.take(event),
    fail: (error: unknown) => sink.done(error),
  });
  await feed.add(listenerOf(sound[0] ?? broken));
  await feed.add({
    take(event) {
      broken.take(event);
      throw new Error('cannot take it');
    },
    fail: (error) => failures.push(error),
  });
  await feed.add(listenerOf(sound[1] ?? broken));
  const lastReadAt = new Date();
  for (const lastReadSeq of [1n, 2n]) {
    bus.publish(
      roomChannel('acme', 'room'),
      encodeHint({ type: 'READ', roomId: 'room', actorId: 'ana', lastReadSeq, lastReadAt }),
    );
  }
  await waitFor('both events', () => sound.every(({ taken }) => taken.length === 2));
  // Who threw is told, once, and gets nothing any more.
  expect(broken.taken).toHaveLength(1);
  expect(failures).toEqual([new Error('cannot take it')]);
  expect(sound.flatMap(({ ends }) => ends)).toEqual([]);
  feed.close();
});
