/** What a tenant can have or not have, with what it is. Off, nothing new of it is made; what exists goes on. */
export const features = {
  DIRECT_ROOMS: 'Rooms of two people.',
  GROUPS: 'Rooms that only their members see.',
  CHANNELS: 'Rooms that everybody in the tenant finds and may join.',
  SERVICE_ACCOUNTS: 'Programs that write or act.',
} as const;

export type Feature = keyof typeof features;

export const allFeatures = Object.keys(features).filter(isFeature);

export function isFeature(value: string): value is Feature {
  return Object.hasOwn(features, value);
}

/** What a tenant can have only so much of, with how it is counted. Over a limit nothing is added; what exists goes on. */
export const entitlementLimits = {
  USERS: 'People who have signed in at least once and are not deactivated.',
  ROOMS: 'Direct rooms, groups and channels that are not archived.',
  MEMBERS_PER_ROOM: 'Members of one group or channel.',
} as const;

export type EntitlementLimit = keyof typeof entitlementLimits;

/** What a tenant's plan lets it have. */
export interface Entitlements {
  /** Features that are on. */
  readonly features: ReadonlySet<Feature>;
  /** How many at most; null for as many as they like. */
  readonly limits: Readonly<Record<EntitlementLimit, number | null>>;
}
