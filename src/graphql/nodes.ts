import { brandWithType } from '@pothos/core';
import type { NodeType } from '../kernel/ids.ts';
import type { Context } from './context.ts';

/** Finds one node of a type as the viewer may see it: null for what is not there, not the viewer's, or another tenant's. */
export type NodeResolver = (context: Context, id: string) => Promise<object | null>;

const resolvers = new Map<NodeType, NodeResolver>();

/** Each domain registers its node types: the policy's word on who sees a node by its id stands there. */
export function registerNode(type: NodeType, resolver: NodeResolver): void {
  resolvers.set(type, resolver);
}

export async function resolveNode(context: Context, id: { typename: string; id: string }): Promise<object | null> {
  const type = id.typename as NodeType;
  const node = await resolvers.get(type)?.(context, id.id);
  if (!node) return null;
  brandWithType(node, type as never);
  return node;
}

export function resolveNodes(context: Context, ids: readonly { typename: string; id: string }[]) {
  return ids.map((id) => resolveNode(context, id));
}
