import type { TenantTransaction } from '../../db/sql.ts';
import type { AuditMetadata } from '../../events/auditTrail.ts';
import { NotFoundError, ValidationError } from '../../kernel/errors.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { type ActorRow, loadActors, publicActorId } from '../identity/identity.service.ts';
import { addRoom, requireMembersEntitled } from './growth.service.ts';
import { insertMembers } from './members.store.ts';
import { maxMembersAtOnce, roomRules } from './rooms.rules.ts';
import { parseName, parseTopic } from './rooms.service.ts';
import * as store from './rooms.store.ts';

/**
 * The caller's direct room with somebody: the existing one, or a new one with both as members.
 * @returns the room's id.
 * @throws NotFoundError, ValidationError, ForbiddenError, EntitlementError
 */
export async function openDirectRoom(caller: Caller, userId: string): Promise<string> {
  requireInTenant(caller.actor, roomRules.openDirect);
  if (userId === caller.actor.id) throw new ValidationError('input.userId', 'a direct room is with somebody else');
  const directKey = [caller.actor.id, userId].sort().join(':');
  const existing = await store.findDirectRoom(caller.db, directKey);
  if (existing) return existing;
  const others = await requirePeople(caller, [userId], 'input.userId');
  const created = await caller.db.transaction(async (tx) => {
    const draft = { kind: 'DIRECT', name: null, topic: null, creatorId: caller.actor.id, directKey } as const;
    const room = await addRoom(tx, 'DIRECT', () => store.insertRoom(tx, draft));
    if (!room) return null;
    await addFirstMembers(caller, tx, room.id, [
      { actorId: caller.actor.id, role: 'MEMBER' },
      { actorId: userId, role: 'MEMBER' },
    ]);
    recordCreation(caller, tx, room, others);
    return room.id;
  });
  // The other side opened it in the same moment: the insert waited for that transaction, whose room is visible now.
  const id = created ?? (await store.findDirectRoom(caller.db, directKey));
  if (!id) throw new Error('a direct room is neither new nor there');
  return id;
}

/**
 * A new group or channel, owned by the caller.
 * @returns the room's id.
 * @throws NotFoundError, ValidationError, ForbiddenError, EntitlementError
 */
export async function createRoom(
  caller: Caller,
  input: {
    readonly kind: 'GROUP' | 'CHANNEL';
    readonly name: string;
    readonly topic: string | undefined;
    readonly memberIds: readonly string[];
  },
): Promise<string> {
  requireInTenant(caller.actor, roomRules.create);
  const name = parseName(input.name);
  const topic = input.topic === undefined ? null : parseTopic(input.topic) || null;
  const otherIds = [...new Set(input.memberIds)].filter((id) => id !== caller.actor.id);
  const others = await requirePeople(caller, otherIds, 'input.memberIds');
  return caller.db.transaction(async (tx) => {
    const draft = { kind: input.kind, name, topic, creatorId: caller.actor.id, directKey: null };
    const room = await addRoom(tx, input.kind, () => store.insertRoom(tx, draft));
    if (!room) throw new Error('a room without a direct key cannot exist already');
    await addFirstMembers(caller, tx, room.id, [
      { actorId: caller.actor.id, role: 'OWNER' },
      ...otherIds.map((actorId) => ({ actorId, role: 'MEMBER' as const })),
    ]);
    await requireMembersEntitled(tx, input.kind, room.id);
    recordCreation(caller, tx, room, others);
    return room.id;
  });
}

async function addFirstMembers(
  caller: Caller,
  tx: TenantTransaction,
  roomId: string,
  members: Parameters<typeof insertMembers>[2],
): Promise<void> {
  await insertMembers(tx, roomId, members);
  for (const { actorId: memberId } of members) {
    await caller.roomLog.addChange(tx, roomId, { kind: 'MEMBER_ADDED', actorId: caller.actor.id, memberId });
  }
}

function recordCreation(caller: Caller, tx: TenantTransaction, room: store.Room, others: readonly ActorRow[]): void {
  const { id: targetId, kind, name } = room;
  const metadata = { kind, name, members: others.length + 1 };
  caller.audit.record(tx, { action: 'room.create', targetType: 'Room', targetId, metadata });
  for (const person of others) recordMember(caller, tx, 'member.add', room.id, person, { role: 'MEMBER' });
}

/** Records what was done to somebody's membership. */
export function recordMember(
  caller: Caller,
  tx: TenantTransaction,
  action: 'member.add' | 'member.remove' | 'member.setRole',
  roomId: string,
  person: ActorRow,
  metadata: AuditMetadata,
): void {
  const member = { memberId: publicActorId(person), memberName: person.name };
  caller.audit.record(tx, { action, targetType: 'Room', targetId: roomId, metadata: { ...member, ...metadata } });
}

/**
 * @returns them, in the order of the ids.
 * @throws ValidationError for too many, NotFoundError when one is not an active user or service account of the tenant.
 */
export async function requirePeople(caller: Caller, ids: readonly string[], field: string): Promise<ActorRow[]> {
  if (ids.length > maxMembersAtOnce) throw new ValidationError(field, `must not name more than ${maxMembersAtOnce}`);
  const people = await loadActors(caller, ids);
  return people.map((person) => {
    if (!person || person.kind === 'CONTACT' || person.deactivatedAt) throw new NotFoundError('user', field);
    return person;
  });
}
