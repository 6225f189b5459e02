import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core';
import { DirectiveLocation, GraphQLDirective, type GraphQLFieldResolver, GraphQLNonNull, GraphQLString } from 'graphql';
import type { GrantsWatcher, TenantRoles } from '../domains/identity/roles.types.ts';
import { type LiveStream, OnceEnded, toLive } from '../events/stream.ts';
import type { Actor } from '../kernel/actor.ts';
import { DomainError, ForbiddenError } from '../kernel/errors.ts';
import { canAnywhere, canInTenant, type Rule } from '../policy/can.ts';
import { isPermission, type Permission, permissions } from '../policy/permissions.ts';
import { type Context, callerOf } from './context.ts';
import { resetLoaders } from './loaders.ts';

/** A field that anybody may ask, without a token. */
export const publicField = 'public';

type Access = Rule | typeof publicField;

declare global {
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      auth: AuthPlugin<Types>;
    }
    interface QueryFieldOptions<
      Types extends SchemaTypes,
      Type extends import('@pothos/core').TypeParam<Types>,
      Nullable extends import('@pothos/core').FieldNullability<Type>,
      Args extends import('@pothos/core').InputFieldMap,
      ResolveReturnShape,
    > {
      access?: Access;
    }
    interface MutationFieldOptions<
      Types extends SchemaTypes,
      Type extends import('@pothos/core').TypeParam<Types>,
      Nullable extends import('@pothos/core').FieldNullability<Type>,
      Args extends import('@pothos/core').InputFieldMap,
      ResolveReturnShape,
    > {
      access?: Access;
    }
    interface SubscriptionFieldOptions<
      Types extends SchemaTypes,
      Type extends import('@pothos/core').TypeParam<Types>,
      Nullable extends import('@pothos/core').FieldNullability<Type>,
      Args extends import('@pothos/core').InputFieldMap,
      ResolveShape,
      ResolveReturnShape,
    > {
      access?: Access;
    }
  }
}

export const authDirectives: readonly GraphQLDirective[] = [
  new GraphQLDirective({
    name: 'auth',
    description:
      'The permission that the field needs, and where it is decided. Without a token the field does not answer.',
    locations: [DirectiveLocation.FIELD_DEFINITION],
    args: {
      permission: {
        type: new GraphQLNonNull(GraphQLString),
        description: 'As `resource:action`; a permission is granted by roles in the tenant and in a room.',
      },
      scope: {
        type: new GraphQLNonNull(GraphQLString),
        description: '`tenant`: decided by the role in the tenant; `room`: by that or the role in the room concerned.',
      },
    },
  }),
  new GraphQLDirective({
    name: 'public',
    description: 'The field answers without a token.',
    locations: [DirectiveLocation.FIELD_DEFINITION],
  }),
];

const rootTypes: ReadonlySet<string> = new Set(['Query', 'Mutation', 'Subscription']);

/**
 * A root field's `access` becomes its directive in the schema, and the directive is what is enforced. It keeps out who
 * could not do it in any room; what depends on the room is decided by the use case from the same rule.
 */
class AuthPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    if (!rootTypes.has(field.parentType)) return field;
    const access = Reflect.get(field.pothosOptions, 'access') as Access | undefined;
    const name = `${field.parentType}.${field.name}`;
    if (!access) throw new Error(`${name} has no rule: give it an access`);
    const directives = access === publicField ? { public: {} } : { auth: authOf(name, access.permission) };
    return { ...field, extensions: { ...field.extensions, directives } };
  }

  override wrapResolve(resolver: Resolver<Types>, field: PothosOutputFieldConfig<Types>): Resolver<Types> {
    if (field.parentType === 'Subscription') return resolver;
    const guardedResolver = guarded<Types>(resolver, field.extensions?.directives);
    if (field.parentType !== 'Mutation') return guardedResolver;
    return async (parent, args, context, info) => {
      try {
        return await guardedResolver(parent, args, context, info);
      } catch (error) {
        if (error instanceof DomainError) (context as object as Context).refusals.push(error.code);
        throw error;
      } finally {
        // What the payload shows has to be read after the change, also for the second mutation of a request.
        resetLoaders(context as object as Context);
      }
    };
  }

  override wrapSubscribe(
    subscriber: Resolver<Types> | undefined,
    field: PothosOutputFieldConfig<Types>,
  ): Resolver<Types> | undefined {
    return subscriber && guardedStream(subscriber, field.extensions?.directives);
  }
}

/** @throws for a rule that names a permission which does not exist: the schema is not built. */
function authOf(name: string, permission: string) {
  if (!isPermission(permission)) throw new Error(`the rule of ${name} names ${permission}, which does not exist`);
  return { permission, scope: permissions[permission].scope };
}

type Resolver<Types extends SchemaTypes> = GraphQLFieldResolver<unknown, Types['Context'], object>;

function guarded<Types extends SchemaTypes>(resolver: Resolver<Types>, directives: unknown): Resolver<Types> {
  const permission = permissionOf(directives);
  if (!permission) return resolver;
  // A promise, so that the errors plugin and every caller see one kind of failure.
  return async (parent, args, context, info) => {
    // Pothos knows plugins only for any schema; ours has one Context.
    const { actor } = callerOf(context as object as Context);
    if (!canAnywhere(actor, permission)) throw new ForbiddenError(permission);
    return resolver(parent, args, context, info);
  };
}

/** As `guarded`; and the stream ends when the tenant takes the permission from the subscriber's role. */
function guardedStream<Types extends SchemaTypes>(subscriber: Resolver<Types>, directives: unknown): Resolver<Types> {
  const permission = permissionOf(directives);
  const subscribe = guarded<Types>(subscriber, directives);
  if (!permission) return subscribe;
  return async (parent, args, context, info) => {
    const stream: unknown = await subscribe(parent, args, context, info);
    if (!isStream(stream)) return stream;
    const { actor, roles } = callerOf(context as object as Context);
    return new WhileGranted(toLive(stream), actor, roles, permission);
  };
}

/** A class, as each subscription has one. */
class WhileGranted<T> extends OnceEnded<T> implements GrantsWatcher {
  readonly #actor: Actor;
  readonly #roles: TenantRoles;
  readonly #permission: Permission;
  /** Who may not have it by the role in the tenant has it by one in a room: that is looked at elsewhere. */
  readonly #had: boolean;

  constructor(source: LiveStream<T>, actor: Actor, roles: TenantRoles, permission: Permission) {
    super(source);
    this.#actor = actor;
    this.#roles = roles;
    this.#permission = permission;
    this.#had = canInTenant(actor, permission);
    roles.watch(actor.tenantId, this);
  }

  grantsChanged(): void {
    if (this.#had && !canInTenant(this.#actor, this.#permission)) this.finish();
  }

  protected ended(): void {
    this.#roles.unwatch(this.#actor.tenantId, this);
  }
}

function isStream(value: unknown): value is AsyncIterableIterator<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value;
}

function permissionOf(directives: unknown) {
  if (typeof directives !== 'object' || directives === null || !('auth' in directives)) return null;
  const { auth } = directives;
  if (typeof auth !== 'object' || auth === null || !('permission' in auth)) return null;
  const permission = String(auth.permission);
  if (!isPermission(permission)) throw new Error(`a rule names the permission ${permission}, which does not exist`);
  return permission;
}

SchemaBuilder.registerPlugin('auth', AuthPlugin as never);
