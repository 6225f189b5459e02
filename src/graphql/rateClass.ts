import {
  type DocumentNode,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  getOperationAST,
  Kind,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Asked } from './operationLimits.ts';

/** What is counted together: each has a limit of its own. */
export type RateClass = 'query' | 'mutation' | 'subscription' | 'send';

/** The extension of a mutation that is counted as a send: it costs a write, and a delivery to everybody in the room. */
export const countsAsSend = { rateClass: 'send' } as const;

const knownCounts = new WeakMap<OperationDefinitionNode, ReadonlyMap<RateClass, number>>();

/**
 * How many of each an operation asks for: every root field counts, under whatever alias and in whatever fragment, also
 * where `@skip` would leave it out.
 */
export function countRootFields({ schema, document, operationName }: Asked): ReadonlyMap<RateClass, number> {
  const operation = getOperationAST(document, operationName);
  if (!operation) return new Map();
  const known = knownCounts.get(operation) ?? countIn(schema, document, operation);
  knownCounts.set(operation, known);
  return known;
}

function countIn(
  schema: GraphQLSchema,
  document: DocumentNode,
  operation: OperationDefinitionNode,
): ReadonlyMap<RateClass, number> {
  const counts = new Map<RateClass, number>();
  const type = schema.getRootType(operation.operation);
  if (!type) return counts;
  const fragments = new Map<string, FragmentDefinitionNode>();
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
  }
  const fields = type.getFields();
  const visit = ({ selections }: SelectionSetNode) => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const isSend = fields[selection.name.value]?.extensions.rateClass === countsAsSend.rateClass;
        const rateClass = isSend ? countsAsSend.rateClass : operation.operation;
        counts.set(rateClass, (counts.get(rateClass) ?? 0) + 1);
      } else {
        const inner = selection.kind === Kind.INLINE_FRAGMENT ? selection : fragments.get(selection.name.value);
        if (inner) visit(inner.selectionSet);
      }
    }
  };
  visit(operation.selectionSet);
  return counts;
}
