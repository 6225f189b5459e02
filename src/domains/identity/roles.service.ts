import type { Database } from '../../db/database.ts';
import type { Bus } from '../../events/bus.ts';
import type { Actor, TenantRole } from '../../kernel/actor.ts';
import { ValidationError } from '../../kernel/errors.ts';
import type { Logger } from '../../kernel/logger.ts';
import { type GrantDifference, grantsIn, isKept } from '../../policy/grants.ts';
import { tenantGrants } from '../../policy/matrix.ts';
import { isPermission, type Permission } from '../../policy/permissions.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { identityRules } from './identity.rules.ts';
import * as store from './roles.store.ts';
import type { GrantsWatcher, TenantRoles } from './roles.types.ts';

/** The bus channel on which all processes hear the id of a tenant whose roles grant something else. */
const channel = 'grants';
/** How old what is known of a tenant may be, in case the bus has lost a change. */
const freshFor = 5_000;
/** Tenants that one process knows of; the one known longest goes first. */
const knownAtMost = 10_000;

const roles: readonly TenantRole[] = ['ADMIN', 'SUPERVISOR', 'AGENT', 'SERVICE'];

interface Known {
  readonly differences: readonly GrantDifference[];
  readonly grants: ReadonlyMap<TenantRole, ReadonlySet<string>>;
  readonly until: number;
}

export function createTenantRoles(deps: { database: Database; bus: Bus; log: Logger }): TenantRoles {
  const { database, bus, log } = deps;
  const known = new Map<string, Known>();
  const loading = new Map<string, Promise<Known>>();
  const watchers = new Map<string, Set<GrantsWatcher>>();

  /** What a load that starts now reads; one that is under way may have read before the change. */
  function load(tenantId: string): Promise<Known> {
    const before = loading.get(tenantId)?.catch(() => undefined) ?? Promise.resolve();
    const work = before.then(async () => {
      const differences = await store.readDifferences(database.forTenant(tenantId));
      const grants = new Map(roles.map((role) => [role, grantsIn(differences, role)]));
      const fresh = { differences, grants, until: Date.now() + freshFor };
      known.delete(tenantId);
      known.set(tenantId, fresh);
      const oldest = known.size > knownAtMost ? known.keys().next().value : undefined;
      if (oldest !== undefined) known.delete(oldest);
      for (const watcher of [...(watchers.get(tenantId) ?? [])]) watcher.grantsChanged();
      return fresh;
    });
    loading.set(tenantId, work);
    const forget = () => {
      if (loading.get(tenantId) === work) loading.delete(tenantId);
    };
    work.then(forget, forget);
    return work;
  }

  function refresh(tenantId: string): void {
    load(tenantId).catch((error: unknown) => log.warn({ err: error }, 'what roles grant could not be looked up'));
  }

  function grantsOf(actor: Actor, atSignIn: ReadonlySet<string> | undefined): ReadonlySet<string> {
    const entry = known.get(actor.tenantId);
    if ((!entry || entry.until < Date.now()) && !loading.has(actor.tenantId)) refresh(actor.tenantId);
    return entry?.grants.get(actor.role) ?? atSignIn ?? new Set(tenantGrants[actor.role]);
  }

  bus.onReconnect(() => [...known.keys()].forEach(refresh));
  const subscription = bus.subscribe(channel, (tenantId) => {
    if (known.has(tenantId) || loading.has(tenantId) || watchers.has(tenantId)) refresh(tenantId);
  });
  subscription.catch((error: unknown) => log.warn({ err: error }, 'changes of what roles grant cannot be heard'));

  return {
    follow: (actor) => new FollowedActor(actor, grantsOf),
    differences: async (tenantId) => (await load(tenantId)).differences,
    async changed(tenantId) {
      bus.publish(channel, tenantId);
      await load(tenantId);
    },
    watch(tenantId, watcher) {
      const own = watchers.get(tenantId) ?? new Set();
      watchers.set(tenantId, own.add(watcher));
    },
    unwatch(tenantId, watcher) {
      const own = watchers.get(tenantId);
      own?.delete(watcher);
      if (own?.size === 0) watchers.delete(tenantId);
    },
    close() {
      void subscription.then((stop) => stop()).catch(() => undefined);
    },
  };
}

type GrantsOf = (actor: Actor, atSignIn: ReadonlySet<string> | undefined) => ReadonlySet<string>;

/**
 * An actor with the grants of now. No copy: a newer token on a WebSocket changes its actor, whom this reads through to. A
 * class, as each subscription has one: an object whose prototype is the actor takes ten times as much memory.
 */
class FollowedActor implements Actor {
  readonly #actor: Actor;
  readonly #grantsOf: GrantsOf;

  constructor(actor: Actor, grantsOf: GrantsOf) {
    this.#actor = actor;
    this.#grantsOf = grantsOf;
  }

  get tenantId() {
    return this.#actor.tenantId;
  }

  get id() {
    return this.#actor.id;
  }

  get kind() {
    return this.#actor.kind;
  }

  get role() {
    return this.#actor.role;
  }

  get name() {
    return this.#actor.name;
  }

  get permissions() {
    return this.#actor.permissions;
  }

  get grants() {
    return this.#grantsOf(this.#actor, this.#actor.grants);
  }

  get expiresAt() {
    return this.#actor.expiresAt;
  }
}

/** A permission, and the roles in the tenant that grant it. */
export interface PermissionGrant {
  readonly permission: Permission;
  readonly roles: TenantRole[];
}

/** Which roles in the tenant grant each of these permissions, as the tenant has decided. @throws ForbiddenError */
export async function listGrants(caller: Caller, permissions: readonly Permission[]): Promise<PermissionGrant[]> {
  requireInTenant(caller.actor, identityRules.readPermissions);
  return rolesGranting(caller, permissions);
}

async function rolesGranting(caller: Caller, permissions: readonly Permission[]): Promise<PermissionGrant[]> {
  const differences = await caller.roles.differences(caller.actor.tenantId);
  const granted = roles.map((role) => ({ role, grants: grantsIn(differences, role) }));
  return permissions.map((permission) => ({
    permission,
    roles: granted.filter(({ grants }) => grants.has(permission)).map(({ role }) => role),
  }));
}

/**
 * A role in the tenant grants a permission from now on, or does not any more; on every process at once. Twice changes
 * nothing.
 * @returns the permission with the roles that grant it.
 * @throws ForbiddenError, ValidationError for an unknown permission, and for the one that admins keep.
 */
export async function setGranted(caller: Caller, role: TenantRole, permission: string, granted: boolean) {
  requireInTenant(caller.actor, identityRules.updatePermissions);
  if (!isPermission(permission)) throw new ValidationError('input.permission', 'there is no such permission');
  if (!granted && isKept(role, permission)) {
    throw new ValidationError('input.permission', 'admins keep it: without it nobody could give it back');
  }
  await caller.db.transaction(async (tx) => {
    const asMatrix = tenantGrants[role].includes(permission) === granted;
    const changed = asMatrix
      ? await store.removeDifference(tx, role, permission)
      : await store.saveDifference(tx, role, permission, granted);
    if (!changed) return;
    caller.audit.record(tx, {
      action: granted ? 'permission.grant' : 'permission.revoke',
      targetType: 'TenantRole',
      targetId: role,
      metadata: { permission },
    });
  });
  await caller.roles.changed(caller.actor.tenantId);
  const [grant] = await rolesGranting(caller, [permission]);
  if (!grant) throw new Error('one permission gives one grant');
  return grant;
}
