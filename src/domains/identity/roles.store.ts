import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';
import type { TenantRole } from '../../kernel/actor.ts';
import type { GrantDifference } from '../../policy/grants.ts';

const differencesStatement = sql<GrantDifference>(
  'roles.differences',
  'SELECT role, permission, granted FROM role_permissions WHERE tenant_id = $1',
);

/** Where the tenant differs from the matrix. */
export async function readDifferences(db: TenantQueries): Promise<GrantDifference[]> {
  return db.query(differencesStatement);
}

/** Where a tenant differs from it, as JSON within another statement. */
export const differencesOf = (tenantId: string): string => `coalesce((
  SELECT json_agg(json_build_object('role', p.role, 'permission', p.permission, 'granted', p.granted))
  FROM role_permissions p WHERE p.tenant_id = ${tenantId}), '[]')`;

const saveStatement = sql<{ saved: number }>(
  'roles.saveDifference',
  `INSERT INTO role_permissions AS r (tenant_id, role, permission, granted) VALUES ($1, $2::tenant_role, $3, $4)
   ON CONFLICT (tenant_id, role, permission) DO UPDATE SET granted = $4 WHERE r.granted <> $4
   RETURNING 1 AS saved`,
);

const removeStatement = sql<{ removed: number }>(
  'roles.removeDifference',
  `DELETE FROM role_permissions WHERE tenant_id = $1 AND role = $2::tenant_role AND permission = $3
   RETURNING 1 AS removed`,
);

/** The tenant now differs from the matrix in this. @returns whether it did not before. */
export async function saveDifference(
  tx: TenantTransaction,
  role: TenantRole,
  permission: string,
  granted: boolean,
): Promise<boolean> {
  return (await tx.query(saveStatement, role, permission, granted)).length > 0;
}

/** The tenant is as the matrix says in this. @returns whether it was not before. */
export async function removeDifference(tx: TenantTransaction, role: TenantRole, permission: string): Promise<boolean> {
  return (await tx.query(removeStatement, role, permission)).length > 0;
}
