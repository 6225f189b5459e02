import { describe, expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { setDeactivated } from '../../src/domains/identity/identity.service.ts';
import { listMessages, sendMessage } from '../../src/domains/messages/messages.service.ts';
import {
  addMembers,
  joinRoom,
  leaveRoom,
  listMembers,
  muteRoom,
  removeMember,
  setMemberRole,
} from '../../src/domains/rooms/membership.service.ts';
import { createRoom, openDirectRoom } from '../../src/domains/rooms/opening.service.ts';
import { listRooms, loadRooms, setArchived, updateRoom } from '../../src/domains/rooms/rooms.service.ts';
import { DomainError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { watchStatements } from '../support/statements.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 25 });
const sent = watchStatements();
const callerOf = (name: string, role: 'admin' | 'supervisor' | 'agent' | 'service' = 'agent', tenant = 'acme') =>
  house.callerOf(person(tenant, name, role));
const [admin, owner, moderator, member, stranger] = await Promise.all([
  callerOf('Ana', 'admin'),
  callerOf('Otto', 'supervisor'),
  callerOf('Mona'),
  callerOf('Berta'),
  callerOf('Stefan'),
]);

/** A room with one of each: Otto owns it, Mona moderates it, Berta is a member, Stefan is not. */
async function staffedRoom(kind: 'GROUP' | 'CHANNEL'): Promise<string> {
  const memberIds = [moderator.actor.id, member.actor.id];
  const roomId = await createRoom(owner, { kind, name: 'staffed', topic: undefined, memberIds });
  await setMemberRole(owner, roomId, moderator.actor.id, 'MODERATOR');
  return roomId;
}

/** The code of the refusal, or `done`. */
async function outcome(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'done';
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
}

async function memberIds(caller: Caller, roomId: string): Promise<string[]> {
  const [page] = await listMembers(caller, [roomId], {});
  return (page?.rows ?? []).map((row) => row.actorId);
}

async function reports(caller: Caller, roomId: string): Promise<unknown[]> {
  const [page] = await listMessages(caller, [roomId], {});
  return (page?.rows ?? []).map((row) => ({ event: row.systemEvent, body: row.body, author: row.authorId }));
}

async function allRooms(caller: Caller): Promise<number> {
  const [row] = await caller.db.query(
    sql<{ count: bigint }>('test.rooms', 'SELECT count(*) FROM rooms WHERE tenant_id = $1'),
  );
  return Number(row?.count);
}

describe('direct rooms', () => {
  test('T2 two people who open their direct room 50 times at once get one room with both of them', async () => {
    const [left, right] = await Promise.all([callerOf('Left', 'agent', 'fifty'), callerOf('Right', 'agent', 'fifty')]);
    const opened = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        index % 2 === 0 ? openDirectRoom(left, right.actor.id) : openDirectRoom(right, left.actor.id),
      ),
    );
    const [roomId] = opened;
    if (!roomId) throw new Error('no room');
    expect(new Set(opened)).toEqual(new Set([roomId]));
    expect(await allRooms(left)).toBe(1);
    expect(new Set(await memberIds(left, roomId))).toEqual(new Set([left.actor.id, right.actor.id]));
    const [view] = await loadRooms(right, [roomId]);
    expect(view?.room.version).toBe(2n);
  });

  test('T2 nobody opens one with himself, or with somebody who is not in the tenant', async () => {
    const foreigner = await callerOf('Wanda', 'agent', 'globex');
    expect(await outcome(openDirectRoom(member, member.actor.id))).toBe('BAD_USER_INPUT');
    expect(await outcome(openDirectRoom(member, foreigner.actor.id))).toBe('NOT_FOUND');
  });

  test('T1, T3 members, name and archive of a direct room are fixed for good', async () => {
    const roomId = await openDirectRoom(admin, member.actor.id);
    const attempts = [
      () => leaveRoom(member, roomId),
      () => addMembers(admin, roomId, [stranger.actor.id]),
      () => removeMember(admin, roomId, member.actor.id),
      () => setMemberRole(admin, roomId, member.actor.id, 'OWNER'),
      () => updateRoom(admin, roomId, { name: 'ours' }),
      () => setArchived(admin, roomId, true),
    ];
    for (const attempt of attempts) expect(await outcome(attempt())).toBe('ROOM_KIND');
    expect(await memberIds(member, roomId)).toHaveLength(2);
  });
});

