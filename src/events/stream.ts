/** Takes what a stream hands on. */
export interface Sink<T> {
  /** @returns false when nothing more may come before it has asked the stream to `resume`; this value it has taken. */
  take(value: T): boolean;
  /** Nothing comes any more: the stream is done or, with an error, has failed. */
  done(error?: unknown): void;
  /** Who takes values in its place, where it would only pass them on: with thousands of subscribers each stage counts. */
  readonly taker?: Sink<T>;
}

/**
 * Values over time, for one consumer: one that takes them as they come (`listen`), or one that asks for each. What is
 * handed on costs a call for each stage between a room and a socket, and no promise. Who asks for each has an iterator
 * like any other.
 *
 * A class, and so are its stages: there are several for each subscription of a process, and methods that they share keep
 * them small.
 */
export abstract class LiveStream<T> implements AsyncIterableIterator<T> {
  #pull: Pull<T> | null = null;

  /** Begins. Called once; not by who iterates. */
  abstract listen(sink: Sink<T>): void;
  /** The sink takes more. Does nothing where it was not waited for. */
  abstract resume(): void;
  /** The consumer wants no more: its sink is not called from here on, also not told of an end. Twice does nothing. */
  abstract stop(): void;

  next(): Promise<IteratorResult<T>> {
    if (!this.#pull) {
      this.#pull = new Pull();
      this.listen(this.#pull);
    }
    return this.#pull.ask(this);
  }

  return(): Promise<IteratorResult<T>> {
    this.stop();
    this.#pull ??= new Pull();
    this.#pull.cancel();
    return Promise.resolve({ done: true, value: undefined });
  }

  throw(error: unknown): Promise<IteratorResult<T>> {
    void this.return();
    return Promise.reject(error);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

interface Asked<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/** For a consumer that asks for each value: takes one, and no more before that is asked for. */
class Pull<T> implements Sink<T> {
  readonly #asked: Asked<T>[] = [];
  #values: T[] = [];
  #ended = false;
  #failure: { readonly error: unknown } | null = null;

  take(value: T): boolean {
    const asked = this.#asked.shift();
    if (asked) asked.resolve({ done: false, value });
    else this.#values.push(value);
    return this.#asked.length > 0;
  }

  done(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    const [first, ...others] = this.#asked.splice(0);
    if (error === undefined) first?.resolve({ done: true, value: undefined });
    else if (first) first.reject(error);
    else this.#failure = { error };
    for (const asked of others) asked.resolve({ done: true, value: undefined });
  }

  cancel(): void {
    this.#values = [];
    this.#failure = null;
    this.done();
  }

  ask(stream: LiveStream<T>): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) {
      const [value, ...others] = this.#values as [T, ...T[]];
      this.#values = others;
      return Promise.resolve({ done: false, value });
    }
    if (this.#failure) {
      const { error } = this.#failure;
      this.#failure = null;
      return Promise.reject(error);
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      stream.resume();
    });
  }
}

/** A stage behind a stream: what it does not do otherwise it passes through. */
export abstract class Stage<T, U = T> extends LiveStream<U> implements Sink<T> {
  protected readonly source: LiveStream<T>;
  protected sink: Sink<U> | null = null;
  /** Who takes in its place. */
  #taker: Sink<U> | null = null;

  constructor(source: LiveStream<T>) {
    super();
    this.source = source;
  }

  abstract take(value: T): boolean;

  done(error?: unknown): void {
    this.sink?.done(error);
  }

  listen(sink: Sink<U>): void {
    this.sink = sink;
    this.#taker = sink.taker ?? sink;
    this.source.listen(this);
  }

  resume(): void {
    this.source.resume();
  }

  stop(): void {
    this.source.stop();
  }

  /** @returns whether more may come. */
  protected give(value: U): boolean {
    return this.sink === null || this.#taker === null || this.#taker.take(value);
  }
}

class Mapped<T, U> extends Stage<T, U> {
  readonly #map: (value: T) => U | undefined;

  constructor(source: LiveStream<T>, map: (value: T) => U | undefined) {
    super(source);
    this.#map = map;
  }

  take(value: T): boolean {
    const result = this.#map(value);
    return result === undefined || this.give(result);
  }
}

/** The stream's values as `map` gives them, less those for which it gives undefined. */
export function filterMap<T, U>(source: LiveStream<T>, map: (value: T) => U | undefined): LiveStream<U> {
  return new Mapped(source, map);
}

/** Passes on the same values, and is told once when either side ends them. */
export abstract class OnceEnded<T> extends Stage<T> {
  #ended = false;

  protected abstract ended(): void;

  get taker(): Sink<T> {
    return this.sink?.taker ?? this.sink ?? this;
  }

  override listen(sink: Sink<T>): void {
    if (this.#ended) sink.done();
    else super.listen(sink);
  }

  take(value: T): boolean {
    return this.give(value);
  }

  override done(error?: unknown): void {
    this.#end();
    super.done(error);
  }

  override stop(): void {
    this.#end();
    super.stop();
  }

  /** Ends it here: its sink is told so. */
  finish(): void {
    if (this.#ended) return;
    this.stop();
    super.done();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.ended();
  }
}

/** Asks an iterator for its values, one after the other. */
class Pumped<T> extends LiveStream<T> {
  readonly #source: AsyncIterator<T>;
  #stopped = false;
  #resumed: (() => void) | null = null;

  constructor(source: AsyncIterator<T>) {
    super();
    this.#source = source;
  }

  listen(sink: Sink<T>): void {
    void this.#pump(sink);
  }

  resume(): void {
    const resumed = this.#resumed;
    this.#resumed = null;
    resumed?.();
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#source.return?.().catch(() => undefined);
    this.resume();
  }

  async #pump(sink: Sink<T>): Promise<void> {
    try {
      while (!this.#stopped) {
        const result = await this.#source.next();
        if (this.#stopped) return;
        if (result.done) return sink.done();
        if (!sink.take(result.value)) {
          await new Promise<void>((resolve) => {
            this.#resumed = resolve;
          });
        }
      }
    } catch (error) {
      if (!this.#stopped) sink.done(error);
    }
  }
}

/** Any stream of values as one that can be listened to. */
export function toLive<T>(source: AsyncIterable<T>): LiveStream<T> {
  return source instanceof LiveStream ? source : new Pumped(source[Symbol.asyncIterator]());
}
