/** A queue between one producer that must not wait and one consumer that may be slow. */
export interface Queue<T> extends AsyncIterableIterator<T> {
  /** Adds a value; false when the queue is full or ended, and the value was not taken. */
  push(value: T): boolean;
  /** Ends it after what is queued, or (with `drop`) at once. */
  end(drop?: boolean): void;
  readonly size: number;
}

/** @param onEnd called once, when the producer or the consumer ended it. */
export function createQueue<T>(capacity: number, onEnd: () => void): Queue<T> {
  const values: T[] = [];
  let waiting: ((result: IteratorResult<T>) => void) | null = null;
  let ended = false;

  function finish(): void {
    if (ended) return;
    ended = true;
    waiting?.({ done: true, value: undefined });
    waiting = null;
    onEnd();
  }

  return {
    get size() {
      return values.length;
    },
    push(value) {
      if (ended) return false;
      if (waiting) {
        const resolve = waiting;
        waiting = null;
        resolve({ done: false, value });
        return true;
      }
      if (values.length >= capacity) return false;
      values.push(value);
      return true;
    },
    end(drop = false) {
      if (drop) values.length = 0;
      finish();
    },
    next() {
      const value = values.shift();
      if (value !== undefined) return Promise.resolve({ done: false, value });
      if (ended) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve) => {
        waiting = resolve;
      });
    },
    return() {
      values.length = 0;
      finish();
      return Promise.resolve({ done: true, value: undefined });
    },
    throw(error) {
      values.length = 0;
      finish();
      return Promise.reject(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
