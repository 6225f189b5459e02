import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { setLegalHold } from '../../src/domains/governance/policies.service.ts';
import {
  cancelPurge,
  listPurges,
  previewPurge,
  purgeMessages,
  undoPurge,
  watchPurge,
} from '../../src/domains/governance/purge.service.ts';
import { purgeBatch } from '../../src/domains/governance/purging.service.ts';
import { removeMessage } from '../../src/domains/governance/removal.service.ts';
import { deleteMessage, editMessage, listMessages, sendMessage } from '../../src/domains/messages/messages.service.ts';
import { markRead } from '../../src/domains/reading/reading.service.ts';
import { joinRoom, leaveRoom } from '../../src/domains/rooms/membership.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { loadRooms, unreadCount } from '../../src/domains/rooms/rooms.service.ts';
import { DomainError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';
import { waitFor } from '../support/waiting.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 15 });
const deps = house.foundation.jobDeps;
let tenants = 0;

/** An admin and some agents of a tenant of their own. */
async function newTenant() {
  const tenant = `tenant ${++tenants}`;
  const admin = await house.callerOf(person(tenant, 'Ana', 'admin'));
  const agents = await Promise.all(['Bruno', 'Carla', 'Diego'].map((name) => house.callerOf(person(tenant, name))));
  return { admin, agents, everybody: [admin, ...agents] };
}

const say = (caller: Caller, roomId: string, body: string, replyToId?: string) =>
  sendMessage(caller, { roomId, body, nonce: undefined, replyToId });

async function newRoom(admin: Caller, members: readonly Caller[]): Promise<string> {
  const roomId = await createRoom(admin, { kind: 'CHANNEL', name: 'room', topic: undefined, memberIds: [] });
  for (const member of members) await joinRoom(member, roomId);
  return roomId;
}

/** Gets all purges of the tenant done, in small batches. */
async function work(caller: Caller, size = 7): Promise<void> {
  while (await purgeBatch(deps, caller.actor.tenantId, size));
}

const request = (mode: 'SOFT' | 'PERMANENT', roomId: string | null = null, before = new Date()) => ({
  before,
  roomId,
  mode,
  nonce: undefined,
});

/** A time after which everything comes that is sent from now on. */
async function tick(): Promise<Date> {
  const from = Date.now();
  await waitFor('the next millisecond', () => Date.now() > from + 1);
  return new Date();
}

/** What is unread by its definition, and the preview by its. */
const recount = sql<{ roomId: string; actorId: string; unread: bigint; shown: bigint; preview: boolean }>(
  'test.recountAll',
  `SELECT m.room_id AS "roomId", m.actor_id AS "actorId", r.message_count - m.read_count AS shown, (
     SELECT count(*) FROM messages msg
     WHERE msg.tenant_id = m.tenant_id AND msg.room_id = m.room_id AND msg.seq > m.last_read_seq
       AND msg.deleted_at IS NULL AND msg.kind <> 'SYSTEM' AND msg.author_id <> m.actor_id
   ) AS unread, r.last_message_seq IS NOT DISTINCT FROM (
     SELECT max(seq) FROM messages msg WHERE msg.tenant_id = m.tenant_id AND msg.room_id = m.room_id
       AND msg.deleted_at IS NULL AND msg.kind <> 'SYSTEM') AS preview
   FROM members m JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id WHERE m.tenant_id = $1`,
);

async function checkCounts(caller: Caller): Promise<void> {
  const rows = await caller.db.query(recount);
  expect(rows.filter((row) => row.unread !== row.shown || !row.preview)).toEqual([]);
}

const stored = sql<{ messages: bigint; live: bigint; edits: bigint; mentions: bigint }>(
  'test.stored',
  `SELECT (SELECT count(*) FROM messages WHERE tenant_id = $1 AND room_id = $2) AS messages,
     (SELECT count(*) FROM messages WHERE tenant_id = $1 AND room_id = $2 AND deleted_at IS NULL) AS live,
     (SELECT count(*) FROM message_edits WHERE tenant_id = $1) AS edits,
     (SELECT count(*) FROM mentions WHERE tenant_id = $1) AS mentions`,
);
const storedIn = async (caller: Caller, roomId: string) => (await caller.db.query(stored, roomId))[0];

test('G6, T9, T5 a random walk with purges, undoing, cancelling, removals and holds keeps counts and previews right', async () => {
  const random = createRandom('purges');
  const { admin, agents, everybody } = await newTenant();
  const rooms = [await newRoom(admin, agents), await newRoom(admin, agents), await newRoom(admin, agents)];
  const times: Date[] = [];
  const outcomes = new Map<string, number>();

  async function someMessage(roomId: string) {
    const [page] = await listMessages(admin, [roomId], { last: random.pick([1, 5, 30, 100]) });
    return page && page.rows.length > 0 ? random.pick(page.rows) : null;
  }

  async function somePurge() {
    const { rows } = await listPurges(admin, { first: 5 });
    return rows.length > 0 ? random.pick(rows) : null;
  }

  const doings: Record<string, { readonly weight: number; readonly run: (roomId: string) => Promise<unknown> }> = {
    send: { weight: 40, run: (roomId) => say(random.pick(everybody), roomId, 'said') },
    reply: {
      weight: 8,
      run: async (roomId) => {
        const message = await someMessage(roomId);
        return message && say(random.pick(everybody), roomId, 'answered', message.id);
      },
    },
    read: {
      weight: 14,
      run: async (roomId) =>
        markRead(random.pick(everybody), roomId, random.integer(4) === 0 ? undefined : (await someMessage(roomId))?.id),
    },
    delete: {
      weight: 6,
      run: async (roomId) => {
        const message = await someMessage(roomId);
        return message && deleteMessage(admin, message.id);
      },
    },
    edit: {
      weight: 5,
      run: async (roomId) => {
        const message = await someMessage(roomId);
        const author = everybody.find((caller) => caller.actor.id === message?.authorId);
        return message && author && editMessage(author, message.id, `edited ${random.integer(1_000)}`);
      },
    },
    leave: { weight: 3, run: (roomId) => leaveRoom(random.pick(agents), roomId) },
    join: { weight: 5, run: (roomId) => joinRoom(random.pick(agents), roomId) },
    purge: {
      weight: 5,
      run: (roomId) => {
        const before = random.pick([new Date(), ...times]);
        return purgeMessages(
          admin,
          request(random.pick(['SOFT', 'SOFT', 'PERMANENT']), random.pick([null, roomId]), before),
        );
      },
    },
    // Two processes at once, too.
    work: { weight: 25, run: () => purgeBatch(deps, admin.actor.tenantId, 1 + random.integer(9)) },
    cancel: {
      weight: 2,
      run: async () => {
        const purge = await somePurge();
        return purge && cancelPurge(admin, purge.id);
      },
    },
    undo: {
      weight: 5,
      run: async () => {
        const { rows } = await listPurges(admin, { first: 20 });
        const ended = rows.filter((purge) => purge.mode === 'SOFT' && purge.finishedAt && purge.rows > 0n);
        return ended.length > 0 ? undoPurge(admin, random.pick(ended).id) : undefined;
      },
    },
    // The newest places with times of long ago, as an import adds them.
    import: { weight: 3, run: (roomId) => fillRoom(random.pick(everybody), roomId, 1 + random.integer(4)) },
    remove: {
      weight: 4,
      run: async (roomId) => {
        const message = await someMessage(roomId);
        return message && removeMessage(admin, message.id);
      },
    },
    hold: {
      weight: 2,
      run: (roomId) => setLegalHold(admin, { roomId, held: random.integer(3) === 0, reason: 'a lawsuit' }),
    },
  };
  const deck = Object.entries(doings).flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));

  for (let round = 0; round < 120; round++) {
    times.push(new Date());
    if (times.length > 12) times.shift();
    const names = Array.from({ length: 5 + random.integer(12) }, () => random.pick(deck));
    const run = async (name: string) => doings[name]?.run(random.pick(rooms));
    const results: PromiseSettledResult<unknown>[] = [];
    if (round % 3 === 0) for (const name of names) results.push(...(await Promise.allSettled([run(name)])));
    else results.push(...(await Promise.allSettled(names.map(run))));
    results.forEach((result, index) => {
      const name = names[index] ?? '';
      if (result.status === 'fulfilled') outcomes.set(name, (outcomes.get(name) ?? 0) + 1);
      else if (!(result.reason instanceof DomainError)) throw result.reason;
    });
    await checkCounts(admin);
  }
  await work(admin);
  await checkCounts(admin);
  expect((await listPurges(admin, { first: 100 })).rows.some((purge) => purge.restored > 0n)).toBe(true);
  expect([...outcomes.keys()].sort()).toEqual(Object.keys(doings).sort());
  expect(house.log.traces()).toEqual([]);
});

