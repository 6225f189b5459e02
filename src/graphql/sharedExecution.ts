import { randomUUID } from 'node:crypto';
import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import type { Caller } from '../domains/caller.ts';
import { type LiveStream, Stage, toLive } from '../events/stream.ts';
import { type Context, createContext } from './context.ts';
import { isFault } from './errors.ts';
import type { Execute } from './execution.ts';
import { createKept, type Kept } from './keptResults.ts';
import { operationKey } from './operationKey.ts';

/** What an operation gave for an event, executed and written as JSON once for all who asked the same. */
export interface SharedResult {
  readonly json: string;
  /** The same in UTF-8, one character for each byte: what a socket takes as latin1. */
  readonly bytes: string;
  /** The subscriber was told to resync, and its subscription ends. */
  readonly tooSlow: boolean;
  /** When its message was committed, in milliseconds of the clock; null for other events. */
  readonly sentAt: number | null;
}

/** A subscription that stands. */
export interface Subscription extends LiveStream<SharedResult> {
  /** Calls back once when it ends, from whichever side. To be called before it begins. */
  whenEnded(callback: () => void): void;
  /** Decides again about its access. @returns the errors with which it would be refused now; null where it would stand. */
  recheck(): Promise<readonly GraphQLError[] | null>;
}

export interface SharedExecution {
  /**
   * Runs a subscription: the events come from the field's own stream, whose access is decided for this subscriber; what
   * is made of an event is shared between subscribers of the same operation.
   */
  subscribe(args: ExecutionArgs): Promise<Subscription | ExecutionResult>;
}

/** Milliseconds from a message's commit until it was handed to a subscriber to whom it came live. */
type OnDelivered = (milliseconds: number) => void;

/** Times are counted from here: as small numbers they take no place of their own. */
const epoch = Date.now();

/** Stands for the cursor of an event in a stream over many rooms: that is the subscriber's own, and put in afterwards. */
const cursorPlaceholder = randomUUID();

interface Executed {
  readonly json: string;
  readonly failed: boolean;
  /** A fault of ours, such as a database that is away: the event could not be shown to anybody as it is. */
  readonly fault: GraphQLError | null;
  /** The actors who are shown something else, and for whom it is executed apart; null for nobody. */
  readonly setApart: SetApart | null;
}

interface SetApart {
  readonly ids: ReadonlySet<string>;
  /** What their ids end with: who has another one is none of them, which is known without a look at who it is. */
  readonly marks: ReadonlySet<number>;
}

function markOf(actorId: string): number {
  return Number.parseInt(actorId.slice(-7), 16);
}

/** An event as an operation shows it: executed, or about to be, with those who wait for it in the order in which they came. */
interface Shown {
  executed: Executed | null;
  /** The same for all who get it; null in a stream over many rooms. */
  result: SharedResult | null;
  readonly waiting: Subscriber[];
}

interface Operation {
  readonly key: string;
  /** Of the first subscriber; those of the others differ in who asks and in where they start, which is no matter here. */
  readonly args: ExecutionArgs;
  subscribers: number;
  /** What was last handed to a subscriber, which is most often what the next one gets. */
  last: { readonly event: object; readonly shown: Shown } | null;
  /** By room and version for durable events, by the event itself for others. */
  readonly byVersion: Map<string, Shown>;
  readonly byEvent: WeakMap<object, Shown>;
}

/** What the subscribers of a process have in common. */
interface Sharing {
  readonly operations: Map<string, Operation>;
  readonly kept: Kept<Operation>;
  readonly mask: (error: unknown) => GraphQLError;
  readonly onDelivered: OnDelivered | undefined;
  /** Executes the event for one subscriber, or (if it is `shared`) on behalf of all who are not set apart. */
  run(args: ExecutionArgs, caller: Caller | null, event: object, shared: boolean): Promise<Executed>;
}

/** @returns a result that nobody shares. */
function resultOf(executed: ExecutionResult): SharedResult {
  return toResult(JSON.stringify(executed), {});
}

function toResult(json: string, event: object): SharedResult {
  const { type, reason, message } = Object(event);
  return {
    json,
    bytes: Buffer.byteLength(json) === json.length ? json : Buffer.from(json).toString('latin1'),
    tooSlow: type === 'RESYNC' && reason === 'TOO_SLOW',
    sentAt: type === 'MESSAGE_ADDED' ? message.createdAt.getTime() : null,
  };
}

/** A subscriber's events become results: one at a time, in their order. */
class Subscriber extends Stage<object, SharedResult> implements Subscription {
  readonly #sharing: Sharing;
  readonly #operation: Operation;
  readonly #caller: Caller | null;
  readonly #mark: number;
  /** The event whose execution it waits for. */
  #event: object | null = null;
  /** What came meanwhile: one may, so that a source that has nothing else need not be told that it may go on. */
  #next: object | null = null;
  /** The sink takes no more for the time being. */
  #full = false;
  #stopped = false;
  /** The source has ended meanwhile. */
  #end: { readonly error: unknown } | null = null;
  #onEnded: (() => void) | null = null;
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
    if (this.#event === null && !this.#full) return this.#accept(event);
    this.#next = event;
    return false;
  }

  /** What it waits for is there. @param own executed for this subscriber itself. */
  settle(executed: Executed, shown: Shown, own: boolean): void {
    const event = this.#event;
    this.#event = null;
    if (this.#stopped || event === null) return;
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
      this.#event = event;
      shown.waiting.push(this);
    }
    return !this.#full;
  }

