import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { together } from '../../src/db/together.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A loader that says when it loaded what. */
function watched() {
  const loaded: { readonly at: number; readonly keys: readonly number[] }[] = [];
  const started = performance.now();
  const load = together<number, number>(async (keys) => {
    loaded.push({ at: Math.round(performance.now() - started), keys });
    return keys.map((key) => (key < 0 ? new Error('negative') : key * 2));
  });
  return { load, loaded };
}

test('who comes one after another waits for nothing', async () => {
  const { load, loaded } = watched();
  for (let key = 0; key < 40; key++) {
    const value = load(key);
    await vi.advanceTimersByTimeAsync(10);
    expect(await value).toBe(key * 2);
  }
  expect(loaded.map(({ at }) => at)).toEqual(Array.from({ length: 40 }, (_, index) => index * 10));
});

test('R5 a crowd is served once in a while, however large it is', async () => {
  for (const each of [1, 2]) {
    const { load, loaded } = watched();
    const values: Promise<number>[] = [];
    for (let time = 0; time < 1_000; time++) {
      for (let index = 0; index < each; index++) values.push(load(values.length));
      await vi.advanceTimersByTimeAsync(1);
    }
    await vi.runAllTimersAsync();
    expect(await Promise.all(values)).toEqual(values.map((_, key) => key * 2));
    expect(loaded.length).toBeLessThanOrEqual(16);
  }
});

test('R5 a crowd that a slow process lets in one by one is served once in a while too', async () => {
  const { load, loaded } = watched();
  const values: Promise<number>[] = [];
  for (let time = 0; time < 200; time++) {
    values.push(load(time));
    await vi.advanceTimersByTimeAsync(7);
  }
  await vi.runAllTimersAsync();
  expect(await Promise.all(values)).toEqual(values.map((_, key) => key * 2));
  expect(loaded.length).toBeLessThanOrEqual(20);
});

test('after a crowd nobody waits, and one failure is nobody else’s', async () => {
  const { load, loaded } = watched();
  const crowd = Promise.allSettled(Array.from({ length: 500 }, (_, index) => load(index === 3 ? -1 : index)));
  await vi.runAllTimersAsync();
  expect((await crowd).map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_001);
  for (const key of [1, 2, 3]) {
    const value = load(key);
    await vi.advanceTimersByTimeAsync(10);
    expect(await value).toBe(key * 2);
  }
  expect(loaded).toHaveLength(1 + 3);
});

test('what comes now and then after a crowd waits for nothing in the end', async () => {
  const { load } = watched();
  for (let time = 0; time < 1_000; time++) {
    void load(time);
    await vi.advanceTimersByTimeAsync(1);
  }
  await vi.runAllTimersAsync();
  const waits: number[] = [];
  for (let key = 0; key < 12; key++) {
    const asked = performance.now();
    void load(key).then(() => waits.push(performance.now() - asked));
    await vi.advanceTimersByTimeAsync(300);
  }
  expect(Math.max(...waits.slice(6)), String(waits)).toBeLessThan(1);
});
