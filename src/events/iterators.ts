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

/** The source's values as `map` gives them, less those for which it gives undefined. Ends its source when it is ended. */
export function filterMap<T, U>(
  source: AsyncIterableIterator<T>,
  map: (value: T) => U | undefined,
): AsyncIterableIterator<U> {
  async function* mapped(): AsyncGenerator<U, void> {
    for await (const value of source) {
      const result = map(value);
      if (result !== undefined) yield result;
    }
  }
  return endingWith(mapped(), () => void source.return?.());
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
