import DataLoader from 'dataloader';

/** Milliseconds, and so many batches in them, that go at once: who comes alone, or one after another, waits for nothing. */
const calm = { window: 50, batches: 8 };
/** For a while after a batch for several. */
const crowd = { keys: 4, lasts: 500, window: 100, batches: 1 };

/**
 * Loads for all who ask at the same time. In a crowd, as when all connections broke and come back, it waits a little for
 * more of them between one batch and the next: what it sends goes with the time that this takes, however many they are.
 * @param load gives the values in the order of the keys; an Error in the place of one fails only that one.
 */
export function together<Key, Value>(
  load: (keys: readonly Key[]) => Promise<readonly (Value | Error)[]>,
): (key: Key) => Promise<Value> {
  let end = 0;
  let left = 0;
  let crowdedUntil = 0;

  function schedule(send: () => void): void {
    const now = performance.now();
    if (now >= end) {
      const { window, batches } = now < crowdedUntil ? crowd : calm;
      end = now + window;
      left = batches;
    }
    if (left > 0) {
      left--;
      // After what else this turn of the event loop brings.
      setImmediate(send);
      return;
    }
    setTimeout(() => {
      end = performance.now() + crowd.window;
      left = 0;
      send();
    }, end - now);
  }

  const loader = new DataLoader<Key, Value>(
    (keys) => {
      if (keys.length >= crowd.keys) crowdedUntil = performance.now() + crowd.lasts;
      return load(keys);
    },
    { cache: false, maxBatchSize: 1_000, batchScheduleFn: schedule },
  );
  return (key) => loader.load(key);
}
