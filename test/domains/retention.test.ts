import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { listRoomPolicies, setLegalHold, setRetention } from '../../src/domains/governance/policies.service.ts';
import { listPurges, previewPurge, purgeMessages } from '../../src/domains/governance/purge.service.ts';
import { purgeBatch } from '../../src/domains/governance/purging.service.ts';
import { removeMessage } from '../../src/domains/governance/removal.service.ts';
import { startRetention } from '../../src/domains/governance/retention.service.ts';
import { sendMessage } from '../../src/domains/messages/messages.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase() });
const deps = house.foundation.jobDeps;
const day = 24 * 60 * 60 * 1000;
let tenants = 0;

const newAdmin = () => house.callerOf(person(`tenant ${++tenants}`, 'Ana', 'admin'));
const newRoom = (caller: Caller) =>
  createRoom(caller, { kind: 'GROUP', name: 'room', topic: undefined, memberIds: [] });
const say = (caller: Caller, roomId: string, body: string) =>
  sendMessage(caller, { roomId, body, nonce: undefined, replyToId: undefined });

const age = sql<never>(
  'test.age',
  `UPDATE messages SET created_at = clock_timestamp() - make_interval(days => $3) WHERE tenant_id = $1 AND id = $2`,
);

/** Messages as many days old as their bodies say. */
async function fill(caller: Caller, roomId: string, days: readonly number[]): Promise<void> {
  for (const old of days) {
    const message = await say(caller, roomId, String(old));
    await caller.db.query(age, message.id, old);
  }
}

const remaining = sql<{ body: string }>(
  'test.remaining',
  `SELECT body FROM messages WHERE tenant_id = $1 AND room_id = $2 AND deleted_at IS NULL ORDER BY created_at`,
);
const left = async (caller: Caller, roomId: string) =>
  (await caller.db.query(remaining, roomId)).map((row) => Number(row.body));

async function runDay(caller: Caller, now = new Date()): Promise<void> {
  await startRetention(deps, now);
  while (await purgeBatch(deps, caller.actor.tenantId));
}

const keep = (caller: Caller, roomId: string | null, days: number | null, mode: 'SOFT' | 'PERMANENT' = 'PERMANENT') =>
  setRetention(caller, { roomId, days, mode });
const hold = (caller: Caller, roomId: string | null, held: boolean) =>
  setLegalHold(caller, { roomId, held, reason: held ? 'a lawsuit' : undefined });

test('G7 of the retention of tenant and room the shorter holds, with its mode; one run a day', async () => {
  const admin = await newAdmin();
  const [shorter, longer, none] = [await newRoom(admin), await newRoom(admin), await newRoom(admin)];
  for (const roomId of [shorter, longer, none]) await fill(admin, roomId, [100, 50, 20, 5]);
  await keep(admin, null, 60);
  await keep(admin, shorter, 10, 'SOFT');
  await keep(admin, longer, 90);
  await runDay(admin);
  expect(await left(admin, shorter)).toEqual([5]);
  expect(await left(admin, longer)).toEqual([50, 20, 5]);
  expect(await left(admin, none)).toEqual([50, 20, 5]);
  const { rows } = await listPurges(admin, {});
  expect(rows.map(({ mode, rows: count, creatorId, status }) => [mode, count, creatorId, status])).toEqual([
    ['PERMANENT', 2n, null, 'DONE'],
    ['SOFT', 3n, null, 'DONE'],
  ]);
  await keep(admin, null, 30);
  await runDay(admin);
  expect(await left(admin, none)).toEqual([50, 20, 5]);
  await runDay(admin, new Date(Date.now() + day));
  expect(await left(admin, none)).toEqual([20, 5]);
  expect(await left(admin, longer)).toEqual([20, 5]);
});

test('G7 without retention, or with nothing old enough, there is no run; null takes retention back', async () => {
  const admin = await newAdmin();
  const roomId = await newRoom(admin);
  await fill(admin, roomId, [20, 5]);
  await runDay(admin);
  await keep(admin, roomId, 30);
  await runDay(admin);
  await keep(admin, roomId, 10);
  await keep(admin, roomId, null);
  await runDay(admin);
  expect(await left(admin, roomId)).toEqual([20, 5]);
  expect((await listPurges(admin, {})).rows).toEqual([]);
});

test('G6, G7 a legal hold on a room wins over purges, retention and removal; a purge of the tenant leaves it out', async () => {
  const admin = await newAdmin();
  const [held, free] = [await newRoom(admin), await newRoom(admin)];
  for (const roomId of [held, free]) await fill(admin, roomId, [100, 5]);
  const message = await say(admin, held, '0');
  await hold(admin, held, true);
  const input = { before: new Date(), mode: 'PERMANENT', nonce: undefined } as const;
  const refusal = { code: 'LEGAL_HOLD', scope: 'ROOM' };
  await expect(purgeMessages(admin, { ...input, roomId: held })).rejects.toMatchObject(refusal);
  await expect(previewPurge(admin, { ...input, roomId: held })).rejects.toMatchObject(refusal);
  await expect(removeMessage(admin, message.id)).rejects.toMatchObject(refusal);
  expect(await previewPurge(admin, { ...input, roomId: null })).toEqual({ messages: 2n, rooms: 1n, heldRooms: 1n });
  await keep(admin, null, 30);
  await runDay(admin);
  await purgeMessages(admin, { ...input, roomId: null });
  await runDay(admin);
  expect(await left(admin, held)).toEqual([100, 5, 0]);
  expect(await left(admin, free)).toEqual([]);
  expect((await listRoomPolicies(admin, {})).rows).toMatchObject([{ roomId: held, holdReason: 'a lawsuit' }]);
  await hold(admin, held, false);
  await removeMessage(admin, message.id);
  expect(await left(admin, held)).toEqual([100, 5]);
});

test('G6, G7 a legal hold on the tenant refuses everything, and ends what is under way', async () => {
  const admin = await newAdmin();
  const roomId = await newRoom(admin);
  await fill(admin, roomId, [100, 90, 80, 70]);
  await keep(admin, null, 30);
  const input = { before: new Date(), roomId, mode: 'SOFT', nonce: undefined } as const;
  const purge = await purgeMessages(admin, input);
  await purgeBatch(deps, admin.actor.tenantId, 2);
  await hold(admin, null, true);
  await purgeBatch(deps, admin.actor.tenantId, 2);
  expect((await listPurges(admin, {})).rows).toMatchObject([
    { id: purge.id, status: 'FAILED', failure: 'LEGAL_HOLD', rows: 2n },
  ]);
  await expect(purgeMessages(admin, input)).rejects.toMatchObject({ code: 'LEGAL_HOLD', scope: 'TENANT' });
  await runDay(admin);
  expect(await left(admin, roomId)).toEqual([80, 70]);
});

test('G2, G7 only admins set retention and holds; what makes no sense is refused', async () => {
  const admin = await newAdmin();
  const agent = await house.callerOf(person(`tenant ${tenants}`, 'Bruno', 'supervisor'));
  await expect(keep(agent, null, 30)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(hold(agent, null, true)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  await expect(keep(admin, null, 0)).rejects.toMatchObject({ field: 'input.days' });
  await expect(keep(admin, '00000000-0000-7000-8000-000000000000', 5)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const unexplained = setLegalHold(admin, { roomId: null, held: true, reason: undefined });
  await expect(unexplained).rejects.toMatchObject({ field: 'input.reason' });
});
