import { type DocumentNode, getOperationAST } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { Context } from '../graphql/context.ts';
import type { SubscriptionWatcher } from '../graphql/subscriber.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Origin } from '../kernel/origin.ts';
import type { OperationContext } from './admission.ts';

/** An operation that was asked for, whatever came of it. */
export interface Operation {
  readonly kind: 'query' | 'mutation' | 'subscription' | 'unknown';
  /** As its author named it; null for none. */
  readonly name: string | null;
  readonly asker: Asker;
  /** As `performance.now()` says. */
  readonly startedAt: number;
}

/** Who asked, where it came from, and how it went. */
export interface Asker {
  readonly origin: Origin | null;
  readonly actor: Pick<Actor, 'id' | 'tenantId'> | null;
  readonly connectionId: string | null;
  /** What its mutations were refused for, as data; absent where none was begun. */
  readonly refusals?: readonly string[];
}

/** @param context of an operation; of one that was refused early it has no caller yet. */
export function askerOf(context: Partial<OperationContext>): Asker {
  const { origin = null, caller, connectionId = null, refusals = [] } = context;
  return { origin, actor: caller?.actor ?? null, connectionId, refusals };
}

/** One line for each operation, and one for each end of a subscription. Never variables, texts or tokens. */
export interface OperationLog {
  /**
   * @param codes of its errors at the top level; those that are data are known from the asker.
   * @param endedAt absent: just now.
   */
  finished(operation: Operation, codes: readonly string[], endedAt?: number): void;
  /** A subscription stands. @returns who has to be told when it ends. */
  opened(operation: Operation): SubscriptionWatcher;
}

/** @param onFinished told of the same, for metrics. */
export function createOperationLog(
  log: Logger,
  onFinished: (operation: Operation, milliseconds: number, failed: boolean) => void,
  onOpened: () => () => void,
): OperationLog {
  const line = ({ kind, name, asker, startedAt }: Operation, endedAt = performance.now()) => ({
    requestId: asker.origin?.requestId,
    tenant: asker.actor?.tenantId,
    user: asker.actor?.id,
    connection: asker.connectionId ?? undefined,
    operation: kind,
    name: name?.slice(0, 100),
    durationMs: Math.round((endedAt - startedAt) * 10) / 10,
  });
  const told = (operation: Operation) => log.info(line(operation), 'subscription ended');
  return {
    finished(operation, codes, endedAt) {
      const entry = line(operation, endedAt);
      log.info({ ...entry, outcome: outcomeOf(codes, operation.asker.refusals ?? []) }, 'operation');
      onFinished(operation, entry.durationMs, codes.length > 0);
    },
    opened(operation) {
      log.info(line(operation), 'subscription opened');
      return new OpenSubscription(operation, onOpened(), told);
    },
  };
}

/** What the last line of a subscription needs; of the request nothing else is kept. */
class OpenSubscription implements SubscriptionWatcher, Operation, Asker {
  readonly name: string | null;
  readonly origin: Origin | null;
  readonly actor: Asker['actor'];
  readonly connectionId: string | null;
  readonly startedAt: number;
  readonly #closed: () => void;
  readonly #told: (operation: Operation) => void;

  constructor({ name, asker, startedAt }: Operation, closed: () => void, told: (operation: Operation) => void) {
    this.name = name;
    this.origin = asker.origin;
    this.actor = asker.actor;
    this.connectionId = asker.connectionId;
    this.startedAt = startedAt;
    this.#closed = closed;
    this.#told = told;
  }

  get kind() {
    return 'subscription' as const;
  }

  get asker(): Asker {
    return this;
  }

  ended(): void {
    this.#closed();
    this.#told(this);
  }
}

function outcomeOf(codes: readonly string[], refusals: readonly string[]): 'ok' | string[] {
  if (codes.length === 0 && refusals.length === 0) return 'ok';
  return [...new Set([...codes, ...refusals])].slice(0, 10);
}

/** @param document null where there is none, as the text could not be parsed. */
export function operationOf(
  document: DocumentNode | null,
  operationName: string | null | undefined,
  asker: Asker,
  startedAt: number,
): Operation {
  const definition = document && getOperationAST(document, operationName);
  return { kind: definition?.operation ?? 'unknown', name: definition?.name?.value ?? null, asker, startedAt };
}

/** The codes of a result's errors. */
export function codesOf(result: object): string[] {
  const errors: unknown = Reflect.get(result, 'errors');
  if (!Array.isArray(errors)) return [];
  return errors.map((error: { extensions?: { code?: unknown } }) => String(error.extensions?.code ?? 'UNKNOWN'));
}

/** Operations over HTTP. A subscription that stands is told of by who runs it. */
export function useOperationLog(operations: OperationLog): Plugin<Context> {
  const started = new WeakMap<object, number>();
  const documents = new WeakMap<object, DocumentNode>();
  return {
    onParams({ context }) {
      started.set(context, performance.now());
    },
    onParse({ context }) {
      return ({ result }) => {
        if (result && !(result instanceof Error)) documents.set(context, result as DocumentNode);
      };
    },
    onExecutionResult({ context, result }) {
      if (!result || Array.isArray(result) || Symbol.asyncIterator in result) return;
      const own = context as Partial<OperationContext> & { params?: { operationName?: string | null } };
      const startedAt = started.get(context) ?? performance.now();
      const operation = operationOf(documents.get(context) ?? null, own.params?.operationName, askerOf(own), startedAt);
      operations.finished(operation, codesOf(result));
    },
  };
}
