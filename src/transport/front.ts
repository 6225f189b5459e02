import type { DocumentNode, ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql';
import type { Plugin } from 'graphql-yoga';
import type { RequestConfig } from '../config.ts';
import type { Context } from '../graphql/context.ts';
import { createDocuments } from '../graphql/documents.ts';
import { withoutHttp } from '../graphql/errors.ts';
import { createExecute } from '../graphql/execution.ts';
import { limitRules } from '../graphql/operationLimits.ts';
import { schema } from '../graphql/schema.ts';
import type { SharedExecution } from '../graphql/sharedExecution.ts';
import type { Logger } from '../kernel/logger.ts';
import { createAdmission, type OperationContext } from './admission.ts';
import { guardExecution, type RatesByRequest, rateHeaders, useGuards } from './guarding.ts';
import type { Metrics } from './metrics.ts';
import { type Asker, askerOf, codesOf, createOperationLog, operationOf, useOperationLog } from './operationLog.ts';
import {
  type OperationParams,
  type PersistedOperations,
  queryOf,
  textOf,
  useRegistered,
} from './persistedOperations.ts';
import type { RateLimits } from './rateLimits.ts';
import { type FrameAncestors, usePagePolicy, useRequestChecks } from './requestChecks.ts';
import { guardSubscriptions } from './subscriptions.ts';

/** What stands before the execution of operations, the same for every transport: limits, log and metrics. */
export interface Front {
  /** For yoga, which answers what HTTP brings. */
  readonly plugins: readonly Plugin<Context>[];
  readonly subscriptions: SharedExecution;
  readonly mask: (error: unknown) => GraphQLError;
  readonly onSocket: {
    /** The document that an operation brings, or names by its hash. @returns the errors as the client gets them. */
    documentOf(params: OperationParams & Pick<ExecutionArgs, 'operationName'>, asked: Asked): Read;
    execute(args: ExecutionArgs): Promise<ExecutionResult>;
    /** A subscription that does not stand. */
    notOpened(args: ExecutionArgs, result: ExecutionResult): ExecutionResult;
  };
  readonly overHttp: {
    /**
     * The document that a request brings, or names by its hash, if it was found valid lately. Null for all others, also
     * those that are to be refused.
     */
    documentOf(params: OperationParams): DocumentNode | null;
    /** @returns the result with masked errors, and the headers that say where the caller stands. */
    execute(args: ExecutionArgs): Promise<Executed>;
    /**
     * For log and metrics. To be called when the answer is on its way, so that the client does not wait for it.
     * @param endedAt when it had been executed.
     */
    answered(args: ExecutionArgs, result: ExecutionResult, startedAt: number, endedAt: number): void;
  };
}

export interface Executed {
  readonly result: ExecutionResult;
  readonly rateHeaders: readonly (readonly [string, string])[];
}

/** Who asked for an operation that is still to be read, and when. */
interface Asked {
  readonly asker: Asker;
  readonly startedAt: number;
}

type Read = { readonly document: DocumentNode } | { readonly errors: readonly GraphQLError[] };

export function createFront(deps: {
  requests: RequestConfig;
  persisted: PersistedOperations;
  rateLimits: RateLimits;
  subscriptions: SharedExecution;
  mask: (error: unknown) => GraphQLError;
  metrics: Metrics;
  log: Logger;
  frameAncestors: FrameAncestors;
}): Front {
  const { requests, persisted, rateLimits, subscriptions, mask, metrics, log, frameAncestors } = deps;
  const { operation: limits, introspection } = requests;
  const documents = createDocuments(schema, limitRules(limits, introspection), limits.tokens);
  const rates: RatesByRequest = new WeakMap();
  const admission = createAdmission(requests.operation, rateLimits, (context, rate) => {
    rates.set(context.request ?? context, rate);
    if (rate.retryAfter !== null) metrics.rateLimited();
  });
  const execute = guardExecution({ requests, admission, mask, execute: createExecute(schema) });
  const operations = createOperationLog(log, metrics.operationFinished(persisted.names), metrics.subscriptionOpened);

  function tell(args: ExecutionArgs, result: ExecutionResult, startedAt: number, endedAt = performance.now()): void {
    const asker = askerOf(args.contextValue as OperationContext);
    operations.finished(operationOf(args.document, args.operationName, asker, startedAt), codesOf(result), endedAt);
  }

  function finish(args: ExecutionArgs, result: ExecutionResult, startedAt: number): ExecutionResult {
    tell(args, result, startedAt);
    return result.errors ? { ...result, errors: result.errors.map(withoutHttp) } : result;
  }

  return {
    mask,
    plugins: [
      useOperationLog(operations),
      useRequestChecks(),
      usePagePolicy(frameAncestors),
      useRegistered(persisted, requests.persistedOnly),
      useGuards({ documents, mask, execute, rates }),
    ],
    subscriptions: guardSubscriptions(subscriptions, { admission, mask, operations }),
    onSocket: {
      documentOf(params, { asker, startedAt }) {
        const refused = (errors: readonly unknown[], document: DocumentNode | null) => {
          const masked = errors.map(mask).map(withoutHttp);
          const operation = operationOf(document, params.operationName, asker, startedAt);
          operations.finished(operation, codesOf({ errors: masked }));
          return { errors: masked };
        };
        let document: DocumentNode;
        try {
          document = documents.parse(queryOf(params, persisted, requests.persistedOnly));
        } catch (error) {
          return refused([error], null);
        }
        const errors = documents.validate(document);
        return errors.length > 0 ? refused(errors, document) : { document };
      },
      async execute(args) {
        const startedAt = performance.now();
        return finish(args, await execute(args), startedAt);
      },
      notOpened: (args, result) => finish(args, result, performance.now()),
    },
    overHttp: {
      documentOf(params) {
        const text = textOf(params, persisted, requests.persistedOnly);
        return text === null ? null : documents.findValid(text);
      },
      async execute(args) {
        const result = await execute(args);
        const rate = rates.get(args.contextValue as OperationContext);
        return { result, rateHeaders: rate ? rateHeaders(rate) : [] };
      },
      answered: tell,
    },
  };
}
