import { createSourceEventStream, type ExecutionArgs, type ExecutionResult, type GraphQLError } from 'graphql';
import type { Caller } from '../domains/caller.ts';
import { type LiveStream, toLive } from '../events/stream.ts';
import { type Context, createContext } from './context.ts';
import { isFault } from './errors.ts';
import type { Execute } from './execution.ts';
import { createKept } from './keptResults.ts';
import { operationKey, otherMessagesOf } from './operationKey.ts';
import { type Executed, markOf, type Operation } from './sharedResults.ts';
import { type OnDelivered, type Sharing, Subscriber, type Subscription } from './subscriber.ts';

export interface SharedExecution {
  /**
   * Runs a subscription: the events come from the field's own stream, whose access is decided for this subscriber; what
   * is made of an event is shared between subscribers of the same operation.
   */
  subscribe(args: ExecutionArgs): Promise<Subscription | ExecutionResult>;
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
      const setApart = actors?.size ? { ids: actors, marks: [...actors].map(markOf) } : null;
      return { json, failed: errors !== undefined, fault, setApart };
    } catch (error) {
      return { json: '', failed: true, fault: mask(error), setApart: null };
    }
  }

  const kept = createKept<Operation>((operation, key) => {
    if (operation.last?.shown === operation.byVersion.get(key)) operation.last = null;
    operation.byVersion.delete(key);
  });
  const sharing: Sharing = { operations, kept, mask, onDelivered, run };

  function enter(args: ExecutionArgs): Operation {
    const key = operationKey(args);
    let operation = operations.get(key);
    if (!operation) {
      const { schema, document, operationName, variableValues } = args;
      const common = { schema, document, operationName, variableValues };
      const otherMessages = otherMessagesOf(args);
      const results = { last: null, byVersion: new Map(), byEvent: new WeakMap() };
      operation = { key, args: common, otherMessages, subscribers: 0, ...results };
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
