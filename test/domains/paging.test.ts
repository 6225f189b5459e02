import { describe, expect, test } from 'vitest';
import { MessageKind, SystemEvent } from '../../src/db/generated/client.ts';
import type { PageArgs } from '../../src/db/pages.ts';
import { sql } from '../../src/db/sql.ts';
import { listUsers, userCursor } from '../../src/domains/identity/identity.service.ts';
import {
  editCursor,
  editMessage,
  listEdits,
  listMessages,
  listReplies,
  sendMessage,
} from '../../src/domains/messages/messages.service.ts';
import { addMembers, listMembers, memberCursor } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { listRooms, roomCursor } from '../../src/domains/rooms/rooms.service.ts';
import { roomPosition } from '../../src/events/position.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { backward, forward, type List, last } from '../support/paging.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 15 });
const admin = await house.callerOf(person('acme', 'Ana', 'admin'));
const crowd = await Promise.all(
  Array.from({ length: 60 }, (_, index) => house.callerOf(person('acme', `Person ${String(index).padStart(2, '0')}`))),
);
const everybody = [admin, ...crowd];

const say = (roomId: string, body: string, replyToId?: string, caller = admin) =>
  sendMessage(caller, { roomId, body, nonce: undefined, replyToId });

const messagesOf = (roomId: string): List<Awaited<ReturnType<typeof say>>> => ({
  page: async (args) => (await listMessages(admin, [roomId], args))[0],
  cursor: (row) => roomPosition(roomId, row.seq),
  key: (row) => row.id,
});

