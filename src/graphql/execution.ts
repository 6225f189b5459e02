import {
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLSchema,
  getOperationAST,
  type OperationDefinitionNode,
  OperationTypeNode,
} from 'graphql';
import { TroubleError } from '../kernel/errors.ts';
import { type CompiledOperation, compileOperation, conditionsOf, Uncompilable } from './compile.ts';
import { coerceVariables } from './variables.ts';

export type Execute = (args: ExecutionArgs) => Promise<ExecutionResult>;

/** How often an operation is executed before it is compiled: one that does not come again is not worth it. */
const usesBefore = 1;
/** Of one operation, with other values for `@skip` and `@include`. */
const mostVariants = 16;
/** Fields of all that is kept compiled, of which each takes about half a kilobyte: fragments make many of a short text. */
const mostFields = 100_000;

/** What is known of an operation. It goes with its document. */
interface Known {
  uses: number;
  /** The variables that decide which fields are asked for. */
  readonly conditions: readonly string[];
  readonly variants: Map<string, CompiledOperation>;
  /** It cannot be compiled. */
  never: boolean;
}

/** One of the variants of an operation. The document is not held by it. */
interface Made {
  readonly of: WeakRef<Known>;
  readonly variant: string;
  fields: number;
}

/**
 * Executes queries and mutations, and subscriptions for one of their events. Queries and events that come again are
 * compiled, which gives the same data sooner; where anything is wrong with it, it is executed once more, by graphql-js,
 * whose errors are the ones that count, unless there is trouble with what it works on. Mutations, which cannot be done twice, are always executed by graphql-js.
 *
 * Documents have to be the same node for the same text, as graphql/documents.ts gives them.
 * @param options.onCompile called when an operation is compiled.
 * @param options.onGivenUp called when what was compiled could not say what there is to say.
 */
export function createExecute(
  schema: GraphQLSchema,
  options: { readonly onCompile?: () => void; readonly onGivenUp?: (reason: unknown) => void } = {},
): Execute {
  const { onCompile, onGivenUp } = options;
  const known = new WeakMap<OperationDefinitionNode, Known>();
  /** The oldest first. */
  const allMade = new Set<Made>();
  let fields = 0;

  /** What is dropped and comes again is compiled again, which takes less than parsing it. */
  function dropOldest(): void {
    for (const made of allMade) {
      if (fields <= mostFields) return;
      made.of.deref()?.variants.delete(made.variant);
      fields -= made.fields;
      allMade.delete(made);
    }
  }

  function compiledOf({ document }: ExecutionArgs, operation: OperationDefinitionNode, variables: Values) {
    let entry = known.get(operation);
    if (!entry) {
      entry = { uses: 0, conditions: conditionsOf(document), variants: new Map(), never: false };
      known.set(operation, entry);
    }
    entry.uses++;
    const { uses, conditions, variants, never } = entry;
    if (never || uses <= usesBefore || !conditions.every((name) => typeof variables[name] === 'boolean')) return null;
    const variant = conditions.map((name) => variables[name]).join();
    const compiled = variants.get(variant);
    if (compiled || variants.size >= mostVariants) return compiled ?? null;
    const made: Made = { of: new WeakRef(entry), variant, fields: 0 };
    allMade.add(made);
    const run = compileOperation(schema, document, operation, variables, () => {
      // What was dropped may still be under way.
      if (!allMade.has(made)) return;
      made.fields++;
      fields++;
    });
    onCompile?.();
    variants.set(variant, run);
    dropOldest();
    return run;
  }

  return async (args) => {
    const operation = getOperationAST(args.document, args.operationName);
    if (!operation || operation.operation === OperationTypeNode.MUTATION) return execute(args);
    try {
      const { coerced } = coerceVariables(args, operation);
      const run = coerced && compiledOf(args, operation, coerced);
      if (run) return { data: await run(args.rootValue, args.contextValue, coerced) };
    } catch (error) {
      // What the database cannot answer, or not in time, is not asked for again: that would double the trouble.
      if (error instanceof TroubleError) {
        return { data: null, errors: [new GraphQLError(error.message, { originalError: error })] };
      }
      onGivenUp?.(error);
      const entry = known.get(operation);
      if (entry && error instanceof Uncompilable) entry.never = true;
    }
    return execute(args);
  };
}

type Values = Record<string, unknown>;
