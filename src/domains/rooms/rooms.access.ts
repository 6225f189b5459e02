import type { TenantTransaction } from '../../db/sql.ts';
import { NotFoundError, RoomArchivedError } from '../../kernel/errors.ts';
import { canInRoom, type RoomFacts, type Rule } from '../../policy/can.ts';
import { allPermissions, type Permission, permissions } from '../../policy/permissions.ts';
import { requireInRoom } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import * as store from './rooms.store.ts';

function factsOf(view: store.RoomView): RoomFacts {
  return { kind: view.room.kind, role: view.member?.role ?? null };
}

/** Whether this caller may do it there. */
export function allowed(caller: Caller, rule: Rule, view: store.RoomView): boolean {
  return canInRoom(caller.actor, rule.permission, factsOf(view));
}

/** Everything that this caller may do in that room. */
export function permissionsIn(caller: Caller, view: store.RoomView): Permission[] {
  return roomPermissions.filter((permission) => allowed(caller, { permission }, view));
}

const roomPermissions = allPermissions.filter((permission) => permissions[permission].scope === 'room');

function checked(caller: Caller, rule: Rule, view: store.RoomView | null | undefined, field: string): store.RoomView {
  if (!view || !allowed(caller, { permission: 'room:read' }, view)) throw new NotFoundError('room', field);
  requireInRoom(caller.actor, rule, factsOf(view));
  return view;
}

/**
 * The room, for a caller who may do there what the rule says.
 * @throws NotFoundError naming `field` for a room that does not exist or that the caller cannot see.
 * @throws ForbiddenError
 */
export async function requireRoom(caller: Caller, rule: Rule, roomId: string, field: string): Promise<store.RoomView> {
  const [view] = await store.findRoomViews(caller.db, caller.actor.id, [roomId]);
  return checked(caller, rule, view, field);
}

/** As `requireRoom`, looked up together with the rooms of others: for subscriptions, which come in storms. */
export async function admitToRoom(caller: Caller, rule: Rule, roomId: string, field: string): Promise<store.RoomView> {
  const view = await caller.roomViews.load(caller.db.tenantId, caller.actor.id, roomId);
  return checked(caller, rule, view, field);
}

/** As `requireRoom`; @throws RoomArchivedError besides. */
export async function requireActiveRoom(
  caller: Caller,
  rule: Rule,
  roomId: string,
  field: string,
): Promise<store.RoomView> {
  const view = await requireRoom(caller, rule, roomId, field);
  if (view.room.archivedAt) throw new RoomArchivedError();
  return view;
}

/**
 * Runs `work` holding the room's lock, on the room as it stands under that lock.
 * @throws as `requireRoom`; and RoomArchivedError unless `archivedToo`.
 */
export async function changeRoom<T>(
  caller: Caller,
  rule: Rule,
  roomId: string,
  work: (tx: TenantTransaction, view: store.RoomView) => Promise<T>,
  options: { readonly field?: string; readonly archivedToo?: boolean } = {},
): Promise<T> {
  return caller.db.transaction(async (tx) => {
    const locked = await store.lockRoom(tx, caller.actor.id, roomId);
    const view = checked(caller, rule, locked, options.field ?? 'input.roomId');
    if (view.room.archivedAt && !options.archivedToo) throw new RoomArchivedError();
    return work(tx, view);
  });
}