describe('T6 messages', () => {
  test('every message once and in order, in both directions, while others are being sent', async () => {
    const random = createRandom('paging');
    const roomId = await createRoom(admin, {
      kind: 'GROUP',
      name: 'busy',
      topic: undefined,
      memberIds: crowd.slice(0, 4).map((caller) => caller.actor.id),
    });
    for (let index = 0; index < 80; index++) await say(roomId, `before ${index}`);
    let sending = true;
    const senders = crowd.slice(0, 4).map(async (caller) => {
      const sent: string[] = [];
      while (sending) sent.push((await say(roomId, 'meanwhile', undefined, caller)).id);
      return sent;
    });
    const size = () => 1 + random.integer(12);
    const list = messagesOf(roomId);
    const before = await forward(list, () => 100);
    const walks: { direction: string; keys: string[] }[] = [];
    for (let round = 0; round < 3; round++) {
      walks.push({ direction: 'backward', keys: await backward(list, size) });
      walks.push({ direction: 'forward', keys: await upTo(list, last(before), size) });
    }
    sending = false;
    const sent = (await Promise.all(senders)).flat();
    const all = await forward(list, () => 100);
    expect(all).toHaveLength(80 + sent.length);
    expect(new Set(all)).toEqual(new Set([...before, ...sent]));
    // What a walk shows is a stretch of the whole: nothing twice, nothing left out, nothing out of place.
    for (const { keys } of walks) {
      expect(keys.length).toBeGreaterThanOrEqual(before.length);
      expect(keys).toEqual(all.slice(0, keys.length));
    }
  });

  /** Forward until a row is reached: the end of a room in which people write faster than we read is not. */
  async function upTo<Row>(list: List<Row>, until: string, size: () => number): Promise<string[]> {
    const keys: string[] = [];
    for (let after: string | undefined; !keys.includes(until); ) {
      const page = await list.page({ first: size(), after });
      if (!page) throw new Error('there is no page');
      keys.push(...page.rows.map(list.key));
      after = list.cursor(last(page.rows));
    }
    return keys;
  }

  test('of one room they are the same as among those of several, whatever is in them', async () => {
    const random = createRandom('all kinds of messages');
    const inRoom = { kind: 'GROUP', topic: undefined, memberIds: [] } as const;
    const roomId = await createRoom(admin, { ...inRoom, name: 'of all kinds' });
    const other = await createRoom(admin, { ...inRoom, name: 'other' });
    const parent = await say(roomId, 'a question');
    await fillRoom(admin, roomId, 90);
    const { prisma } = admin.db;
    const { tenantId } = admin.actor;
    const purge = await prisma.purge.create({ data: { tenantId, id: newId(), mode: 'SOFT', before: new Date() } });
    const time = () => new Date(Date.UTC(2020) + random.integer(2 ** 38));
    const give = {
      kind: () => random.pick(Object.values(MessageKind)),
      systemEvent: () => random.pick(Object.values(SystemEvent)),
      replyToId: () => parent.id,
      mentionsRoom: () => true,
      editedAt: time,
      deletedAt: time,
      purgeId: () => purge.id,
      nonce: () => `${random.pick(['', ',', '")(', 'é 💬'])}${random.integer(2 ** 40)}`,
    };
    const names = Object.keys(give);
    const messages = await prisma.message.findMany({ where: { roomId }, orderBy: { seq: 'asc' } });
    for (const [index, { id }] of messages.entries()) {
      // Each of them alone, and then any together.
      const has = (name: string) => (index < names.length ? names[index] === name : random.integer(4) === 0);
      const data = Object.fromEntries(Object.entries(give).flatMap(([name, of]) => (has(name) ? [[name, of()]] : [])));
      await prisma.message.updateMany({ where: { id }, data });
    }
    // As a newer version may have brought it, while this one still runs.
    const { engine } = house.foundation.database;
    await engine.run(sql<never>('test.newKind', `ALTER TYPE message_kind ADD VALUE 'POLL'`), []);
    await admin.db.query(
      sql<never>('test.poll', `UPDATE messages SET kind = 'POLL' WHERE tenant_id = $1 AND id = $2`),
      messages[90]?.id ?? null,
    );
    for (const args of [{ first: 100 }, { last: 100 }]) {
      const [ofOne] = await listMessages(admin, [roomId], args);
      const [ofSeveral] = await listMessages(admin, [roomId, other], args);
      expect(ofOne?.rows).toHaveLength(91);
      expect(ofOne).toEqual(ofSeveral);
    }
  });

  test('pages of an empty room, beyond both ends, and between two cursors', async () => {
    const roomId = await createRoom(admin, { kind: 'GROUP', name: 'short', topic: undefined, memberIds: [] });
    const list = messagesOf(roomId);
    expect(await list.page({})).toEqual({ rows: [], hasNextPage: false, hasPreviousPage: false });
    const sent: Awaited<ReturnType<typeof say>>[] = [];
    for (const body of ['a', 'b', 'c', 'd', 'e']) sent.push(await say(roomId, body));
    const [a, b, , d, e] = sent.map(list.cursor);
    const bodies = async (args: PageArgs) => (await list.page(args))?.rows.map((row) => row.body).join('');
    expect(await bodies({ after: e })).toBe('');
    expect(await bodies({ before: a, last: 3 })).toBe('');
    expect(await bodies({ after: a, before: e, first: 2 })).toBe('bc');
    expect(await bodies({ after: a, before: e, last: 2 })).toBe('cd');
    expect(await bodies({ after: b, before: d, first: 100 })).toBe('c');
    expect(await bodies({ after: d, before: b, first: 100 })).toBe('');
    expect(await list.page({ first: 5 })).toMatchObject({ hasNextPage: false, hasPreviousPage: false });
    expect(await list.page({ first: 4 })).toMatchObject({ hasNextPage: true });
    expect(await list.page({ last: 4 })).toMatchObject({ hasPreviousPage: true });
  });

  test('T8 replies and T7 former bodies', async () => {
    const random = createRandom('paging of replies and edits');
    const roomId = await createRoom(admin, { kind: 'GROUP', name: 'thread', topic: undefined, memberIds: [] });
    const parent = await say(roomId, 'parent');
    const other = await say(roomId, 'other');
    const replies: string[] = [];
    for (let index = 0; index < 25; index++) {
      replies.push((await say(roomId, `reply ${index}`, parent.id)).id);
      await say(roomId, 'elsewhere', other.id);
    }
    const replyList: List<typeof parent> = {
      page: async (args) => (await listReplies(admin, [parent], args))[0],
      cursor: (row) => roomPosition(roomId, row.seq),
      key: (row) => row.id,
    };
    const size = () => 1 + random.integer(6);
    expect(await forward(replyList, size)).toEqual(replies);
    expect(await backward(replyList, size)).toEqual(replies);
    // The same message, read in two places of a query, and another one.
    const [ofOne, ofOther, ofTheSame] = await listReplies(admin, [parent, other, { ...parent }], { first: 100 });
    expect(ofOne?.rows.map(({ id }) => id)).toEqual(replies);
    expect(ofOther?.rows).toHaveLength(25);
    expect(ofTheSame).toEqual(ofOne);

    for (let index = 0; index < 25; index++) await editMessage(admin, parent.id, `version ${index}`);
    const editList: List<Parameters<typeof editCursor>[0]> = {
      page: async (args) => (await listEdits(admin, [parent.id], args))[0],
      cursor: editCursor,
      key: (row) => row.body,
    };
    const former = ['parent', ...Array.from({ length: 24 }, (_, index) => `version ${index}`)];
    expect(await forward(editList, size)).toEqual(former);
    expect(await backward(editList, size)).toEqual(former);
  });
});

