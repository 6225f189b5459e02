import { printSchemaWithDirectives } from '@graphql-tools/utils';
import { type GraphQLSchema, lexicographicSortSchema, specifiedDirectives } from 'graphql';
import './scalars.ts';
import './errors.ts';
import '../domains/identity/identity.graphql.ts';
import '../domains/identity/renewal.graphql.ts';
import '../domains/identity/entitlements.graphql.ts';
import '../domains/identity/tenant.graphql.ts';
import '../domains/identity/roles.graphql.ts';
import '../domains/rooms/rooms.graphql.ts';
import '../domains/rooms/roomMutations.graphql.ts';
import '../domains/messages/messages.graphql.ts';
import '../domains/messages/messageMutations.graphql.ts';
import '../domains/messages/messageEvents.graphql.ts';
import '../domains/reading/reading.graphql.ts';
import '../domains/reading/roomEvents.graphql.ts';
import '../domains/presence/presence.graphql.ts';
import '../domains/presence/typing.graphql.ts';
import '../domains/governance/audit.graphql.ts';
import '../domains/governance/purge.graphql.ts';
import '../domains/governance/removal.graphql.ts';
import '../domains/governance/policies.graphql.ts';
import { authDirectives } from './auth.ts';
import { builder } from './builder.ts';

/** The whole API. The imports above list the domains; each adds its types and fields to the builder. */
export const schema: GraphQLSchema = builder.toSchema({ directives: [...specifiedDirectives, ...authDirectives] });

/** The schema as `schema.graphql` has it: sorted, with its directives. */
export function printSchema(): string {
  return `${printSchemaWithDirectives(lexicographicSortSchema(schema))}\n`;
}