  /** Goes on with what came meanwhile, unless it still has to wait. */
  #proceed(): void {
    if (this.#event !== null || this.#stopped) return;
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
    this.#onEnded?.();
  }

  whenEnded(callback: () => void): void {
    this.#onEnded = callback;
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
      this.#event = event;
      void this.#run(event, false).then((again) => this.settle(again, { ...shown, result: null }, true));
      return true;
    }
    if (executed.fault) {
      // No event is passed over: the subscription ends with the fault, and is resumed after the last event before it.
      this.#finish(executed.fault);
      return false;
    }
    if (!isOfManyRooms(event)) {
      shown.result ??= toResult(executed.json, event);
      return this.#deliver(shown.result);
    }
    return this.#deliver(toResult(executed.json.replaceAll(cursorPlaceholder, event.cursor), event));
  }

  #isAmong(actors: SetApart): boolean {
    return actors.marks.has(this.#mark) && actors.ids.has(this.#caller?.actor.id ?? '');
  }

  #deliver(result: SharedResult): boolean {
    const more = this.give(result);
    const { sentAt } = result;
    if (sentAt !== null && sentAt - epoch >= this.#since) this.#sharing.onDelivered?.(Date.now() - sentAt);
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
    const key = versionKey(event);
    const shown = key === null ? byEvent.get(event) : byVersion.get(key);
    if (shown) this.#operation.last = { event, shown };
    return shown;
  }

  #begin(event: object): Shown {
    const shown: Shown = { executed: null, result: null, waiting: [] };
    const operation = this.#operation;
    operation.last = { event, shown };
    const key = versionKey(event);
    if (key === null) operation.byEvent.set(event, shown);
    else operation.byVersion.set(key, shown);
    const { kept } = this.#sharing;
    // The cursor of one room is the same for everybody; that of a stream over many rooms is the subscriber's own.
    const common = isOfManyRooms(event) ? { ...event, cursor: cursorPlaceholder } : event;
    void this.#run(common, true).then((executed) => {
      shown.executed = executed;
      if (key !== null) kept.add(operation, key, executed.json.length);
      for (const [index, subscriber] of shown.waiting.splice(0).entries()) {
        try {
          subscriber.settle(executed, shown, index === 0);
        } catch (error) {
          // The others are to get it all the same.
          subscriber.done(error);
        }
      }
    });
    return shown;
  }
}

export function createSharedExecution(deps: {
  mask: (error: unknown) => GraphQLError;
  /** Executes a subscription for an event, more than once for one that fails. */
  execute: Execute;
  /** Called for each execution, and each delivery: for metrics. */
  onExecute?: (() => void) | undefined;
  onDelivered?: OnDelivered | undefined;
}): SharedExecution {
  const { mask, execute, onExecute, onDelivered } = deps;
  const operations = new Map<string, Operation>();

  async function run(args: ExecutionArgs, caller: Caller | null, event: object, shared: boolean): Promise<Executed> {
    onExecute?.();
    const actors = shared ? new Set<string>() : null;
    try {
      const contextValue = createContext(caller, null, null, actors);
      const executed = await execute({ ...args, rootValue: event, contextValue });
      const errors = executed.errors?.map(mask);
      const fault = errors?.find(isFault) ?? null;
      const json = JSON.stringify(errors ? { ...executed, errors } : executed);
      const setApart = actors?.size ? { ids: actors, marks: new Set([...actors].map(markOf)) } : null;
      return { json, failed: errors !== undefined, fault, setApart };
    } catch (error) {
      return { json: '', failed: true, fault: mask(error), setApart: null };
    }
  }

  const kept = createKept<Operation>((operation, key) => operation.byVersion.delete(key));
  const sharing: Sharing = { operations, kept, mask, onDelivered, run };

  function enter(args: ExecutionArgs): Operation {
    const key = operationKey(args);
    let operation = operations.get(key);
    if (!operation) {
      const { schema, document, operationName, variableValues } = args;
      const common = { schema, document, operationName, variableValues };
      operation = { key, args: common, subscribers: 0, last: null, byVersion: new Map(), byEvent: new WeakMap() };
      operations.set(key, operation);
    }
    operation.subscribers++;
    return operation;
  }

  return {
    async subscribe(args) {
      const stream = await createSourceEventStream(args);
      if (!(Symbol.asyncIterator in stream)) return { ...stream, errors: stream.errors?.map(mask) ?? [] };
      const { caller } = args.contextValue as Context;
      return new Subscriber(toLive(stream) as LiveStream<object>, sharing, enter(args), caller);
    },
  };
}

function versionKey(event: object): string | null {
  if (!('version' in event && 'roomId' in event)) return null;
  return `${event.roomId}:${event.version}${isOfManyRooms(event) ? ':many' : ''}${messageState(event)}`;
}

/** A replay shows a message as it is by then: what it said before an edit or its deletion must not be given again. */
function messageState(event: object): string {
  if (!('message' in event)) return '';
  const { editedAt, deletedAt } = Object(event.message);
  return `:${Number(editedAt)}:${Number(deletedAt)}`;
}

function isOfManyRooms(event: object): event is { readonly cursor: string } {
  return 'manyRooms' in event && event.manyRooms === true;
}
