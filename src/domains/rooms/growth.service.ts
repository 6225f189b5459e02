import type { TenantTransaction } from '../../db/sql.ts';
import type { RoomKind } from '../../kernel/actor.ts';
import type { Entitlements, Feature } from '../../kernel/entitlements.ts';
import { requireFeature, requireWithin } from '../identity/entitlements.rules.ts';
import { enterGrowth, readEntitlements } from '../identity/entitlements.service.ts';
import { countMembers } from './members.store.ts';
import { countActiveRooms } from './rooms.store.ts';

/** Conversations are with contacts, who do not wait for a larger plan. */
const featureOf: Readonly<Record<RoomKind, Feature | null>> = {
  DIRECT: 'DIRECT_ROOMS',
  GROUP: 'GROUPS',
  CHANNEL: 'CHANNELS',
  CONVERSATION: null,
};

function requireKind(entitlements: Entitlements, kind: RoomKind): void {
  const feature = featureOf[kind];
  if (feature) requireFeature(entitlements, feature);
}

/**
 * Runs what adds a room of this kind to those that are not archived, and lets it stand if the tenant's plan includes it.
 * @param work gives null when it has added none after all.
 * @throws EntitlementError
 */
export async function addRoom<T>(tx: TenantTransaction, kind: RoomKind, work: () => Promise<T>): Promise<T> {
  const entitlements = await enterGrowth(tx, 'ROOMS');
  requireKind(entitlements, kind);
  const added = await work();
  const max = entitlements.limits.ROOMS;
  if (max !== null && added !== null) requireWithin(entitlements, 'ROOMS', await countActiveRooms(tx, max));
  return added;
}

/**
 * Checks that those who have just become members may be. The room's lock is held, so nobody else adds some meanwhile.
 * @throws EntitlementError
 */
export async function requireMembersEntitled(tx: TenantTransaction, kind: RoomKind, roomId: string): Promise<void> {
  const entitlements = await readEntitlements(tx);
  requireKind(entitlements, kind);
  // The two of a direct room are no choice of anybody.
  if (kind === 'DIRECT' || entitlements.limits.MEMBERS_PER_ROOM === null) return;
  requireWithin(entitlements, 'MEMBERS_PER_ROOM', (await countMembers(tx, roomId)).all);
}
