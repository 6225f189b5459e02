import { afterAll, expect, test } from 'vitest';
import { applyMigrations } from '../../src/db/migrations.ts';
import { startWorker } from '../../src/worker/worker.ts';
import { startPostgres } from '../services/postgres.ts';
import { openHouse } from '../support/house.ts';
import { waitFor } from '../support/waiting.ts';

const postgres = await startPostgres({ durable: true });
afterAll(() => postgres.stop());
await applyMigrations(postgres.url);
const { foundation, log } = await openHouse({ databaseUrl: postgres.url });

test('R9 a worker tells of an outage in two lines, however often it asks for jobs, and goes on', async () => {
  const worker = await startWorker(foundation.database.engine.jobStore, foundation.jobDeps, log.logger);
  const before = log.lines.length;
  const since = () => log.lines.slice(before);
  const waits = () => since().filter(({ msg }) => msg === 'the queue of jobs waits for the database').length;
  await postgres.kill('immediate');
  await waitFor('several tries', () => waits() > 10);
  await postgres.restart();
  await waitFor('the end of the outage', () => since().some(({ msg }) => /again/.test(msg ?? '')));
  const loud = since().filter(({ level, msg }) => level >= 40 || /again/.test(msg ?? ''));
  expect(loud.map(({ msg }) => msg)).toEqual(['the database does not answer', 'the database answers again']);
  expect(log.traces()).toEqual([]);
  await worker.close();
});
