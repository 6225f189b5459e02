import DataLoader from 'dataloader';

/** So many batches in so many milliseconds go at once: who comes alone, or one after another, waits for nothing. */
const calm = { batches: 5, window: 50 };
/**
 * A batch for several is a crowd's, and so is one for which too many came before. From then on, and until there was none for
 * several for a while, batches wait for each other: longer and longer, so that nobody waits much longer than the crowd has
 * been there.
 */
const crowd = { keys: 4, shortest: 25, longest: 400, lasts: 1_000 };

/**
 * Loads for all who ask at the same time. In a crowd, as when all connections broke and come back, it waits for more of
 * them between one batch and the next: what it sends hardly grows with their number.
 * @param load gives the values in the order of the keys; an Error in the place of one fails only that one.
 */
export function together<Key, Value>(
  load: (keys: readonly Key[]) => Promise<readonly (Value | Error)[]>,
): (key: Key) => Promise<Value> {
  let end = 0;
  let left = 0;
  let pause = crowd.shortest;
  let crowdedUntil = 0;

  function schedule(send: () => void): void {
    const now = performance.now();
    if (now >= crowdedUntil) pause = crowd.shortest;
    if (now >= end) {
      const crowded = now < crowdedUntil;
      end = now + (crowded ? pause : calm.window);
      left = crowded ? 1 : calm.batches;
    }
    if (left > 0) {
      left--;
      // After what else this turn of the event loop brings.
      setImmediate(send);
      return;
    }
    // They are many, also where the process is too busy with them for two to come at a time. What comes now and then
    // afterwards has to wait for its turn too, and is no crowd.
    if (now >= crowdedUntil) crowdedUntil = now + crowd.lasts;
    setTimeout(() => {
      end = performance.now() + pause;
      left = 0;
      send();
    }, end - now);
  }

  const loader = new DataLoader<Key, Value>(
    (keys) => {
      if (keys.length >= crowd.keys) {
        crowdedUntil = performance.now() + crowd.lasts;
        pause = Math.min(pause * 2, crowd.longest);
      }
      return load(keys);
    },
    { cache: false, maxBatchSize: 1_000, batchScheduleFn: schedule },
  );
  return (key) => loader.load(key);
}