test('G6, T8, T7 a PERMANENT purge leaves nothing of the old messages, and all of the newer ones', async () => {
  const { admin, agents } = await newTenant();
  const [bruno, carla] = agents;
  if (!bruno || !carla) throw new Error('there are agents');
  const roomId = await newRoom(admin, agents);
  const first = await say(bruno, roomId, `<@user_0> look`);
  await editMessage(bruno, first.id, 'look again');
  await deleteMessage(bruno, (await say(bruno, roomId, 'deleted by itself')).id);
  for (let index = 0; index < 40; index++) await say(bruno, roomId, `old ${index}`);
  const before = await tick();
  const reply = await say(carla, roomId, 'an answer', first.id);
  await say(carla, roomId, 'new');
  const version = async () => (await loadRooms(admin, [roomId]))[0]?.room.version ?? 0n;
  const versionBefore = await version();

  const preview = await previewPurge(admin, { before, roomId, mode: 'PERMANENT' });
  // What it counts besides: the reports of who joined, and of what was deleted nothing is left either.
  expect(preview).toEqual({ messages: 45n, rooms: 1n, heldRooms: 0n });
  expect(await previewPurge(admin, { before, roomId, mode: 'SOFT' })).toMatchObject({ messages: 44n });
  const purge = await purgeMessages(admin, request('PERMANENT', roomId, before));
  expect(purge).toMatchObject({ status: 'QUEUED', rows: 0n });
  await work(admin);

  expect(await storedIn(admin, roomId)).toEqual({ messages: 2n, live: 2n, edits: 0n, mentions: 0n });
  const [done] = (await listPurges(admin, {})).rows;
  expect(done).toMatchObject({ id: purge.id, status: 'DONE', rows: 45n, estimate: 45n, creatorId: admin.actor.id });
  expect(await version()).toBe(versionBefore + 1n);
  const [page] = await listMessages(admin, [roomId], {});
  expect(page?.rows.map((message) => message.body)).toEqual(['an answer', 'new']);
  expect(page?.rows.find((message) => message.id === reply.id)?.replyToId).toBeNull();
  await checkCounts(admin);
});

