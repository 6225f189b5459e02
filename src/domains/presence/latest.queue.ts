/**
 * A queue between a producer that must not wait and a consumer that may be slow, of values of which only the newest per
 * key counts: it never holds more than one of each.
 */
export interface LatestQueue<T> extends AsyncIterableIterator<T> {
  push(key: string, value: T): void;
  /** Forgets what waits under this key. */
  drop(key: string): void;
  /** Ends it at once. */
  end(): void;
}

/** @param onEnd called once, when the producer or the consumer ended it. */
export function createLatestQueue<T>(onEnd: () => void): LatestQueue<T> {
  const values = new Map<string, T>();
  // Whoever asks before there is something; more than one only if the consumer does not wait for its answers.
  const waiting: ((result: IteratorResult<T>) => void)[] = [];
  let ended = false;

  function end(): void {
    if (ended) return;
    ended = true;
    values.clear();
    for (const resolve of waiting.splice(0)) resolve({ done: true, value: undefined });
    onEnd();
  }

  return {
    push(key, value) {
      if (ended) return;
      const resolve = waiting.shift();
      if (resolve) resolve({ done: false, value });
      else values.set(key, value);
    },
    drop: (key) => void values.delete(key),
    end,
    next() {
      for (const [key, value] of values) {
        values.delete(key);
        return Promise.resolve({ done: false, value });
      }
      if (ended) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve) => waiting.push(resolve));
    },
    return() {
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
    throw(error) {
      end();
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