describe('who may do what', () => {
  const actions: Record<string, (caller: Caller, roomId: string) => Promise<unknown>> = {
    'rename the room': (caller, roomId) => updateRoom(caller, roomId, { name: `renamed by ${caller.actor.name}` }),
    'archive the room': (caller, roomId) => setArchived(caller, roomId, true),
    'add somebody': (caller, roomId) => addMembers(caller, roomId, [stranger.actor.id]),
    'remove a member': (caller, roomId) => removeMember(caller, roomId, member.actor.id),
    'remove a moderator': (caller, roomId) => removeMember(caller, roomId, moderator.actor.id),
    'remove the owner': (caller, roomId) => removeMember(caller, roomId, owner.actor.id),
    'make a member moderator': (caller, roomId) => setMemberRole(caller, roomId, member.actor.id, 'MODERATOR'),
    'mute the room': (caller, roomId) => muteRoom(caller, roomId, true),
    'send a message': (caller, roomId) =>
      sendMessage(caller, { roomId, body: 'hello', nonce: undefined, replyToId: undefined }),
    join: (caller, roomId) => joinRoom(caller, roomId),
    leave: (caller, roomId) => leaveRoom(caller, roomId),
  };
  const agents = { moderator, member, stranger };

  test.each([
    ['GROUP', 'rename the room', { moderator: 'done', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'archive the room', { moderator: 'FORBIDDEN', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'add somebody', { moderator: 'done', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'remove a member', { moderator: 'done', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'remove a moderator', { moderator: 'done', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'remove the owner', { moderator: 'FORBIDDEN', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'make a member moderator', { moderator: 'FORBIDDEN', member: 'FORBIDDEN', stranger: 'NOT_FOUND' }],
    ['GROUP', 'mute the room', { moderator: 'done', member: 'done', stranger: 'NOT_FOUND' }],
    ['GROUP', 'send a message', { moderator: 'done', member: 'done', stranger: 'NOT_FOUND' }],
    ['GROUP', 'join', { moderator: 'ROOM_KIND', member: 'ROOM_KIND', stranger: 'NOT_FOUND' }],
    ['GROUP', 'leave', { moderator: 'done', member: 'done', stranger: 'NOT_FOUND' }],
    ['CHANNEL', 'rename the room', { moderator: 'done', member: 'FORBIDDEN', stranger: 'FORBIDDEN' }],
    ['CHANNEL', 'add somebody', { moderator: 'done', member: 'FORBIDDEN', stranger: 'FORBIDDEN' }],
    ['CHANNEL', 'send a message', { moderator: 'done', member: 'done', stranger: 'FORBIDDEN' }],
    ['CHANNEL', 'mute the room', { moderator: 'done', member: 'done', stranger: 'FORBIDDEN' }],
    ['CHANNEL', 'join', { moderator: 'done', member: 'done', stranger: 'done' }],
    ['CHANNEL', 'leave', { moderator: 'done', member: 'done', stranger: 'FORBIDDEN' }],
  ] as const)('T3, T4 in a %s agents who %s are treated by their role in the room', async (kind, action, expected) => {
    const found: Record<string, string> = {};
    for (const [role, caller] of Object.entries(agents)) {
      const roomId = await staffedRoom(kind);
      found[role] = await outcome(actions[action]?.(caller, roomId) ?? Promise.reject(new Error(action)));
    }
    expect(found).toEqual(expected);
  });

  test("T3, T4 the tenant's admin manages every channel, and no group that he is not in", async () => {
    const managing = [
      'rename the room',
      'add somebody',
      'remove a moderator',
      'make a member moderator',
      'archive the room',
    ];
    for (const action of managing) {
      expect(await outcome(actions[action]?.(admin, await staffedRoom('CHANNEL')) ?? Promise.reject())).toBe('done');
      expect(await outcome(actions[action]?.(admin, await staffedRoom('GROUP')) ?? Promise.reject())).toBe('NOT_FOUND');
    }
  });

  test('T1 an agent opens no groups and channels; a supervisor and a service account do', async () => {
    const input = { kind: 'GROUP', name: 'new', topic: undefined, memberIds: [] } as const;
    expect(await outcome(createRoom(member, input))).toBe('FORBIDDEN');
    expect(await outcome(createRoom(owner, input))).toBe('done');
    expect(await outcome(createRoom(await callerOf('bot', 'service'), input))).toBe('done');
  });
});

describe('owners', () => {
  test('T2 T3 somebody whose account is deactivated is neither added nor written to', async () => {
    const gone = await callerOf('Greta');
    await setDeactivated(admin, gone.actor.id, true);
    const roomId = await staffedRoom('GROUP');
    expect(await outcome(addMembers(owner, roomId, [gone.actor.id]))).toBe('NOT_FOUND');
    expect(await outcome(openDirectRoom(owner, gone.actor.id))).toBe('NOT_FOUND');
    const memberIds = [gone.actor.id];
    expect(await outcome(createRoom(owner, { kind: 'GROUP', name: 'x', topic: undefined, memberIds }))).toBe(
      'NOT_FOUND',
    );
  });

  test('T3 the last owner neither leaves nor steps down nor is removed while there are others', async () => {
    const roomId = await staffedRoom('CHANNEL');
    expect(await outcome(leaveRoom(owner, roomId))).toBe('LAST_OWNER');
    expect(await outcome(setMemberRole(owner, roomId, owner.actor.id, 'MEMBER'))).toBe('LAST_OWNER');
    expect(await outcome(removeMember(admin, roomId, owner.actor.id))).toBe('LAST_OWNER');
    await setMemberRole(owner, roomId, member.actor.id, 'OWNER');
    expect(await outcome(leaveRoom(owner, roomId))).toBe('done');
    expect(await outcome(leaveRoom(moderator, roomId))).toBe('done');
    expect(await outcome(leaveRoom(member, roomId))).toBe('done');
    expect(await memberIds(admin, roomId)).toEqual([]);
  });

  test('T3 of two owners who leave at once one stays', async () => {
    for (let round = 0; round < 10; round++) {
      const roomId = await staffedRoom('GROUP');
      await setMemberRole(owner, roomId, moderator.actor.id, 'OWNER');
      const outcomes = await Promise.all([outcome(leaveRoom(owner, roomId)), outcome(leaveRoom(moderator, roomId))]);
      expect(outcomes.sort()).toEqual(['LAST_OWNER', 'done']);
    }
  });
});

describe('what is reported in the timeline', () => {
  test('T1, T6 joins, leaves, additions, removals, names, topics and archiving', async () => {
    const roomId = await createRoom(admin, { kind: 'CHANNEL', name: 'news', topic: undefined, memberIds: [] });
    await joinRoom(member, roomId);
    await joinRoom(member, roomId);
    await addMembers(admin, roomId, [member.actor.id, stranger.actor.id, stranger.actor.id]);
    await removeMember(admin, roomId, stranger.actor.id);
    await updateRoom(admin, roomId, { name: 'old news', topic: 'from yesterday' });
    await updateRoom(admin, roomId, { name: 'old news' });
    await setArchived(admin, roomId, true);
    await setArchived(admin, roomId, true);
    await setArchived(admin, roomId, false);
    await leaveRoom(member, roomId);
    const by = (author: Caller, event: string, body: string) => ({ event, body, author: author.actor.id });
    expect(await reports(admin, roomId)).toEqual([
      by(member, 'MEMBER_JOINED', 'Berta joined'),
      by(admin, 'MEMBER_ADDED', 'Ana added Stefan'),
      by(admin, 'MEMBER_REMOVED', 'Ana removed Stefan'),
      by(admin, 'ROOM_RENAMED', 'renamed the room to old news'),
      by(admin, 'TOPIC_CHANGED', 'set the topic to from yesterday'),
      by(admin, 'ROOM_ARCHIVED', 'archived the room'),
      by(admin, 'ROOM_UNARCHIVED', 'unarchived the room'),
      by(member, 'MEMBER_LEFT', 'Berta left'),
    ]);
  });

  test('T1 an empty topic removes the topic', async () => {
    const roomId = await createRoom(admin, { kind: 'GROUP', name: 'g', topic: 'something', memberIds: [] });
    await updateRoom(admin, roomId, { topic: '  ' });
    const [view] = await loadRooms(admin, [roomId]);
    expect(view?.room.topic).toBeNull();
  });
});

describe('archived rooms', () => {
  test('T1 everything but reading, leaving and bringing back is refused', async () => {
    const roomId = await staffedRoom('CHANNEL');
    await setArchived(owner, roomId, true);
    const refused = [
      () => updateRoom(owner, roomId, { name: 'other' }),
      () => addMembers(owner, roomId, [stranger.actor.id]),
      () => removeMember(owner, roomId, member.actor.id),
      () => setMemberRole(owner, roomId, member.actor.id, 'MODERATOR'),
      () => joinRoom(stranger, roomId),
      () => sendMessage(member, { roomId, body: 'late', nonce: undefined, replyToId: undefined }),
    ];
    for (const attempt of refused) expect(await outcome(attempt())).toBe('ROOM_ARCHIVED');
    expect(await outcome(leaveRoom(member, roomId))).toBe('done');
    const listed = async (archivedToo: boolean) =>
      (
        await listRooms(owner, { list: 'OWN', includeArchived: archivedToo, previews: false }, { first: 100 })
      ).rows.some((view) => view.room.id === roomId);
    expect([await listed(false), await listed(true)]).toEqual([false, true]);
  });
});

describe('races', () => {
  test('T3 joins and leaves of one person at once leave a membership and a log that agree', async () => {
    const roomId = await createRoom(admin, { kind: 'CHANNEL', name: 'door', topic: undefined, memberIds: [] });
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        outcome(index % 2 ? joinRoom(member, roomId) : leaveRoom(member, roomId)),
      ),
    );
    const isMember = (await memberIds(admin, roomId)).includes(member.actor.id);
    const events = (await reports(admin, roomId)).map((report) => Reflect.get(Object(report), 'event'));
    const expected = events.map((_, index) => (index % 2 === 0 ? 'MEMBER_JOINED' : 'MEMBER_LEFT'));
    expect(events).toEqual(expected);
    expect(events.length % 2 === 1).toBe(isMember);
  });
});

test('T3, T5 people who all create rooms with each other at the same time wait for each other, and none in vain', async () => {
  const people = await Promise.all(
    Array.from({ length: 24 }, (_, index) => callerOf(`Founder ${index}`, 'supervisor')),
  );
  const memberIds = people.map(({ actor }) => actor.id);
  const texts = await sent.during(async () => {
    for (let round = 0; round < 4; round++) {
      await Promise.all(
        people.map((creator) => createRoom(creator, { kind: 'GROUP', name: 'all of us', topic: undefined, memberIds })),
      );
    }
  });
  // A deadlock would be tried again, and be seen as a transaction that was rolled back.
  expect(texts.filter((text) => text === 'ROLLBACK')).toEqual([]);
  expect(texts.filter((text) => text === 'COMMIT').length).toBeGreaterThanOrEqual(people.length * 4);
});