test('G6 a SOFT purge is undone exactly: what was deleted by itself stays deleted, and unread counts are as before', async () => {
  const { admin, agents, everybody } = await newTenant();
  const [bruno] = agents;
  if (!bruno) throw new Error('there are agents');
  const rooms = [await newRoom(admin, agents), await newRoom(admin, agents)];
  for (const roomId of rooms) {
    for (let index = 0; index < 20; index++) await say(bruno, roomId, `old ${index}`);
    await deleteMessage(bruno, (await say(bruno, roomId, 'deleted by itself')).id);
  }
  const state = async () => ({
    unread: await Promise.all(
      everybody.map(async (caller) => (await loadRooms(caller, rooms)).map((view) => view && unreadCount(view))),
    ),
    pages: (await listMessages(admin, rooms, { first: 100 })).map(({ rows }) =>
      rows.map((row) => [row.body, row.deletedAt]),
    ),
  });
  const before = await state();
  const purge = await purgeMessages(admin, request('SOFT', null, await tick()));
  await work(admin);
  const hidden = await state();
  expect(hidden.unread.flat()).toEqual(Array.from({ length: 8 }, () => 0));
  await checkCounts(admin);
  const undoing = await undoPurge(admin, purge.id);
  expect(undoing.status).toBe('UNDOING');
  await work(admin);
  expect(await state()).toEqual(before);
  await checkCounts(admin);
  await expect(cancelPurge(admin, purge.id)).rejects.toMatchObject({ code: 'PURGE_STATE' });
});

test('G6 a purge is cancelled on its way: what is gone is told as not complete, and can be undone', async () => {
  const { admin, agents } = await newTenant();
  const roomId = await newRoom(admin, agents);
  for (let index = 0; index < 30; index++) await say(admin, roomId, `old ${index}`);
  const start = (await loadRooms(admin, [roomId]))[0]?.room.version ?? 0n;
  const purge = await purgeMessages(admin, request('SOFT', roomId, await tick()));
  await purgeBatch(deps, admin.actor.tenantId, 10);
  await purgeBatch(deps, admin.actor.tenantId, 10);
  const cancelled = await cancelPurge(admin, purge.id);
  expect(cancelled).toMatchObject({ status: 'CANCELLED', rows: 20n });
  expect(await purgeBatch(deps, admin.actor.tenantId)).toBe(false);
  await checkCounts(admin);
  const events = admin.live.room(admin.db.tenantId, roomId, start);
  expect((await events.next()).value).toMatchObject({ type: 'MESSAGES_PURGED', mode: 'SOFT', complete: false });
  await undoPurge(admin, purge.id);
  await work(admin);
  expect((await events.next()).value).toMatchObject({ type: 'MESSAGES_RESTORED' });
  await events.return?.();
  expect(await storedIn(admin, roomId)).toMatchObject({ live: 33n });
  await checkCounts(admin);
});

