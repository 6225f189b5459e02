import {
  type DocumentNode,
  type ExecutionArgs,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  print,
  visit,
} from 'graphql';
import type { Context } from './context.ts';
import { dependsOnViewer, otherMessagesIn } from './viewerDependent.ts';

/** Of a document there may be several operations, and a variable of one is not that of another. */
const operations = new WeakMap<
  OperationDefinitionNode,
  {
    text: string;
    viewerDependent: boolean;
    otherMessages: ReturnType<typeof otherMessagesIn>;
    positions: ReadonlySet<string>;
  }
>();

/**
 * What makes two subscriptions the same: tenant, document, operation and variables, and the viewer where a selected
 * field depends on it. Where a subscriber starts is its own affair: a variable that is only that does not count.
 */
export function operationKey(args: ExecutionArgs): string {
  const known = knownOf(args);
  const { caller } = args.contextValue as Context;
  const variables = Object.entries(args.variableValues ?? {})
    .filter(([name]) => !known.positions.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const viewer = known.viewerDependent ? caller?.actor.id : null;
  return JSON.stringify([caller?.actor.tenantId, viewer, args.operationName ?? null, variables, known.text]);
}

/** Which other messages than that of an event it shows. */
export function otherMessagesOf(args: ExecutionArgs): ReturnType<typeof otherMessagesIn> {
  return knownOf(args).otherMessages;
}

function knownOf(args: ExecutionArgs) {
  const { document, schema } = args;
  const operation = getOperationAST(document, args.operationName);
  let known = operation && operations.get(operation);
  if (!known) {
    known = {
      text: print(document),
      viewerDependent: dependsOnViewer(schema, document),
      otherMessages: otherMessagesIn(schema, document),
      positions: startVariables(document, operation),
    };
    if (operation) operations.set(operation, known);
  }
  return known;
}

/** The variables that are used once, in the operation or in any fragment, as the `after` of the subscription's own field. */
function startVariables(
  document: DocumentNode,
  operation: OperationDefinitionNode | null | undefined,
): ReadonlySet<string> {
  const uses = new Map<string, number>();
  const own = document.definitions.filter((node) => node === operation || node.kind === Kind.FRAGMENT_DEFINITION);
  visit(
    { ...document, definitions: own },
    {
      VariableDefinition: () => false,
      Variable: (node) => {
        uses.set(node.name.value, (uses.get(node.name.value) ?? 0) + 1);
      },
    },
  );
  const root = operation?.selectionSet.selections.find((selection) => selection.kind === Kind.FIELD);
  const after =
    root?.kind === Kind.FIELD ? root.arguments?.find((argument) => argument.name.value === 'after') : undefined;
  const name = after?.value.kind === Kind.VARIABLE ? after.value.name.value : undefined;
  return new Set(name !== undefined && uses.get(name) === 1 ? [name] : []);
}
