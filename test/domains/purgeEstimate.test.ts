import { expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { progressOf } from '../../src/domains/governance/purge.rules.ts';
import { listPurges, previewPurge, purgeMessages } from '../../src/domains/governance/purge.service.ts';
import { purgeBatch } from '../../src/domains/governance/purging.service.ts';
import { createRoom } from '../../src/domains/rooms/opening.service.ts';
import { TimeoutError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { person } from '../support/people.ts';
import { waitFor } from '../support/waiting.ts';

const house = await openHouse({
  databaseUrl: await createTestDatabase(),
  settings: { STATEMENT_TIMEOUT_MS: '1000' },
});
const deps = house.foundation.jobDeps;

const lockMessages = sql<never>('test.lockMessages', 'LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');

test('G6 a purge of more than can be counted in time gets on without an estimate, and says so', async () => {
  const admin = await house.callerOf(person('acme', 'Ana', 'admin'));
  const roomId = await createRoom(admin, { kind: 'GROUP', name: 'old', topic: undefined, memberIds: [] });
  await fillRoom(admin, roomId, 25);
  const input = { before: new Date(), roomId: null, mode: 'PERMANENT', nonce: undefined } as const;
  await purgeMessages(admin, input);
  const only = async () => (await listPurges(admin, {})).rows[0];

  // Whoever counts waits for the lock, as long as a statement may take: as one that has too much to count.
  let firstBatch: Promise<boolean> | undefined;
  await house.foundation.database.engine.transaction(async (run) => {
    await run(lockMessages, []);
    await expect(previewPurge(admin, input)).rejects.toBeInstanceOf(TimeoutError);
    firstBatch = purgeBatch(deps, admin.actor.tenantId, 10);
    await waitFor('the end of the counting', () =>
      house.log.lines.some((line) => line.msg === 'what there is to purge could not be counted'),
    );
  });
  expect(await firstBatch).toBe(true);

  const underWay = await only();
  expect(underWay).toMatchObject({ status: 'RUNNING', estimate: null, rows: 10n, failures: 0 });
  expect(underWay && progressOf(underWay)).toBeNull();
  while (await purgeBatch(deps, admin.actor.tenantId, 10));
  const done = await only();
  expect(done).toMatchObject({ status: 'DONE', estimate: null, rows: 25n });
  expect(done && progressOf(done)).toBe(1);
});
