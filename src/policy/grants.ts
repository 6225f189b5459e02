import type { TenantRole } from '../kernel/actor.ts';
import { tenantGrants } from './matrix.ts';
import { isPermission, type Permission } from './permissions.ts';

/** Where a tenant differs from the matrix: a role that has been granted a permission, or has lost it. */
export interface GrantDifference {
  readonly role: TenantRole;
  readonly permission: string;
  readonly granted: boolean;
}

/** Whether no tenant can take this from the role: without it nobody could give it back. */
export function isKept(role: TenantRole, permission: Permission): boolean {
  return role === 'ADMIN' && permission === 'permission:update';
}

const asInMatrix = new Map<TenantRole, ReadonlySet<Permission>>();

/** One set for all: every open subscription holds what its actor's role granted at sign-in. */
function matrixOf(role: TenantRole): ReadonlySet<Permission> {
  let granted = asInMatrix.get(role);
  if (!granted) {
    granted = new Set(tenantGrants[role]);
    asInMatrix.set(role, granted);
  }
  return granted;
}

/** What a role grants in a tenant: as the matrix says, less and more what the tenant has decided. */
export function grantsIn(differences: readonly GrantDifference[], role: TenantRole): ReadonlySet<Permission> {
  const own = differences.filter((difference) => difference.role === role);
  if (own.length === 0) return matrixOf(role);
  const granted = new Set(tenantGrants[role]);
  for (const difference of own) {
    const { permission } = difference;
    // A permission that does not exist any more grants nothing.
    if (!isPermission(permission)) continue;
    if (difference.granted) granted.add(permission);
    else if (!isKept(role, permission)) granted.delete(permission);
  }
  return granted;
}
