import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import { encodeId, isNodeType } from '../kernel/ids.ts';
import { ofSource } from './completion.ts';
import { Connection } from './connections.ts';

declare global {
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      relayFields: RelayFieldsPlugin<Types>;
    }
  }
}

/**
 * Two fields that the relay plugin declares, resolved without its detours. It makes a promise for each `id`, of which a
 * page of messages and their authors has a hundred, and the `nodes` of a connection of its edges, which are wanted less.
 */
class RelayFieldsPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { parentType, name, resolve } = field;
    if (name === 'id' && isNodeType(parentType)) {
      return {
        ...field,
        extensions: { ...field.extensions, ...ofSource },
        resolve: (row) => encodeId(parentType, String(Object(row).id)),
      };
    }
    if (name !== 'nodes' || !parentType.endsWith('Connection')) return field;
    return {
      ...field,
      resolve: (connection, args, context, info) =>
        connection instanceof Connection ? connection.nodes : resolve?.(connection, args, context, info),
    };
  }
}

SchemaBuilder.registerPlugin('relayFields', RelayFieldsPlugin as never);
