import { allFeatures, type EntitlementLimit, type Entitlements, type Feature } from '../../kernel/entitlements.ts';
import { EntitlementError } from '../../kernel/errors.ts';

/** Where the operator has said nothing: everything is on, without limits. */
export const everything: Entitlements = {
  features: new Set(allFeatures),
  limits: { USERS: null, ROOMS: null, MEMBERS_PER_ROOM: null },
};

/** A limit beyond this says nothing; what is stored is an `integer`. */
export const highestLimit = 1_000_000_000;

/** @throws EntitlementError when the feature is off. */
export function requireFeature(entitlements: Entitlements, feature: Feature): void {
  if (!entitlements.features.has(feature)) throw new EntitlementError({ feature });
}

/**
 * @param count how many there would be, with what is being added.
 * @throws EntitlementError when that is more than the limit.
 */
export function requireWithin(entitlements: Entitlements, limit: EntitlementLimit, count: number): void {
  const max = entitlements.limits[limit];
  if (max !== null && count > max) throw new EntitlementError({ limit, max });
}