test('G6 two processes at the same purges do each row once, and two purges of the same rows count them once', async () => {
  const { admin, agents } = await newTenant();
  const roomId = await newRoom(admin, agents);
  for (let index = 0; index < 60; index++) await say(admin, roomId, `old ${index}`);
  const purges = [
    await purgeMessages(admin, request('SOFT', roomId, await tick())),
    await purgeMessages(admin, request('SOFT', null, await tick())),
    await purgeMessages(admin, request('PERMANENT', null, await tick())),
  ];
  await Promise.all([work(admin, 3), work(admin, 5), work(admin, 4)]);
  const { rows } = await listPurges(admin, {});
  expect(rows.map((purge) => [purge.status, purge.rows])).toEqual([
    ['DONE', 63n],
    ['DONE', 0n],
    ['DONE', 63n],
  ]);
  expect(rows.map((purge) => purge.id)).toEqual(purges.map((purge) => purge.id).reverse());
  await checkCounts(admin);
});

test('G6, R5 sends go on while a purge runs, and who resumes across it gets each change once, in order', async () => {
  const { admin, agents } = await newTenant();
  const [bruno] = agents;
  if (!bruno) throw new Error('there are agents');
  const roomId = await newRoom(admin, agents);
  const start = (await loadRooms(admin, [roomId]))[0]?.room.version ?? 0n;
  const target = await say(admin, roomId, 'a question');
  for (let index = 0; index < 50; index++) await say(admin, roomId, `old ${index}`);
  const before = await tick();
  await purgeMessages(admin, request('PERMANENT', roomId, before));
  const sent: string[] = [];
  const sending = (async () => {
    for (let index = 0; index < 30; index++) {
      const answer = say(bruno, roomId, `new ${index}`, index % 3 === 0 ? target.id : undefined);
      // What it answers may be gone by then.
      await answer.then(
        (message) => sent.push(message.id),
        (error: unknown) => expect(error).toMatchObject({ code: 'NOT_FOUND' }),
      );
    }
  })();
  await Promise.all([sending, work(admin, 4)]);
  const end = (await loadRooms(admin, [roomId]))[0]?.room.version ?? 0n;
  const got: { readonly type: string; readonly version: bigint; readonly id: string | undefined }[] = [];
  for await (const event of admin.live.room(admin.db.tenantId, roomId, start)) {
    if (!('version' in event)) throw new Error(`not a change: ${event.type}`);
    got.push({ type: event.type, version: event.version, id: 'message' in event ? event.message.id : undefined });
    if (event.version >= end) break;
  }
  expect(got.map((event) => event.version)).toEqual(
    got.map((event) => event.version).toSorted((a, b) => Number(a - b)),
  );
  expect(got.filter((event) => event.type === 'MESSAGE_ADDED').map((event) => event.id)).toEqual(sent);
  expect(got.filter((event) => event.type === 'MESSAGES_PURGED')).toHaveLength(1);
  await checkCounts(admin);
  expect(house.log.traces()).toEqual([]);
});

test('G6 a thread longer than a batch is let go in batches', async () => {
  const { admin, agents } = await newTenant();
  const roomId = await newRoom(admin, agents);
  const question = await say(admin, roomId, 'a question');
  const before = await tick();
  for (let index = 0; index < 25; index++) await say(admin, roomId, `answer ${index}`, question.id);
  await purgeMessages(admin, request('PERMANENT', roomId, before));
  await work(admin, 6);
  expect(await storedIn(admin, roomId)).toMatchObject({ messages: 25n });
  expect((await listMessages(admin, [roomId], { first: 100 }))[0]?.rows.some((row) => row.replyToId)).toBe(false);
});

test('G6 the same nonce gives the same purge, also at the same time', async () => {
  const { admin } = await newTenant();
  const before = new Date();
  const ask = () => purgeMessages(admin, { ...request('SOFT', null, before), nonce: 'once' });
  const all = await Promise.all([ask(), ask(), ask(), ask()]);
  expect(new Set([...all, await ask()].map((purge) => purge.id)).size).toBe(1);
});

