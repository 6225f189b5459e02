import { z } from 'zod';
import type { TenantRole } from '../../kernel/actor.ts';
import { isPermission, type Permission } from '../../policy/permissions.ts';

/** The bus channel on which all processes hear the id of an actor whose access has ended. */
export const revocationChannel = 'revocations';

export const identityRules = {
  viewer: { permission: 'room:list' },
  node: { permission: 'room:list' },
  listUsers: { permission: 'user:read' },
  readPermissions: { permission: 'permission:read' },
  updatePermissions: { permission: 'permission:update' },
  deactivate: { permission: 'user:deactivate' },
} as const;

/** What a token says, after its signature was checked. */
export interface Claims {
  readonly subject: string;
  readonly tenant: string;
  readonly role: TenantRole;
  readonly name: string | undefined;
  readonly email: string | undefined;
  readonly picture: string | undefined;
  readonly permissions: readonly Permission[];
  /** In milliseconds since 1970. */
  readonly expiresAt: number;
}

const roles = { admin: 'ADMIN', supervisor: 'SUPERVISOR', agent: 'AGENT', service: 'SERVICE' } as const;

// PostgreSQL's text cannot hold a NUL.
const text = z.string().regex(/^[^\0]*$/, { error: 'holds a NUL' });

const payload = z.object({
  sub: text.min(1).max(255),
  tenant: text.trim().min(1).max(128),
  role: z.enum(['admin', 'supervisor', 'agent', 'service']),
  // As far as a Date reaches.
  exp: z.number().max(8.64e12),
  name: text.trim().min(1).max(200).optional(),
  email: text.max(320).optional(),
  picture: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .optional(),
  permissions: z.array(z.string()).max(200).optional(),
});

/**
 * The claims of a token's payload.
 * @returns the first claim that is wrong, as a string, when they cannot be used.
 */
export function parseClaims(value: unknown): Claims | string {
  const parsed = payload.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    return `the claim ${String(issue?.path[0])} is missing or wrong`;
  }
  const { sub, tenant, role, exp, name, email, picture, permissions = [] } = parsed.data;
  return {
    subject: sub,
    tenant,
    role: roles[role],
    name,
    email: email?.toLowerCase(),
    picture,
    // A permission that does not exist here grants nothing: the host product may know more of them than we do.
    permissions: permissions.filter(isPermission),
    expiresAt: exp * 1000,
  };
}
