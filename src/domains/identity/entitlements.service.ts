import type { TenantQueries, TenantTransaction } from '../../db/sql.ts';
import { recordAudit } from '../../events/auditTrail.ts';
import { allFeatures, type Entitlements } from '../../kernel/entitlements.ts';
import { ownOrigin } from '../../kernel/origin.ts';
import { everything, requireWithin } from './entitlements.rules.ts';
import * as store from './entitlements.store.ts';

function toEntitlements(row: store.EntitlementRow | null): Entitlements {
  if (!row) return everything;
  return {
    features: new Set(allFeatures.filter((feature) => !row.featuresOff.includes(feature))),
    limits: { USERS: row.maxUsers, ROOMS: row.maxRooms, MEMBERS_PER_ROOM: row.maxMembersPerRoom },
  };
}

/** What the tenant's plan lets it have. */
export async function readEntitlements(db: TenantQueries): Promise<Entitlements> {
  return toEntitlements(await store.findEntitlements(db));
}

/**
 * As `readEntitlements`, for a transaction that adds to what one of these limits counts over the whole tenant. Where
 * the limit is set, only one such transaction at a time gets past here: what it counts afterwards is all there is.
 * Take it before the rows of actors, which others lock after it.
 */
export async function enterGrowth(tx: TenantTransaction, limit: 'USERS' | 'ROOMS'): Promise<Entitlements> {
  const read = await readEntitlements(tx);
  return read.limits[limit] === null ? read : toEntitlements(await store.lockEntitlements(tx));
}

/**
 * Checks that somebody who has just been given a seat did not take one too many.
 * @param entitlements as `enterGrowth` gave them.
 * @throws EntitlementError
 */
export async function requireSeat(tx: TenantTransaction, entitlements: Entitlements): Promise<void> {
  const max = entitlements.limits.USERS;
  if (max !== null) requireWithin(entitlements, 'USERS', await store.countSeats(tx, max));
}

/**
 * Sets what the tenant's plan lets it have from now on. What there is beyond it stays; nothing is added to it. For the
 * operator: no role of the tenant reaches this.
 */
export async function setEntitlements(
  tx: TenantTransaction,
  change: (current: Entitlements) => Entitlements,
): Promise<Entitlements> {
  const current = toEntitlements(await store.lockEntitlements(tx));
  const { features, limits } = change(current);
  const featuresOff = allFeatures.filter((feature) => !features.has(feature));
  await store.saveEntitlements(tx, {
    featuresOff,
    maxUsers: limits.USERS,
    maxRooms: limits.ROOMS,
    maxMembersPerRoom: limits.MEMBERS_PER_ROOM,
  });
  const metadata = {
    featuresOff: featuresOff.join(' '),
    users: limits.USERS,
    rooms: limits.ROOMS,
    membersPerRoom: limits.MEMBERS_PER_ROOM,
  };
  recordAudit(
    tx,
    { actor: null, origin: ownOrigin() },
    { action: 'tenant.entitle', targetType: 'Tenant', targetId: tx.tenantId, metadata },
  );
  return { features, limits };
}
