import { createSourceEventStream, type ExecutionArgs, type GraphQLError } from 'graphql';
import type { Caller } from '../domains/caller.ts';
import { type LiveStream, Stage } from '../events/stream.ts';
import { createContext } from './context.ts';
import type { Kept } from './keptResults.ts';
import {
  cursorPlaceholder,
  type Executed,
  isOfManyRooms,
  markOf,
  type Operation,
  resultOf,
  type SetApart,
  type SharedResult,
  type Shown,
  toResult,
  versionKey,
} from './sharedResults.ts';

/** A subscription that stands. */
export interface Subscription extends LiveStream<SharedResult> {
  /** The watcher is told once when it ends, from whichever side. To be called before it begins. */
  watch(watcher: SubscriptionWatcher): void;
  /** Decides again about its access. @returns the errors with which it would be refused now; null where it would stand. */
  recheck(): Promise<readonly GraphQLError[] | null>;
}

/** An object, and no function: each subscription has one. */
export interface SubscriptionWatcher {
  ended(): void;
}

/** A message, committed at this time (milliseconds of the clock), was handed to a subscriber to whom it came live. */
export type OnDelivered = (sentAt: number) => void;

/** Times are counted from here: as small numbers they take no place of their own. */
const epoch = Date.now();

/** What the subscribers of a process have in common. */
export interface Sharing {
  readonly operations: Map<string, Operation>;
  readonly kept: Kept<Operation>;
  readonly mask: (error: unknown) => GraphQLError;
  readonly onDelivered: OnDelivered | undefined;
  /** Executes the event for one subscriber, or (if it is `shared`) on behalf of all who are not set apart. */
  run(args: ExecutionArgs, caller: Caller | null, event: object, shared: boolean): Promise<Executed>;
}

/** A subscriber's events become results: one at a time, in their order. */
export class Subscriber extends Stage<object, SharedResult> implements Subscription {
  readonly #sharing: Sharing;
  readonly #operation: Operation;
  readonly #caller: Caller | null;
  readonly #mark: number;
  /**
   * It waits for the execution of an event, which is not kept here: to each subscription, an old object, such a reference is
   * one more that is looked at when young ones are collected.
   */
  #executing = false;
  /** What came meanwhile: one may, so that a source that has nothing else need not be told that it may go on. */
  #next: object | null = null;
  /** The sink takes no more for the time being. */
  #full = false;
  #stopped = false;
  /** The source has ended meanwhile. */
  #end: { readonly error: unknown } | null = null;
  #watcher: SubscriptionWatcher | null = null;
  /** When it began. What is replayed from the log is as old as it is, and not counted as late. */
  readonly #since = Date.now() - epoch;

  constructor(source: LiveStream<object>, sharing: Sharing, operation: Operation, caller: Caller | null) {
    super(source);
    this.#sharing = sharing;
    this.#operation = operation;
    this.#caller = caller;
    this.#mark = markOf(caller?.actor.id ?? '');
  }

