import { endingWith } from '../../events/iterators.ts';
import type { LiveDelivery } from '../../events/live.ts';
import { DomainError, NotFoundError } from '../../kernel/errors.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { loadActors } from '../identity/identity.service.ts';
import { listMembers, memberCursor } from '../rooms/membership.service.ts';
import { requireActiveRoom, requireRoom } from '../rooms/rooms.access.ts';
import { roomRules } from '../rooms/rooms.rules.ts';
import { maxWatched, presenceRules, type WatchTarget } from './presence.rules.ts';
import type { ConnectionStatus, PresenceState, PresenceWatch } from './presence.types.ts';

/** Loads the presence of these actors of the caller's tenant, in their order. */
export async function loadPresence(caller: Caller, actorIds: readonly string[]): Promise<PresenceState[]> {
  return caller.presence.read(caller.db.tenantId, actorIds);
}

/**
 * Says of the caller's connection, or without one of all the caller's connections, to be away or back.
 * @returns the caller's presence afterwards.
 * @throws ForbiddenError
 */
export async function setPresence(
  caller: Caller,
  connectionId: string | null,
  status: ConnectionStatus,
): Promise<PresenceState> {
  requireInTenant(caller.actor, presenceRules.set);
  await caller.presence.setStatus(caller.actor, connectionId, status);
  const [state] = await loadPresence(caller, [caller.actor.id]);
  return state ?? { actorId: caller.actor.id, status: 'OFFLINE', lastSeenAt: null };
}

/**
 * The presence of people, or of the members of a room: of each as it is now, and then its changes.
 * @throws NotFoundError for a room or somebody that the caller cannot see. ForbiddenError
 */
export async function followPresence(
  caller: Caller,
  target: WatchTarget,
): Promise<AsyncIterableIterator<PresenceState>> {
  requireInTenant(caller.actor, presenceRules.read);
  if ('roomId' in target) return followMembers(caller, target.roomId);
  const people = await loadActors(caller, target.userIds);
  if (people.some((person) => person?.kind !== 'USER')) throw new NotFoundError('user', 'userIds');
  return caller.presence.watch(caller.db.tenantId, target.userIds);
}

async function followMembers(caller: Caller, roomId: string): Promise<AsyncIterableIterator<PresenceState>> {
  const { tenantId } = caller.db;
  const { room } = await requireRoom(caller, roomRules.readMembers, roomId, 'roomId');
  // The members are read after the version: what changed in between comes as an event, and coming twice is no harm.
  const events = caller.live.room(tenantId, roomId, room.version);
  const members = await firstMembers(caller, roomId);
  const watch = caller.presence.watch(tenantId, [...members]);
  const following = followMembership(caller, { roomId, events, members, watch }).finally(() => watch.end());
  // Its failure is the subscription's, which waits for it below.
  following.catch(() => undefined);

  async function* states(): AsyncGenerator<PresenceState, void> {
    try {
      for await (const state of watch) yield state;
    } finally {
      end();
    }
    await following;
  }
  function end(): void {
    watch.end();
    void events.return?.();
  }
  return endingWith(states(), end);
}

/** Keeps the watch to who is a member, until the room is archived or the caller may not see its members any more. */
async function followMembership(
  caller: Caller,
  following: {
    readonly roomId: string;
    readonly events: ReturnType<LiveDelivery['room']>;
    readonly members: ReadonlySet<string>;
    readonly watch: PresenceWatch;
  },
): Promise<void> {
  const { roomId, events, watch } = following;
  let members = new Set(following.members);
  try {
    for await (const event of events) {
      if (event.type === 'MEMBER_ADDED') {
        if (members.size >= maxWatched) continue;
        members.add(event.memberId);
      } else if (event.type === 'MEMBER_REMOVED') {
        if (event.memberId === caller.actor.id) await requireStillOpen(caller, roomId);
        members.delete(event.memberId);
      } else if (event.type === 'ROOM_UPDATED') {
        await requireStillOpen(caller, roomId);
        continue;
      } else if (event.type === 'RESYNC') {
        await requireStillOpen(caller, roomId);
        members = await firstMembers(caller, roomId);
      } else continue;
      watch.follow(members);
    }
  } catch (error) {
    // Not to see the members any more is no failure: it ends the watch.
    if (!(error instanceof DomainError)) throw error;
  } finally {
    void events.return?.();
  }
}

/** @throws DomainError when the room was archived, or the caller may not see its members any more. */
async function requireStillOpen(caller: Caller, roomId: string): Promise<void> {
  await requireActiveRoom(caller, roomRules.readMembers, roomId, 'roomId');
}

/** Those who joined first: as many as are watched. */
async function firstMembers(caller: Caller, roomId: string): Promise<Set<string>> {
  const members = new Set<string>();
  let after: string | null = null;
  do {
    const [page] = await listMembers(caller, [roomId], { first: 100, after });
    for (const member of page?.rows ?? []) members.add(member.actorId);
    const last = page?.rows.at(-1);
    after = page?.hasNextPage && last ? memberCursor(last) : null;
  } while (after !== null && members.size < maxWatched);
  return members;
}