test('G6 progress shows the state first, then changes, and ends with the purge', async () => {
  const { admin, agents } = await newTenant();
  const roomId = await newRoom(admin, agents);
  for (let index = 0; index < 30; index++) await say(admin, roomId, `old ${index}`);
  const purge = await purgeMessages(admin, request('SOFT', roomId, await tick()));
  const seen: { readonly status: string; readonly rows: bigint }[] = [];
  const watching = (async () => {
    for await (const state of await watchPurge(admin, purge.id)) seen.push({ status: state.status, rows: state.rows });
  })();
  await waitFor('the first state', () => seen.length === 1);
  await purgeBatch(deps, admin.actor.tenantId, 10);
  await waitFor('the second state', () => seen.length === 2);
  await work(admin);
  await watching;
  expect(seen[0]).toEqual({ status: 'QUEUED', rows: 0n });
  expect(seen[1]).toEqual({ status: 'RUNNING', rows: 10n });
  expect(seen.at(-1)).toEqual({ status: 'DONE', rows: 33n });
});

test('G1 a purge of a whole tenant touches no other', async () => {
  const [one, two] = [await newTenant(), await newTenant()];
  const [roomId, otherRoomId] = [await newRoom(one.admin, one.agents), await newRoom(two.admin, two.agents)];
  await say(one.admin, roomId, 'mine');
  await say(two.admin, otherRoomId, 'theirs');
  const other = await storedIn(two.admin, otherRoomId);
  const purge = await purgeMessages(one.admin, request('PERMANENT', null, await tick()));
  await work(one.admin);
  expect(await storedIn(one.admin, roomId)).toMatchObject({ messages: 0n });
  expect(await storedIn(two.admin, otherRoomId)).toEqual(other);
  await expect(cancelPurge(two.admin, purge.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(purgeMessages(two.admin, request('SOFT', roomId, await tick()))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
  expect((await listPurges(two.admin, {})).rows).toEqual([]);
});

test('G6, G2 who may not purge, and what cannot be meant, is refused and writes nothing', async () => {
  const { admin, agents } = await newTenant();
  const [bruno] = agents;
  if (!bruno) throw new Error('there are agents');
  const future = new Date(Date.now() + 60_000);
  await expect(purgeMessages(admin, request('SOFT', null, future))).rejects.toMatchObject({ field: 'input.before' });
  await expect(purgeMessages(admin, { ...request('SOFT'), nonce: ' ' })).rejects.toMatchObject({
    field: 'input.nonce',
  });
  await expect(purgeMessages(bruno, request('SOFT', null, await tick()))).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(previewPurge(bruno, { before: new Date(), roomId: null, mode: 'SOFT' })).rejects.toMatchObject({
    code: 'FORBIDDEN',
  });
  expect((await listPurges(admin, {})).rows).toEqual([]);
  const purge = await purgeMessages(admin, request('PERMANENT', null, await tick()));
  await expect(undoPurge(admin, purge.id)).rejects.toMatchObject({ code: 'PURGE_STATE' });
});

test('T7 a single message is removed for good: its edits, and what answered it, let go of it', async () => {
  const { admin, agents } = await newTenant();
  const [bruno, carla] = agents;
  if (!bruno || !carla) throw new Error('there are agents');
  const roomId = await newRoom(admin, agents);
  const kept = await say(bruno, roomId, 'kept');
  const message = await say(bruno, roomId, 'a secret');
  await editMessage(bruno, message.id, 'a secret still');
  const reply = await say(carla, roomId, 'oh', message.id);
  await deleteMessage(carla, reply.id);
  const { version } = await removeMessage(admin, message.id);
  const [page] = await listMessages(admin, [roomId], { last: 2 });
  expect(page?.rows.map((row) => [row.id, row.replyToId])).toEqual([
    [kept.id, null],
    [reply.id, null],
  ]);
  expect(await storedIn(admin, roomId)).toMatchObject({ edits: 0n });
  await checkCounts(admin);
  const events = admin.live.room(admin.db.tenantId, roomId, version - 1n);
  expect((await events.next()).value).toMatchObject({ type: 'MESSAGE_REMOVED', messageId: message.id, version });
  await events.return?.();
  await expect(removeMessage(admin, message.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(removeMessage(bruno, kept.id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
});
