import type { RoomView } from './rooms.store.ts';

/**
 * Looks up how somebody has a room, together with what others ask at the same time, in one statement for each tenant: for
 * what comes in crowds, such as subscriptions after a restart.
 */
export interface RoomViews {
  /** As the room stands now; null where there is no such room in the tenant. */
  load(tenantId: string, actorId: string, roomId: string): Promise<RoomView | null>;
}
