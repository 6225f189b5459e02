import type { GraphQLError } from 'graphql';
import type { SharedExecution } from '../graphql/sharedExecution.ts';
import type { Admission, OperationContext } from './admission.ts';
import { askerOf, type OperationLog, operationOf } from './operationLog.ts';

/** Subscriptions are let in like other operations; of those that stand, the beginning and the end are told. */
export function guardSubscriptions(
  subscriptions: SharedExecution,
  deps: { admission: Admission; mask: (error: unknown) => GraphQLError; operations: OperationLog },
): SharedExecution {
  const { admission, mask, operations } = deps;
  return {
    async subscribe(args) {
      const startedAt = performance.now();
      try {
        await admission(args);
      } catch (error) {
        const errors = error instanceof AggregateError ? error.errors : [error];
        return { errors: errors.map(mask) };
      }
      const results = await subscriptions.subscribe(args);
      if (!(Symbol.asyncIterator in results)) return results;
      const asker = askerOf(args.contextValue as OperationContext);
      results.watch(operations.opened(operationOf(args.document, args.operationName, asker, startedAt)));
      return results;
    },
  };
}
