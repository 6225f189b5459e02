import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { postgresEngine } from '../../src/db/engine.ts';
import { lookup, sql } from '../../src/db/sql.ts';
import { TimeoutError, UnavailableError } from '../../src/kernel/errors.ts';
import { createTestDatabase } from '../services/database.ts';
import { freePort } from '../services/service.ts';
import { startProgram } from '../support/program.ts';
import { waitFor } from '../support/waiting.ts';

const troubles: string[] = [];
const databaseUrl = await createTestDatabase();
const engine = postgresEngine(databaseUrl, 4, (error) => troubles.push(error.message));
afterAll(() => engine.close());

const double = lookup<{ result: number; pid: number }>(
  'test.double',
  'SELECT $1::int * 2 AS result, pg_backend_pid() AS pid',
);
const divide = lookup<{ result: number }>('test.divide', 'SELECT 6 / $1::int AS result');
const tenants = lookup<{ count: bigint }>('test.tenants', 'SELECT count(*) AS count FROM tenants WHERE key = $1');
const slow = lookup<{ at: Date }>('test.slow', 'SELECT clock_timestamp() AS at FROM pg_sleep($1)');
const now = lookup<{ at: Date }>('test.now', 'SELECT clock_timestamp() AS at');
const add = sql<never>('test.add', 'INSERT INTO tenants (id, key, name) VALUES (gen_random_uuid(), $1, $1)');
const cut = sql<never>('test.cut', 'SELECT pg_terminate_backend($1)');
const asleep = sql<{ pid: number }>(
  'test.asleep',
  "SELECT pid FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep'",
);

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

test('the lookups of a turn share a connection, and each gets what it asked for', async () => {
  for (const count of [1, 7, 200]) {
    const asked = Array.from({ length: count }, (_, n) => n);
    const answers = await Promise.all(asked.map((n) => engine.run(double, [n])));
    expect(answers.map(([row]) => row?.result)).toEqual(asked.map((n) => n * 2));
    expect(new Set(answers.map(([row]) => row?.pid)).size).toBe(1);
  }
  // Those of another turn need not wait for them.
  const first = engine.run(slow, [0.2]);
  await turn();
  const [second] = await engine.run(now, []);
  expect(second?.at.getTime()).toBeLessThan((await first)[0]?.at.getTime() ?? 0);
});

test('R5 a lookup sees what those saw that were asked for before it', async () => {
  const [first, second] = await Promise.all([engine.run(slow, [0.1]), engine.run(now, [])]);
  expect(second[0]?.at.getTime()).toBeGreaterThanOrEqual(first[0]?.at.getTime() ?? Number.NaN);
  // Each has a snapshot of its own: what is written while one before it takes its time is seen.
  const seen = Promise.all([engine.run(slow, [0.3]), engine.run(tenants, ['meanwhile'])]);
  await turn();
  await engine.run(add, ['meanwhile']);
  expect((await seen)[1]).toEqual([{ count: 1n }]);
});

test('one that fails fails alone, also the first time that they are asked for', async () => {
  const wrong = lookup<never>('test.wrong', 'SELECT nothing FROM nowhere');
  for (let again = 0; again < 3; again++) {
    const settled = await Promise.allSettled([
      engine.run(divide, [2]),
      engine.run(divide, [0]),
      engine.run(wrong, []),
      engine.run(divide, ['x']),
      engine.run(divide, [3]),
      engine.run(double, [1]),
    ]);
    expect(settled.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled', 'fulfilled'],
    ]);
    expect(settled.map((each) => (each.status === 'rejected' ? String(each.reason.message) : ''))).toEqual([
      '',
      expect.stringContaining('division by zero'),
      expect.stringContaining('nowhere'),
      expect.stringContaining('invalid input syntax'),
      '',
      '',
    ]);
  }
  expect(troubles).toEqual([]);
});

test('a value that cannot be written fails who asks with it, and nobody else', async () => {
  const year = lookup<{ year: number }>('test.year', 'SELECT extract(year FROM $1::timestamptz)::int AS year');
  const dates = [new Date('2026-06-01T00:00:00Z'), new Date(Number.NaN), new Date('1999-06-01T00:00:00Z')];
  const settled = await Promise.allSettled(dates.map((date) => engine.run(year, [date])));
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value[0]?.year : String(each.reason)))).toEqual([
    2026,
    'RangeError: Invalid time value',
    1999,
  ]);
  await engine.transaction(async (run) => {
    const [wrong, right] = await Promise.allSettled([run(year, [new Date(Number.NaN)]), run(double, [4])]);
    expect([wrong.status, right.status]).toEqual(['rejected', 'fulfilled']);
  });
});

test('a column of another type than before is read as what it is', async () => {
  const table = sql<never>('test.table', 'CREATE TABLE changing (value int)');
  const fill = sql<never>('test.fill', 'INSERT INTO changing VALUES (7)');
  const change = sql<never>('test.change', 'ALTER TABLE changing ALTER value TYPE bigint');
  const all = lookup<{ value: unknown }>('test.all', 'SELECT * FROM changing');
  await engine.run(table, []);
  await engine.run(fill, []);
  expect(await engine.run(all, [])).toEqual([{ value: 7 }]);
  await engine.run(change, []);
  // PostgreSQL refuses what is prepared for the old type; then it is prepared anew.
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => engine.run(all, [])));
  expect(answers.at(-1)).toEqual({ status: 'fulfilled', value: [{ value: 7n }] });
});

