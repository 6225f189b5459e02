import { type DocumentNode, type ExecutionArgs, getOperationAST, Kind, print, visit } from 'graphql';
import type { Context } from './context.ts';
import { dependsOnViewer } from './viewerDependent.ts';

const documents = new WeakMap<
  DocumentNode,
  { text: string; viewerDependent: boolean; positions: ReadonlySet<string> }
>();

/**
 * What makes two subscriptions the same: tenant, document, operation and variables, and the viewer where a selected
 * field depends on it. Where a subscriber starts is its own affair: a variable that is only that does not count.
 */
export function operationKey(args: ExecutionArgs): string {
  let known = documents.get(args.document);
  if (!known) {
    const { document, schema } = args;
    known = {
      text: print(document),
      viewerDependent: dependsOnViewer(schema, document),
      positions: startVariables(document, args.operationName),
    };
    documents.set(document, known);
  }
  const { caller } = args.contextValue as Context;
  const variables = Object.entries(args.variableValues ?? {})
    .filter(([name]) => !known.positions.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const viewer = known.viewerDependent ? caller?.actor.id : null;
  return JSON.stringify([caller?.actor.tenantId, viewer, args.operationName ?? null, variables, known.text]);
}

/** The variables that are used once in the document, as the `after` of the subscription's own field. */
function startVariables(document: DocumentNode, operationName: string | null | undefined): ReadonlySet<string> {
  const uses = new Map<string, number>();
  visit(document, {
    VariableDefinition: (node) => {
      uses.set(node.variable.name.value, -1);
    },
    Variable: (node) => {
      uses.set(node.name.value, (uses.get(node.name.value) ?? 0) + 1);
    },
  });
  const operation = getOperationAST(document, operationName);
  const root = operation?.selectionSet.selections.find((selection) => selection.kind === Kind.FIELD);
  const after =
    root?.kind === Kind.FIELD ? root.arguments?.find((argument) => argument.name.value === 'after') : undefined;
  const name = after?.value.kind === Kind.VARIABLE ? after.value.name.value : undefined;
  return new Set(name !== undefined && uses.get(name) === 1 ? [name] : []);
}
