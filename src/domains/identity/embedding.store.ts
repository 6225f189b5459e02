import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';

const readStatement = sql<{ frameAncestors: string[] }>(
  'embedding.read',
  'SELECT frame_ancestors AS "frameAncestors" FROM tenant_embeddings WHERE tenant_id = $1',
);

/** None where nothing was ever set. */
export async function findFrameAncestors(db: TenantQueries): Promise<readonly string[]> {
  return (await db.query(readStatement))[0]?.frameAncestors ?? [];
}

const saveStatement = sql<never>(
  'embedding.save',
  `INSERT INTO tenant_embeddings (tenant_id, frame_ancestors) VALUES ($1, $2::text[])
   ON CONFLICT (tenant_id) DO UPDATE SET frame_ancestors = excluded.frame_ancestors, updated_at = now()`,
);

export async function saveFrameAncestors(tx: TenantTransaction, frameAncestors: readonly string[]): Promise<void> {
  await tx.query(saveStatement, frameAncestors);
}

const ownTenant = sql<{ key: string; name: string; createdAt: Date }>(
  'embedding.ownTenant',
  'SELECT key, name, created_at AS "createdAt" FROM tenants WHERE id = $1',
);

/** The tenant of the handle. */
export async function findOwnTenant(db: TenantQueries): Promise<{ key: string; name: string; createdAt: Date }> {
  const [tenant] = await db.query(ownTenant);
  if (!tenant) throw new Error('the tenant of a handle does not exist');
  return tenant;
}