  take(event: object): boolean {
    if (!this.#executing && !this.#full) return this.#accept(event);
    this.#next = event;
    return false;
  }

  /** What it waits for is there. */
  settle(event: object, executed: Executed, shown: Shown, own: boolean): void {
    this.#executing = false;
    if (this.#stopped) return;
    this.#full = !this.#show(event, executed, shown, own);
    this.#proceed();
  }

  override done(error?: unknown): void {
    this.#end = { error };
    this.#proceed();
  }

  override resume(): void {
    this.#full = false;
    // The source may be waiting for it, or for what is being executed.
    if (this.#next !== null || this.#end) this.#proceed();
    else this.source.resume();
  }

  /** @returns whether one more may come. */
  #accept(event: object): boolean {
    const shown = this.#find(event) ?? this.#begin(event);
    if (shown.executed) this.#full = !this.#show(event, shown.executed, shown);
    else {
      this.#executing = true;
      shown.waiting.push({ subscriber: this, event });
    }
    return !this.#full;
  }

  /** Goes on with what came meanwhile, unless it still has to wait. */
  #proceed(): void {
    if (this.#executing || this.#stopped) return;
    if (this.#next !== null) {
      if (this.#full) return;
      const event = this.#next;
      this.#next = null;
      if (!this.#accept(event)) return;
      this.source.resume();
      this.#proceed();
    } else if (this.#end) this.#finish(this.#end.error);
  }

  override stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.sink = null;
    const { operations } = this.#sharing;
    const operation = this.#operation;
    operation.subscribers--;
    if (operation.subscribers === 0 && operations.get(operation.key) === operation) operations.delete(operation.key);
    this.source.stop();
    this.#watcher?.ended();
  }

  watch(watcher: SubscriptionWatcher): void {
    this.#watcher = watcher;
  }

  async recheck(): Promise<readonly GraphQLError[] | null> {
    const contextValue = createContext(this.#caller);
    // Subscribing is where access is decided: what would be refused now has no right to go on.
    const again = await createSourceEventStream({ ...this.#operation.args, contextValue });
    if (!(Symbol.asyncIterator in again)) return (again.errors ?? []).map(this.#sharing.mask);
    void again[Symbol.asyncIterator]().return?.();
    return null;
  }

  #run(event: object, shared: boolean): Promise<Executed> {
    return this.#sharing.run(this.#operation.args, this.#caller, event, shared);
  }

  /** @returns whether more may come. */
  #show(event: object, executed: Executed, shown: Shown, own = false): boolean {
    // What failed for one viewer (who has just been removed, say) need not fail for another.
    if ((executed.failed && !own) || (executed.setApart !== null && this.#isAmong(executed.setApart))) {
      this.#executing = true;
      void this.#run(event, false).then((again) => this.settle(event, again, { ...shown, result: null }, true));
      return true;
    }
    if (executed.fault) {
      // No event is passed over: the subscription ends with the fault, and is resumed after the last event before it.
      this.#finish(executed.fault);
      return false;
    }
    if (shown.result === null && isOfManyRooms(event)) {
      return this.#deliver(toResult(executed.json.replaceAll(cursorPlaceholder, event.cursor), event));
    }
    shown.result ??= toResult(executed.json, event);
    return this.#deliver(shown.result);
  }

  #isAmong(actors: SetApart): boolean {
    return actors.marks.includes(this.#mark) && actors.ids.has(this.#caller?.actor.id ?? '');
  }

  #deliver(result: SharedResult): boolean {
    const more = this.give(result);
    const { sentAt } = result;
    if (sentAt !== null && sentAt - epoch >= this.#since) this.#sharing.onDelivered?.(sentAt);
    return more;
  }

  #finish(error: unknown): void {
    const sink = this.sink;
    this.stop();
    if (error !== undefined) sink?.take(resultOf({ errors: [this.#sharing.mask(error)] }));
    sink?.done();
  }

  #find(event: object): Shown | undefined {
    const { last, byVersion, byEvent } = this.#operation;
    if (last?.event === event) return last.shown;
    const key = versionKey(this.#operation, event);
    const shown = key === null ? byEvent.get(event) : byVersion.get(key);
    if (shown) this.#operation.last = { event, shown };
    return shown;
  }

  #begin(event: object): Shown {
    const shown: Shown = { executed: null, result: null, waiting: [] };
    const operation = this.#operation;
    operation.last = { event, shown };
    const key = versionKey(operation, event);
    if (key === null) operation.byEvent.set(event, shown);
    else operation.byVersion.set(key, shown);
    const { kept } = this.#sharing;
    // The cursor of one room is the same for everybody; that of a stream over many rooms is the subscriber's own.
    const common = isOfManyRooms(event) ? { ...event, cursor: cursorPlaceholder } : event;
    void this.#run(common, true).then((executed) => {
      shown.executed = executed;
      if (key !== null) kept.add(operation, key, executed.json.length);
      for (const [index, { subscriber, event: its }] of shown.waiting.splice(0).entries()) {
        try {
          subscriber.settle(its, executed, shown, index === 0);
        } catch (error) {
          // The others are to get it all the same.
          subscriber.done(error);
        }
      }
    });
    return shown;
  }
}
