import type { Database } from '../../db/database.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { embeddingRules, parseFrameAncestors } from './embedding.rules.ts';
import * as store from './embedding.store.ts';
import type { Tenant } from './identity.store.ts';
import { findTenant } from './identity.store.ts';

/** A tenant, as its people see it. */
export type TenantView = Pick<Tenant, 'key' | 'name' | 'createdAt'>;

/** The caller's own tenant. */
export async function readTenant(caller: Caller): Promise<TenantView> {
  return store.findOwnTenant(caller.db);
}

/** Where the pages of the caller's tenant may be shown in frames. */
export async function readFrameAncestors(caller: Caller): Promise<readonly string[]> {
  return store.findFrameAncestors(caller.db);
}

/**
 * As `readFrameAncestors`, for a page that names its tenant and carries no token. A tenant that does not exist answers
 * as one that allows nobody.
 */
export async function frameAncestorsOf(database: Database, key: string): Promise<readonly string[]> {
  const tenant = await findTenant(database, key);
  return tenant ? store.findFrameAncestors(database.forTenant(tenant.id)) : [];
}

/**
 * Says where the pages of the tenant may be shown in frames, in place of what was said before.
 * @throws ForbiddenError, ValidationError
 */
export async function setFrameAncestors(caller: Caller, values: readonly string[]): Promise<void> {
  requireInTenant(caller.actor, embeddingRules.set);
  const frameAncestors = parseFrameAncestors(values, 'input.frameAncestors');
  await caller.db.transaction(async (tx) => {
    if ((await store.findFrameAncestors(tx)).join(' ') === frameAncestors.join(' ')) return;
    await store.saveFrameAncestors(tx, frameAncestors);
    caller.audit.record(tx, {
      action: 'tenant.embed',
      targetType: 'Tenant',
      targetId: caller.db.tenantId,
      metadata: { frameAncestors: frameAncestors.join(' ') },
    });
  });
}
