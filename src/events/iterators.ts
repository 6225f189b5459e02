/**
 * An async generator that is waiting does not see its `return()` before its next value: a subscription that ends would
 * hold its sources until something happens in them. Here `end` is called first, and lets the wait finish.
 */
export function endingWith<T>(generator: AsyncGenerator<T, void>, end: () => void): AsyncIterableIterator<T> {
  return {
    next: () => generator.next(),
    return() {
      end();
      return generator.return();
    },
    throw(error) {
      end();
      return generator.throw(error);
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** The same values; calls back once when either side ends it. */
export function onceEnded<T>(source: AsyncIterableIterator<T>, callback: () => void): AsyncIterableIterator<T> {
  async function* observed(): AsyncGenerator<T, void> {
    try {
      yield* source;
    } finally {
      callback();
    }
  }
  return endingWith(observed(), () => {
    callback();
    void source.return?.();
  });
}
