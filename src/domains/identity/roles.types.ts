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
  /** Calls back after each change in the tenant. @returns what ends it. */
  onChange(tenantId: string, callback: () => void): () => void;
  close(): void;
}
