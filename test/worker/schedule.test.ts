import { PgBoss } from 'pg-boss';
import { afterEach, expect, test } from 'vitest';
import { type Statement, sql } from '../../src/db/sql.ts';
import type { Caller } from '../../src/domains/caller.ts';
import { setRetention } from '../../src/domains/governance/policies.service.ts';
import { listPurges } from '../../src/domains/governance/purge.service.ts';
import { insertPurge } from '../../src/domains/governance/purge.store.ts';
import { purgeBatch } from '../../src/domains/governance/purging.service.ts';
import { sendMessage } from '../../src/domains/messages/messages.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { updateRoom } from '../../src/domains/rooms/rooms.service.ts';
import { startWorker, type Worker } from '../../src/worker/worker.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

// A worker and its queue as they are in production, on a real PostgreSQL. Only time is helped along: the tests write into
// the tables of pg-boss when it last looked what is due.

const house = await openHouse({ databaseUrl: await createTestDatabase() });
const { engine } = house.foundation.database;
const deps = house.foundation.jobDeps;
const run = <Row>(statement: Statement<Row>) => engine.run(statement, []);

const running: Worker[] = [];
afterEach(async () => {
  for (const worker of running.splice(0)) await worker.close();
});

async function start(): Promise<void> {
  running.push(await startWorker(engine.jobStore, deps, house.log.logger));
}

async function stop(): Promise<void> {
  await running.pop()?.close();
}

const schedules = sql<{ name: string; cron: string; timezone: string; done: boolean }>(
  'test.schedules',
  `SELECT s.name, s.cron, s.timezone,
     EXISTS (SELECT FROM pgboss.job j WHERE j.name = s.name AND j.id = s.last_job_id AND j.state = 'completed') AS done
   FROM pgboss.schedule s ORDER BY s.name`,
);

const daysAgo = (days: number) => new Date(Date.now() - days * 24 * 60 * 60 * 1000);
const newAdmin = (tenant: string) => house.callerOf(person(tenant, 'Ana', 'admin'));

const age = sql<never>('test.age', 'UPDATE messages SET created_at = $3 WHERE tenant_id = $1 AND id = $2');
const bodies = sql<{ body: string }>(
  'test.bodies',
  'SELECT body FROM messages WHERE tenant_id = $1 ORDER BY created_at',
);

/** A room of the admin's with a message of yesterday, and one that is a hundred days old. */
async function roomWithHistory(admin: Caller): Promise<string> {
  const roomId = await createRoom(admin, { kind: 'GROUP', name: 'room', topic: undefined, memberIds: [] });
  const say = (body: string) => sendMessage(admin, { roomId, body, nonce: undefined, replyToId: undefined });
  await admin.db.query(age, (await say('old')).id, daysAgo(100));
  await admin.db.query(age, (await say('new')).id, daysAgo(1));
  return roomId;
}

const bodiesOf = async (caller: Caller) => (await caller.db.query(bodies)).map((row) => row.body);

const standStill = sql<never>(
  'test.standStill',
  `UPDATE purges SET touched_at = clock_timestamp() - interval '1 minute' WHERE tenant_id = $1`,
);

/** A purge of two messages whose process died after the first; there is no job for it. */
async function leftPurge(admin: Caller): Promise<void> {
  const roomId = await roomWithHistory(admin);
  const purge = { key: null, creatorId: admin.actor.id, roomId, mode: 'PERMANENT', before: new Date() } as const;
  await admin.db.transaction((tx) => insertPurge(tx, purge));
  await purgeBatch(deps, admin.actor.tenantId, 1);
  expect(await statusOf(admin)).toBe('RUNNING');
  await admin.db.query(standStill);
}

const statusOf = async (admin: Caller) => (await listPurges(admin, {})).rows[0]?.status;

test('G6, G7 a worker that starts registers every job that comes by the clock, in UTC', async () => {
  await start();
  expect(await run(schedules)).toMatchObject([
    { name: 'governance.resume-purges', cron: '* * * * *', timezone: 'UTC' },
    { name: 'governance.retention', cron: '31 3 * * *', timezone: 'UTC' },
    { name: 'governance.silent-rooms', cron: '41 3 * * *', timezone: 'UTC' },
    { name: 'rooms.trim-logs', cron: '17 3 * * *', timezone: 'UTC' },
  ]);
  await stop();
  await start();
  expect(await run(schedules)).toHaveLength(4);
});

test('G6 a purge that was left with its job lost is taken up by the job that comes every minute', async () => {
  const admin = await newAdmin('left');
  await start();
  const boss = new PgBoss({ ...engine.jobStore, supervise: false, schedule: false });
  await boss.start();
  await waitFor('the look at the start', async () => {
    const jobs = await boss.findJobs('governance.resume-purges');
    return jobs.length > 0 && jobs.every((job) => job.state === 'completed');
  });
  await leftPurge(admin);
  // As the clock does, without `starting`.
  await boss.send('governance.resume-purges');
  await waitFor('the end of the purge', async () => (await statusOf(admin)) === 'DONE');
  expect(await bodiesOf(admin)).toEqual([]);
  await boss.stop({ graceful: false });
});

const dayWithoutWorker = [
  sql<never>('test.lastPass', `UPDATE pgboss.version SET cron_on = now() - interval '25 hours'`),
  sql<never>('test.written', `UPDATE pgboss.schedule SET created_on = now() - interval '9 days', last_job_id = NULL`),
];
const ageChanges = sql<never>(
  'test.ageChanges',
  `UPDATE room_changes SET created_at = $3 WHERE tenant_id = $1 AND room_id = $2`,
);
const changes = sql<{ version: bigint }>(
  'test.changes',
  'SELECT version FROM room_changes WHERE tenant_id = $1 AND room_id = $2',
);
const silence = sql<never>('test.silence', 'UPDATE rooms SET last_activity_at = $3 WHERE tenant_id = $1 AND id = $2');

test('G6, G7 what came due is run, for a night without a worker by the next one that starts', async () => {
  const [kept, silent, changed] = [await newAdmin('kept'), await newAdmin('silent'), await newAdmin('changed')];
  await roomWithHistory(kept);
  await setRetention(kept, { roomId: null, days: 30, mode: 'PERMANENT' });
  await silent.db.query(silence, await roomWithHistory(silent), daysAgo(91));
  const room = await roomWithHistory(changed);
  for (const topic of ['one', 'two', 'three']) await updateRoom(changed, room, { topic });
  await changed.db.query(ageChanges, room, daysAgo(31));
  await updateRoom(changed, room, { topic: 'four' });
  await start();
  await stop();
  expect(await bodiesOf(kept)).toEqual(['old', 'new']);

  for (const statement of dayWithoutWorker) await run(statement);
  await start();
  await waitFor('all jobs', async () => (await run(schedules)).every((schedule) => schedule.done));
  await waitFor('retention', async () => (await bodiesOf(kept)).join() === 'new');
  expect((await listPurges(kept, {})).rows).toMatchObject([{ creatorId: null, rows: 1n }]);
  expect(await changed.db.query(changes, room)).toHaveLength(1);
  expect(house.log.lines.filter((line) => line.msg === 'rooms have fallen silent')).toMatchObject([
    { tenant: silent.actor.tenantId, rooms: 1, days: 90 },
  ]);
});
