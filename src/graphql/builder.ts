import SchemaBuilder from '@pothos/core';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import type PrismaTypes from '../db/generated/pothos.ts';
import { getDatamodel } from '../db/generated/pothos.ts';
import { identityRules } from '../domains/identity/identity.rules.ts';
import { ValidationError } from '../kernel/errors.ts';
import { decodeId, encodeId, type NodeType } from '../kernel/ids.ts';
import './auth.ts';
import { type Context, callerOf } from './context.ts';
import './relayFields.ts';
import { resolveNode, resolveNodes } from './nodes.ts';

const maxNodes = 100;

/** The one builder of the schema. Everything that it makes needs a description: GraphiQL is the manual. */
export const builder = new SchemaBuilder<{
  Context: Context;
  PrismaTypes: PrismaTypes;
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
  };
}>({
  defaultFieldNullability: false,
  // Outermost first: a refusal of the auth plugin is seen by the errors plugin.
  plugins: [ErrorsPlugin, 'auth', 'relayFields', RelayPlugin, PrismaPlugin],
  prisma: {
    client: (context) => callerOf(context).db.prisma,
    dmmf: getDatamodel(),
    onUnusedQuery: null,
  },
  errors: {
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
      description: 'The payload of the mutation, or what kept it from being done: then nothing was written.',
    },
  },
  relay: {
    clientMutationId: 'omit',
    cursorType: 'String',
    nodesOnConnection: { description: 'The nodes of the page, in the order of its edges.' },
    encodeGlobalID: (type, id) => encodeId(type as NodeType, String(id)),
    decodeGlobalID: (id) => {
      const decoded = decodeId(id);
      if (!decoded) throw new ValidationError('id', 'not an id');
      return { typename: decoded.type, id: decoded.uuid };
    },
    idFieldOptions: { description: 'Prefixed by its type, sortable by creation, the same for good.' },
    nodeTypeOptions: { description: 'Whatever has an id.' },
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    hasNextPageFieldOptions: { description: 'Whether there is more after the page.' },
    hasPreviousPageFieldOptions: { description: 'Whether there is more before the page.' },
    startCursorFieldOptions: { description: 'The cursor of the first edge; null for an empty page.' },
    endCursorFieldOptions: { description: 'The cursor of the last edge; null for an empty page.' },
    firstArgOptions: { description: 'How many from the start, or after `after`: 1 to 100, 50 where omitted.' },
    lastArgOptions: { description: 'How many from the end, or before `before`: 1 to 100. Not together with `first`.' },
    afterArgOptions: { description: 'Only what comes after this cursor.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
    cursorFieldOptions: { description: 'Where this edge stands; opaque, and valid for as long as the list exists.' },
    nodeFieldOptions: { description: 'The node itself.' },
    edgesFieldOptions: { description: 'The nodes of the page with their cursors.' },
    pageInfoFieldOptions: { description: 'Where the page stands in the list.' },
    mutationInputArgOptions: { description: 'Everything that the mutation takes.' },
    nodeQueryOptions: {
      description: 'Anything by its id; null if it does not exist, or not for the viewer.',
      access: identityRules.node,
      args: { id: { description: 'The id of the node.' } },
      resolve: (_root, { id }, context) => resolveNode(context, id),
    },
    nodesQueryOptions: {
      description: `Up to ${maxNodes} nodes by their ids, in that order; null where \`node\` gives null.`,
      access: identityRules.node,
      args: { ids: { description: 'The ids of the nodes.' } },
      resolve: (_root, { ids }, context) => {
        if (ids.length > maxNodes) throw new ValidationError('ids', `must not be more than ${maxNodes}`);
        return resolveNodes(context, ids);
      },
    },
  },
});

builder.queryType({ description: 'What can be read.' });
builder.mutationType({
  description: 'What can be done. Each mutation takes one input and is done whole or not at all.',
});
builder.subscriptionType({
  description: 'What can be followed live, over WebSocket (graphql-ws) or server-sent events.',
});
