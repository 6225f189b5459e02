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
import { dependsOnViewer } from './viewerDependent.ts';

const documents = new WeakMap<DocumentNode, { readonly text: string; readonly viewerDependent: boolean }>();
/** Operations of one document may give the same name to different variables. */
const startsByOperation = new WeakMap<OperationDefinitionNode, ReadonlySet<string>>();

/**
 * What makes two subscriptions the same: tenant, document, operation and variables, and the viewer where a selected
 * field depends on it. Where a subscriber starts is its own affair: a variable that is only that does not count.
 */
export function operationKey(args: ExecutionArgs): string {
  const { document, schema } = args;
  let known = documents.get(document);
  if (!known) {
    known = { text: print(document), viewerDependent: dependsOnViewer(schema, document) };
    documents.set(document, known);
  }
  const { caller } = args.contextValue as Context;
  const starts = startsOf(document, args.operationName);
  const variables = Object.entries(args.variableValues ?? {})
    .filter(([name]) => !starts.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const viewer = known.viewerDependent ? caller?.actor.id : null;
  return JSON.stringify([caller?.actor.tenantId, viewer, args.operationName ?? null, variables, known.text]);
}

function startsOf(document: DocumentNode, operationName: string | null | undefined): ReadonlySet<string> {
  const operation = getOperationAST(document, operationName);
  if (!operation) return new Set();
  let starts = startsByOperation.get(operation);
  if (!starts) {
    starts = startVariables(document, operation);
    startsByOperation.set(operation, starts);
  }
  return starts;
}

/** The variables that are used once, in the operation or in any fragment, as the `after` of the subscription's own field. */
function startVariables(document: DocumentNode, operation: OperationDefinitionNode): ReadonlySet<string> {
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
  const root = operation.selectionSet.selections.find((selection) => selection.kind === Kind.FIELD);
  const after =
    root?.kind === Kind.FIELD ? root.arguments?.find((argument) => argument.name.value === 'after') : undefined;
  const name = after?.value.kind === Kind.VARIABLE ? after.value.name.value : undefined;
  return new Set(name !== undefined && uses.get(name) === 1 ? [name] : []);
}
