import type { Database } from '../../db/database.ts';
import { together } from '../../db/together.ts';
import { findViewsOfMany, type RoomView, type Viewing } from './rooms.store.ts';
import type { RoomViews } from './rooms.types.ts';

/** The lookups of one process. */
export function createRoomViews(database: Database): RoomViews {
  const load = together<Viewing & { readonly tenantId: string }, RoomView | null>(async (all) => {
    const found = new Map<Viewing, RoomView>();
    const byTenant = Map.groupBy(all, ({ tenantId }) => tenantId);
    await Promise.all(
      [...byTenant].map(async ([tenantId, viewings]) => {
        const views = await findViewsOfMany(database.forTenant(tenantId), viewings);
        for (const [viewing, view] of views) found.set(viewing, view);
      }),
    );
    return all.map((viewing) => found.get(viewing) ?? null);
  });
  return { load: (tenantId, actorId, roomId) => load({ tenantId, actorId, roomId }) };
}
