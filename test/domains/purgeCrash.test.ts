import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { purgeMessages } from '../../src/domains/governance/purge.service.ts';
import { findPurgeByKey } from '../../src/domains/governance/purge.store.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { person, secret } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const house = await openHouse({ databaseUrl });
const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const workers: ChildProcess[] = [];
afterAll(() => {
  for (const worker of workers) worker.kill('SIGKILL');
});

/** The real program in the role of a worker. */
function startWorker() {
  const child = spawn(process.execPath, [program], {
    env: {
      PATH: process.env.PATH,
      NODE_ENV: 'production',
      ROLES: 'worker',
      DATABASE_URL: databaseUrl,
      AUTH_JWT_SECRET: secret,
    },
    stdio: 'ignore',
  });
  const exited = new Promise((resolve) => child.once('close', resolve));
  workers.push(child);
  return { child, exited };
}

const counts = sql<{ messages: bigint; unread: bigint; shown: bigint; purged: bigint }>(
  'test.counts',
  `SELECT count(msg.id) AS messages,
     count(*) FILTER (WHERE msg.seq > m.last_read_seq AND msg.author_id <> m.actor_id AND msg.kind <> 'SYSTEM') AS unread,
     (SELECT r.message_count FROM rooms r WHERE r.tenant_id = $1 AND r.id = $2) - m.read_count AS shown,
     (SELECT count(*) FROM room_changes c WHERE c.tenant_id = $1 AND c.room_id = $2 AND c.kind = 'MESSAGES_PURGED') AS purged
   FROM members m LEFT JOIN messages msg ON msg.tenant_id = $1 AND msg.room_id = $2
   WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.actor_id = $3 GROUP BY m.read_count`,
);

test('G6 a worker killed in the middle of a purge: the next one goes on where it was, and counts each row once', async () => {
  const admin = await house.callerOf(person('acme', 'Ana', 'admin'));
  const bruno = await house.callerOf(person('acme', 'Bruno'));
  const roomId = await createRoom(admin, {
    kind: 'GROUP',
    name: 'old',
    topic: undefined,
    memberIds: [bruno.actor.id],
  });
  const total = 30_000;
  await fillRoom(admin, roomId, total);
  const before = new Date();
  await purgeMessages(admin, { before, roomId, mode: 'PERMANENT', nonce: 'crash' });
  const key = `${admin.actor.id}:crash`;
  const purge = () => findPurgeByKey(admin.db, key);

  const first = startWorker();
  await waitFor('the purge to be under way', async () => ((await purge())?.rows ?? 0n) > 2_000n);
  first.child.kill('SIGKILL');
  await first.exited;
  const atCrash = await purge();
  expect(atCrash).toMatchObject({ status: 'RUNNING' });
  expect(atCrash?.rows).toBeLessThan(BigInt(total));

  startWorker();
  await waitFor('the purge to be done', async () => (await purge())?.status === 'DONE');
  // And the reports of who was added.
  const done = await purge();
  expect(done?.rows).toBe(done?.estimate);
  expect(Number(done?.rows)).toBeGreaterThanOrEqual(total);
  expect(await bruno.db.query(counts, roomId, bruno.actor.id)).toMatchObject([
    { messages: 0n, unread: 0n, shown: 0n, purged: 1n },
  ]);
}, 90_000);