test('R9 those under way on a connection that breaks fail as an outage, and the next are answered', async () => {
  const [{ pid } = { pid: 0 }] = await engine.run(double, [1]);
  // The connection that was given back last is the next one to be taken.
  const asked = Promise.allSettled([engine.run(double, [1]), engine.run(slow, [30]), engine.run(double, [2])]);
  await turn();
  await waitFor('the second to be under way', async () => (await engine.run(asleep, [pid])).length > 0);
  await waitFor('the connection to be cut', async () => {
    await engine.run(cut, [pid]);
    return troubles.length > 0;
  });
  const [first, second, third] = await asked;
  expect(first).toMatchObject({ status: 'fulfilled', value: [{ result: 2, pid }] });
  expect(second).toMatchObject({ status: 'rejected', reason: expect.any(UnavailableError) });
  expect(third).toMatchObject({ status: 'rejected', reason: expect.any(UnavailableError) });
  expect((await engine.run(double, [3]))[0]?.result).toBe(6);
});

test('one that fails fails alone in whatever language the server says so', async () => {
  const { hostname, port } = new URL(databaseUrl);
  const translating = createServer((client) => {
    const server = connect(Number(port), hostname);
    server.on('data', (bytes) => client.write(bytes.toString('latin1').replaceAll('SERROR\0', 'SFEHLR\0'), 'latin1'));
    server.on('close', () => client.destroy());
    client.on('data', (bytes) => server.write(bytes)).on('close', () => server.destroy());
  });
  const url = new URL(databaseUrl);
  url.port = String(await freePort());
  await new Promise<void>((resolve) => translating.listen(Number(url.port), url.hostname, resolve));
  const other = postgresEngine(url.href, 1, () => undefined);
  const settled = await Promise.allSettled([2, 0, 3].map((by) => other.run(divide, [by])));
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  const [[before], , [after]] = await Promise.all([
    other.run(double, [1]),
    other.run(divide, [0]).catch(() => undefined),
    other.run(double, [1]),
  ]);
  expect(before?.pid).toBe(after?.pid);
  await other.close();
  translating.close();
});

test('what was prepared and is not there any more is prepared again', async () => {
  const one = postgresEngine(databaseUrl, 1, () => undefined);
  await one.run(double, [1]);
  await one.run(sql<never>('test.forget', 'DEALLOCATE ALL'), []);
  // The server has to say so once.
  await one.run(double, [2]).catch(() => undefined);
  expect((await one.run(double, [2]))[0]?.result).toBe(4);
  await one.close();
});

test('those that wait for one lock run out of time together, not one after the other', async () => {
  const limit = 300;
  const hasty = postgresEngine(databaseUrl, 2, () => undefined, { statementTimeout: limit });
  const lock = sql<never>('test.lock', 'LOCK TABLE tenants');
  const read = lookup<{ id: string }>('test.read', 'SELECT id FROM tenants WHERE key = $1');
  await engine.transaction(async (run) => {
    await run(lock, []);
    const begun = performance.now();
    const settled = await Promise.allSettled(Array.from({ length: 200 }, () => hasty.run(read, ['x'])));
    expect(performance.now() - begun).toBeLessThan(10 * limit);
    for (const each of settled) expect(each).toMatchObject({ status: 'rejected', reason: expect.any(TimeoutError) });
  });
  // One that runs out of time by itself does not take the others with it.
  const settled = await Promise.allSettled([hasty.run(slow, [5]), hasty.run(double, [1])]);
  expect(settled.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  await hasty.close();
});

test('those for which there is no connection do not wait for one after the other', { timeout: 60_000 }, async () => {
  const small = postgresEngine(databaseUrl, 1, () => undefined);
  const hold = Promise.withResolvers<void>();
  const holding = small.transaction(async (run) => {
    await run(sql<{ at: Date }>('test.hold', 'SELECT now() AS at'), []);
    await hold.promise;
  });
  const begun = performance.now();
  const settled = await Promise.allSettled(Array.from({ length: 200 }, (_, n) => small.run(double, [n])));
  expect(performance.now() - begun).toBeLessThan(18_000);
  for (const each of settled) expect(each).toMatchObject({ reason: expect.any(UnavailableError) });
  hold.resolve();
  await holding;
  await small.close();
});

test('C4: what was read is garbage as soon as it is not used, for the small collections too', async () => {
  const file = fileURLToPath(new URL('../support/garbage.ts', import.meta.url));
  const reading = startProgram({ DATABASE_URL: databaseUrl }, [process.execPath, file]);
  expect(await reading.exited).toBe(0);
  const left: number[] = JSON.parse(reading.output());
  expect(left).toHaveLength(2);
  for (const bytes of left) expect(bytes).toBeLessThan(5_000_000);
});
