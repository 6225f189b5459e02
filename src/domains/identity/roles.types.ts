import type { Actor } from '../../kernel/actor.ts';
import type { GrantDifference } from '../../policy/grants.ts';

/** What the roles grant in each tenant, as this process knows it: changed at once by whoever changes it anywhere. */
export interface TenantRoles {
  /** The actor, whose grants are from now on always those of the moment. */
  follow(actor: Actor): Actor;
  /** Where the tenant differs from the matrix. */
  differences(tenantId: string): Promise<readonly GrantDifference[]>;
  /** Tells all processes that the tenant has changed what its roles grant; resolves when this one has heard. */
  changed(tenantId: string): Promise<void>;
  /** The watcher is told of each change in the tenant, until it is taken away. */
  watch(tenantId: string, watcher: GrantsWatcher): void;
  unwatch(tenantId: string, watcher: GrantsWatcher): void;
  close(): void;
}

/** An object, and no function: each subscription is one. */
export interface GrantsWatcher {
  /** The roles of its tenant may grant something else now. */
  grantsChanged(): void;
}