describe('other lists', () => {
  test('T3 members, by joining, also of those who joined in one moment', async () => {
    const random = createRandom('paging of members');
    const roomId = await createRoom(admin, { kind: 'GROUP', name: 'crowded', topic: undefined, memberIds: [] });
    for (let start = 0; start < crowd.length; start += 20) {
      await addMembers(
        admin,
        roomId,
        crowd.slice(start, start + 20).map((caller) => caller.actor.id),
      );
    }
    const rows = await admin.db.query(
      sql<{ id: string }>(
        'test.members',
        'SELECT actor_id AS id FROM members WHERE tenant_id = $1 AND room_id = $2 ORDER BY joined_at, actor_id',
      ),
      roomId,
    );
    const list: List<Parameters<typeof memberCursor>[0]> = {
      page: async (args) => (await listMembers(admin, [roomId], args))[0],
      cursor: memberCursor,
      key: (row) => row.actorId,
    };
    const size = () => 1 + random.integer(9);
    expect(rows).toHaveLength(everybody.length);
    expect(await forward(list, size)).toEqual(rows.map((row) => row.id));
    expect(await backward(list, size)).toEqual(rows.map((row) => row.id));
  });

  test('T5 rooms, the last active first, also of those that were made in one moment', async () => {
    const random = createRandom('paging of rooms');
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        createRoom(admin, { kind: 'CHANNEL', name: `room ${index}`, topic: undefined, memberIds: [] }),
      ),
    );
    await admin.db.query(
      sql<never>(
        'test.sameMoment',
        "UPDATE rooms SET last_activity_at = date_trunc('second', last_activity_at) WHERE tenant_id = $1",
      ),
    );
    const rows = await admin.db.query(
      sql<{ id: string }>(
        'test.rooms',
        'SELECT id FROM rooms WHERE tenant_id = $1 ORDER BY last_activity_at DESC, id DESC',
      ),
    );
    const list: List<Awaited<ReturnType<typeof listRooms>>['rows'][number]> = {
      page: (args) => listRooms(admin, { list: 'OWN', includeArchived: true, previews: random.integer(2) === 0 }, args),
      cursor: (view) => roomCursor(view.room),
      key: (view) => view.room.id,
    };
    const size = () => 1 + random.integer(9);
    expect(await forward(list, size)).toEqual(rows.map((row) => row.id));
    expect(await backward(list, size)).toEqual(rows.map((row) => row.id));
  });

  test('T8 users, by name, also of those with the same, and searched for', async () => {
    const random = createRandom('paging of users');
    const twins = await Promise.all(
      Array.from({ length: 12 }, (_, index) => house.callerOf(person('twins', `${index}`))),
    );
    const [first] = twins;
    if (!first) throw new Error('there is nobody');
    await first.db.query(sql<never>('test.sameName', "UPDATE actors SET name = 'Zoë 100%' WHERE tenant_id = $1"));
    const listOf = (search: string | null): List<Parameters<typeof userCursor>[0]> => ({
      page: (args) => listUsers(first, args, search),
      cursor: userCursor,
      key: (row) => row.id,
    });
    const size = () => 1 + random.integer(4);
    const ids = twins.map((caller) => caller.actor.id).sort();
    expect(await forward(listOf(null), size)).toEqual(ids);
    expect(await backward(listOf('ZOË'), size)).toEqual(ids);
    expect(await forward(listOf('0%'), size)).toEqual(ids);
    expect(await forward(listOf('0_'), size)).toEqual([]);
  });
});
