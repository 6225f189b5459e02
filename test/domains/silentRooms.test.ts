import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { listAuditLog } from '../../src/domains/governance/audit.service.ts';
import {
  listSilentRooms,
  loadPolicy,
  setRetention,
  setSilentDays,
} from '../../src/domains/governance/policies.service.ts';
import { noteSilentRooms } from '../../src/domains/governance/retention.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { setArchived } from '../../src/domains/rooms/rooms.service.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), settings: { SILENT_ROOM_DAYS: '60' } });
const deps = house.foundation.jobDeps;
const now = new Date();
const inDays = (days: number) => new Date(now.getTime() + days * 24 * 60 * 60 * 1000);
let tenants = 0;

const newAdmin = () => house.callerOf(person(`tenant ${++tenants}`, 'Ana', 'admin'));

const silence = sql<never>('test.silence', 'UPDATE rooms SET last_activity_at = $3 WHERE tenant_id = $1 AND id = $2');

/** Rooms whose last message came so many days ago. @returns their ids. */
async function roomsSilentFor(caller: Caller, ...days: readonly number[]): Promise<string[]> {
  const ids: string[] = [];
  for (const old of days) {
    const roomId = await createRoom(caller, { kind: 'GROUP', name: 'room', topic: undefined, memberIds: [] });
    await caller.db.query(silence, roomId, inDays(-old));
    ids.push(roomId);
  }
  return ids;
}

/** What the notices in the audit trail of the tenant say, the oldest first. */
async function noticesOf(caller: Caller): Promise<object[]> {
  const { rows } = await listAuditLog(caller, { action: 'room.silent' }, {});
  return rows.map((entry) => entry.metadata).reverse();
}

test('G7 rooms that have been silent are listed, the longest first, of the tenant only', async () => {
  const [admin, other] = [await newAdmin(), await newAdmin()];
  const [first, second] = await roomsSilentFor(admin, 91, 400);
  await roomsSilentFor(other, 0);
  const { rows } = await listSilentRooms(admin, 30, {});
  expect(rows.map((room) => room.roomId)).toEqual([second, first]);
  expect((await listSilentRooms(other, 30, {})).rows).toEqual([]);
  await expect(listSilentRooms(admin, 0, {})).rejects.toMatchObject({ field: 'days' });
});

test('G7 each silence is noted once, in the log and in the audit trail, after the days of the setting', async () => {
  const [admin, other] = [await newAdmin(), await newAdmin()];
  const [, , archived] = await roomsSilentFor(admin, 60.1, 400, 400, 59.9);
  await setArchived(admin, archived ?? '', true);
  await admin.db.query(silence, archived ?? '', inDays(-400));
  await roomsSilentFor(other, 5);
  await noteSilentRooms(deps, now);
  expect(await noteSilentRooms(deps, now)).toBe(0);
  expect(await noticesOf(admin)).toEqual([{ rooms: 2, days: 60 }]);
  expect(await noticesOf(other)).toEqual([]);
  const lines = house.log.lines.filter((line) => line.msg === 'rooms have fallen silent');
  expect(lines.filter((line) => line.tenant === admin.actor.tenantId)).toMatchObject([{ rooms: 2, days: 60 }]);
  await noteSilentRooms(deps, inDays(1));
  expect(await noticesOf(admin)).toEqual([
    { rooms: 2, days: 60 },
    { rooms: 1, days: 60 },
  ]);
});

test('G7 nights without a run are made up for by the next one', async () => {
  const admin = await newAdmin();
  await roomsSilentFor(admin, 70);
  await noteSilentRooms(deps, now);
  await roomsSilentFor(admin, 59, 57, 40);
  await noteSilentRooms(deps, inDays(5));
  expect((await noticesOf(admin)).at(-1)).toEqual({ rooms: 2, days: 60 });
});

test('G7 a room in which somebody spoke again is noted again when it has fallen silent again', async () => {
  const admin = await newAdmin();
  const [roomId = ''] = await roomsSilentFor(admin, 70);
  await noteSilentRooms(deps, now);
  await admin.db.query(silence, roomId, now);
  await noteSilentRooms(deps, inDays(59));
  expect(await noticesOf(admin)).toHaveLength(1);
  await noteSilentRooms(deps, inDays(61));
  expect(await noticesOf(admin)).toHaveLength(2);
});

test('G7 two runs at the same time note the same rooms once', async () => {
  const admin = await newAdmin();
  await roomsSilentFor(admin, 70, 80);
  await Promise.all(Array.from({ length: 6 }, () => noteSilentRooms(deps, now)));
  expect(await noticesOf(admin)).toEqual([{ rooms: 2, days: 60 }]);
});

test('G4, G7 a tenant says after how many days, audited; changing it neither leaves a room out nor notes it twice', async () => {
  const admin = await newAdmin();
  await roomsSilentFor(admin, 10, 25, 70);
  await noteSilentRooms(deps, now);
  expect(await setSilentDays(admin, 20)).toMatchObject({ roomId: null, silentDays: 20 });
  // What is said about retention stands beside it.
  await setRetention(admin, { roomId: null, days: 400, mode: 'SOFT' });
  expect(await loadPolicy(admin, null)).toMatchObject({ silentDays: 20, retentionDays: 400 });
  await noteSilentRooms(deps, now);
  await setSilentDays(admin, null);
  await noteSilentRooms(deps, inDays(35.1));
  expect(await noticesOf(admin)).toEqual([
    { rooms: 1, days: 60 },
    { rooms: 1, days: 20 },
  ]);
  await noteSilentRooms(deps, inDays(50.1));
  expect((await noticesOf(admin)).at(-1)).toEqual({ rooms: 1, days: 60 });
  const { rows } = await listAuditLog(admin, { action: 'silence.set' }, {});
  expect(rows.map(({ actorId, metadata }) => [actorId, metadata])).toEqual([
    [admin.actor.id, { days: null }],
    [admin.actor.id, { days: 20 }],
  ]);
});

test('G2, G7 only admins say so; what makes no sense is refused, and nothing is written', async () => {
  const admin = await newAdmin();
  const supervisor = await house.callerOf(person(`tenant ${tenants}`, 'Bruno', 'supervisor'));
  await expect(setSilentDays(supervisor, 30)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  for (const days of [0, -1, 36_501]) {
    await expect(setSilentDays(admin, days)).rejects.toMatchObject({ field: 'input.days' });
  }
  expect(await loadPolicy(admin, null)).toMatchObject({ silentDays: null });
});
