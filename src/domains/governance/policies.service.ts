import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import { NotFoundError, ValidationError } from '../../kernel/errors.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { checkDays, parseReason, policyRules } from './policies.rules.ts';
import * as store from './policies.store.ts';
import { existsRoom } from './purge.store.ts';
import { readSilentRooms, type SilentRoom, saveSilentDays } from './silence.store.ts';

export type { Policy } from './policies.store.ts';
export type { SilentRoom } from './silence.store.ts';

const day = 24 * 60 * 60 * 1000;

/** What holds for a room by itself, or (without one) for the tenant. @throws ForbiddenError, NotFoundError */
export async function loadPolicy(caller: Caller, roomId: string | null): Promise<store.Policy> {
  requireInTenant(caller.actor, policyRules.retention);
  await requireRoom(caller, roomId, 'roomId');
  return store.findPolicy(caller.db, roomId);
}

/** The rooms with a policy of their own, by id. @throws ForbiddenError, ValidationError */
export async function listRoomPolicies(caller: Caller, args: PageArgs): Promise<Page<store.Policy>> {
  requireInTenant(caller.actor, policyRules.retention);
  const request = parsePage(args, (cursor, field) => decodeCursor('policies', ['uuid'], cursor, field)[0]);
  return toPage(request, await store.readRoomPolicies(caller.db, request));
}

export function policyCursor({ roomId }: store.Policy): string {
  return encodeCursor('policies', [roomId ?? '']);
}

/**
 * Says how long messages are kept; null days for keeping them. Of the tenant's and a room's the shorter holds.
 * @throws ForbiddenError, NotFoundError, ValidationError
 */
export async function setRetention(
  caller: Caller,
  input: { readonly roomId: string | null; readonly days: number | null; readonly mode: 'SOFT' | 'PERMANENT' },
): Promise<store.Policy> {
  requireInTenant(caller.actor, policyRules.retention);
  const { roomId, days, mode } = input;
  if (days !== null) checkDays(days, 'input.days');
  await requireRoom(caller, roomId, 'input.roomId');
  return caller.db.transaction(async (tx) => {
    await store.saveRetention(tx, roomId, days, days === null ? null : mode);
    caller.audit.record(tx, {
      action: 'retention.set',
      ...targetOf(tx.tenantId, roomId),
      metadata: { days, mode: days === null ? null : mode },
    });
    return store.findPolicy(tx, roomId);
  });
}

/**
 * Puts a room, or the whole tenant, under a legal hold, or lifts it. When it is set nothing is being purged any more.
 * @throws ForbiddenError, NotFoundError, ValidationError (a hold without a reason)
 */
export async function setLegalHold(
  caller: Caller,
  input: { readonly roomId: string | null; readonly held: boolean; readonly reason: string | undefined },
): Promise<store.Policy> {
  requireInTenant(caller.actor, policyRules.hold);
  const { roomId, held } = input;
  if (held && input.reason === undefined) throw new ValidationError('input.reason', 'a hold needs one');
  const reason = input.reason === undefined ? null : parseReason(input.reason);
  await requireRoom(caller, roomId, 'input.roomId');
  return caller.db.transaction(async (tx) => {
    await store.changeHolds(tx);
    const { heldAt } = await store.findPolicy(tx, roomId);
    if ((heldAt !== null) === held) return store.findPolicy(tx, roomId);
    const hold = held && reason !== null ? { at: new Date(), byId: caller.actor.id, reason } : null;
    await store.saveHold(tx, roomId, hold);
    // The reason is kept with the hold; lifted, it is only to be found here.
    caller.audit.record(tx, {
      action: held ? 'hold.set' : 'hold.lift',
      ...targetOf(tx.tenantId, roomId),
      metadata: { reason },
    });
    return store.findPolicy(tx, roomId);
  });
}

/**
 * Says after how many days without a message a room counts as silent; null for as many as the server says.
 * @throws ForbiddenError, ValidationError
 */
export async function setSilentDays(caller: Caller, days: number | null): Promise<store.Policy> {
  requireInTenant(caller.actor, policyRules.retention);
  if (days !== null) checkDays(days, 'input.days');
  return caller.db.transaction(async (tx) => {
    await saveSilentDays(tx, days);
    caller.audit.record(tx, { action: 'silence.set', ...targetOf(tx.tenantId, null), metadata: { days } });
    return store.findPolicy(tx, null);
  });
}

/** Rooms without a message for so many days, the longest silent first. @throws ForbiddenError, ValidationError */
export async function listSilentRooms(caller: Caller, days: number, args: PageArgs): Promise<Page<SilentRoom>> {
  requireInTenant(caller.actor, policyRules.retention);
  checkDays(days, 'days');
  const request = parsePage(args, (cursor, field) => {
    const [time, id] = decodeCursor('silentRooms', ['time', 'uuid'], cursor, field);
    return { lastActivityAt: new Date(Number(time)), id };
  });
  return toPage(request, await readSilentRooms(caller.db, new Date(Date.now() - days * day), request));
}

export function silentRoomCursor(room: SilentRoom): string {
  return encodeCursor('silentRooms', [room.lastActivityAt.getTime(), room.roomId]);
}

async function requireRoom(caller: Caller, roomId: string | null, field: string): Promise<void> {
  if (roomId !== null && !(await existsRoom(caller.db, roomId))) throw new NotFoundError('room', field);
}

function targetOf(tenantId: string, roomId: string | null) {
  return roomId === null
    ? ({ targetType: 'Tenant', targetId: tenantId } as const)
    : ({ targetType: 'Room', targetId: roomId } as const);
}
