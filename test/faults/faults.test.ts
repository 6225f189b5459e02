import { afterAll, expect, test } from 'vitest';
import { createRandom } from '../support/random.ts';
import { gatherCrew } from './crew.ts';
import { startDeployment } from './deployment.ts';
import { faultsOf } from './saboteur.ts';
import { checkPromises } from './verdict.ts';

// Each round has every fault, in an order of its own. `npm run test:faults -- --minutes 30` goes on with rounds for so long.

const fewestRounds = 3;
const minutes = Number(process.env.FAULTS_MINUTES ?? 0);
const random = createRandom('faults');
const deployment = await startDeployment();
afterAll(() => deployment.stop());
const { apis, postgres, redis } = deployment;
const crew = await gatherCrew(
  apis.map((api) => api.url),
  random,
);
const { readers, writers } = crew;
afterAll(() => Promise.all(readers.map((reader) => reader.stop())));
afterAll(() => Promise.all(writers.map((writer) => writer.stop())));

/** Of these no hint is ever published, and no later one shows that they are missing. */
async function lastMessages(): Promise<string[]> {
  await redis.kill();
  const lasts = await Promise.all(crew.world.rooms.map((_, room) => random.pick(writers).send(room)));
  await redis.restart();
  return lasts;
}

test('R5, R6, R9 whatever is killed or cut: every acknowledged send reaches every reader, once, in one order', {
  timeout: (minutes + 4) * 60_000,
}, async () => {
  const until = Date.now() + minutes * 60_000;
  for (let round = 1; round <= fewestRounds || Date.now() < until; round++) {
    for (const writer of writers) writer.start();
    for (const fault of faultsOf(deployment, crew, random)) {
      console.log(`${new Date().toISOString()} round ${round}: ${fault.name}`);
      await fault.happen();
    }
    await Promise.all(writers.map((writer) => writer.stop()));
    await checkPromises(postgres.url, crew, await lastMessages());
    for (const api of apis) await api.requireAlive();
    const total = (counts: number[]) => counts.reduce((sum, count) => sum + count, 0);
    console.log(
      `round ${round}: ${total(writers.map(({ acknowledged }) => acknowledged.size))} sends acknowledged,`,
      `${total(writers.map(({ failures }) => failures))} tries failed,`,
      `${total(readers.map(({ connections }) => connections))} connections of ${readers.length} readers`,
    );
  }
  // The faults took place.
  expect(Math.min(...readers.map(({ connections }) => connections))).toBeGreaterThan(1);
});
