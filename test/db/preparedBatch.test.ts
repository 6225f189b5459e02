import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { postgresEngine } from '../../src/db/engine.ts';
import { ConstraintError, type SqlValue, sql } from '../../src/db/sql.ts';
import { createTestDatabase } from '../services/database.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const engine = postgresEngine(databaseUrl, 1, () => undefined);
afterAll(() => engine.close());
const plain = new pg.Pool({ connectionString: databaseUrl, max: 1 });
afterAll(() => plain.end());

const typed = sql<Record<string, unknown>>(
  'test.typed',
  `SELECT $1::text AS text, $2::int AS number, $3::bigint AS large, $4::boolean AS truth, $5::timestamptz AS time,
     $6::uuid[] AS ids, $7::text[] AS texts, $8::bigint[] AS larges, NULL::text AS nothing, '{"a": [1]}'::jsonb AS json`,
);

test('a statement takes and gives what the driver takes and gives, the first time and later', async () => {
  const id = '01900000-0000-7000-8000-000000000001';
  const odd = ['', ' ', 'NULL', '{a,"b"}', '\\', '"', "'", ',', 'é 💬 \u2028', 'a\\"b', '\n'];
  const at = new Date('2026-11-21T09:30:00.123Z');
  const sets: SqlValue[][] = [
    ['a', 1, 2n ** 62n, true, at, [id], odd, [1n, 2]],
    ['é 💬', -1, -5n, false, at, [], [], []],
    ['', 0, 0, true, at, [id, null], ['a', null], [null]],
    [null, null, null, null, null, null, null, null],
  ];
  for (let turn = 0; turn < 3; turn++) {
    for (const values of sets) {
      const [ours] = await engine.run(typed, values);
      const { rows } = await plain.query(typed.text, values);
      expect(JSON.stringify(ours, told)).toBe(JSON.stringify(rows[0], told));
    }
  }
  const [row] = await engine.run(typed, sets[0] ?? []);
  expect(row).toMatchObject({ large: 2n ** 62n, time: at, texts: odd, ids: [id], nothing: null, json: { a: [1] } });
});

test('what comes in binary is what is written as text', async () => {
  const extremes = sql<Record<string, unknown>>(
    'test.extremes',
    `SELECT $1::timestamptz AS time, $2::bigint AS large, $3::int AS number, $4::smallint AS small, $5::boolean AS truth,
       $6::uuid AS id, $7::text AS text, $8::float8 AS fraction, $9::date AS day, $10::numeric AS exact`,
  );
  const id = '01900000-0000-7000-8000-00000000000a';
  const sets: SqlValue[][] = [
    ['infinity', 2n ** 63n - 1n, 2 ** 31 - 1, 2 ** 15 - 1, true, id, 'é', 1.5, '2026-11-21', '1.10'],
    ['-infinity', -(2n ** 63n), -(2 ** 31), -(2 ** 15), false, id, '', -0.1, 'infinity', '-1e30'],
    ['1969-12-31 23:59:59.9996+00', 2n ** 53n, 0, 0, true, id.toUpperCase(), ' ', 0, null, 'NaN'],
    ['0044-03-15 12:00:00+00 BC', -(2n ** 53n) - 1n, -1, -1, null, null, null, null, null, null],
    ['2300-01-01 00:00:00.001+00', 2n ** 32n, 1, 1, false, 'f'.repeat(32), 'x', 1e300, null, '0'],
    ['9999-12-31 23:59:59.999999+00', -(2n ** 32n), 1, 1, false, id, 'x', 1e-300, null, '0'],
    [null, null, null, null, null, null, null, null, null, null],
  ];
  for (const values of sets) {
    // A connection has the first execution as text, as it does not know the columns, and all others in binary.
    const fresh = postgresEngine(databaseUrl, 1, () => undefined);
    try {
      const [asText] = await fresh.run(extremes, values);
      const [inBinary] = await fresh.run(extremes, values);
      expect(inBinary).toEqual(asText);
      const { rows } = await plain.query(extremes.text, values);
      expect(JSON.stringify(inBinary, told)).toBe(JSON.stringify(rows[0], told));
    } finally {
      await fresh.close();
    }
  }
});

/** The driver gives large numbers as text. */
function told(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

test('a statement that gives no rows gives none each time, and many rows come in their order', async () => {
  const none = sql<never>('test.none', 'SELECT 1 WHERE $1::int = 0');
  const many = sql<{ n: number }>('test.many', 'SELECT n FROM generate_series(1, $1::int) AS n');
  const change = sql<never>('test.change', 'DELETE FROM tenants WHERE key = $1');
  for (let turn = 0; turn < 3; turn++) {
    expect(await engine.run(none, [1])).toEqual([]);
    expect(await engine.run(change, ['nobody'])).toEqual([]);
    expect((await engine.run(many, [1_000])).map(({ n }) => n)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 1));
  }
});

test('a statement that fails says so, and the same statement goes on', async () => {
  const divide = sql<{ result: number }>('test.divide', 'SELECT 6 / $1::int AS result');
  const wrong = sql<never>('test.wrong', 'SELECT nothing FROM nowhere');
  const add = sql<never>('test.add', 'INSERT INTO tenants (id, key, name) VALUES (gen_random_uuid(), $1, $1)');
  await engine.transaction(async (run) => {
    expect(await run(divide, [2])).toEqual([{ result: 3 }]);
  });
  for (let turn = 0; turn < 2; turn++) {
    await expect(engine.transaction((run) => run(divide, [0]))).rejects.toThrow('division by zero');
    await expect(engine.run(divide, [0])).rejects.toThrow('division by zero');
    await expect(engine.run(divide, ['x'])).rejects.toThrow('invalid input syntax');
    await expect(engine.run(wrong, [])).rejects.toThrow('nowhere');
    expect(await engine.run(divide, [3])).toEqual([{ result: 2 }]);
  }
  const backend = sql<{ pid: number }>('test.backend', 'SELECT pg_backend_pid() AS pid');
  const [before] = await engine.run(backend, []);
  await engine.run(add, ['twice']);
  await expect(engine.run(add, ['twice'])).rejects.toThrow(ConstraintError);
  // That is no reason to make a new connection.
  expect(await engine.run(backend, [])).toEqual([before]);
  await expect(engine.run({ ...divide, text: 'SELECT 1' }, [])).rejects.toThrow('two statements have the name');
  expect(await engine.run(divide, [6])).toEqual([{ result: 1 }]);
});

test('inside a transaction a failed statement leaves the connection as it is for the next transaction', async () => {
  const slow = sql<never>('test.slow', 'SELECT pg_sleep($1)');
  const one = sql<{ one: number }>('test.one', 'SELECT 1 AS one');
  const impatient = postgresEngine(databaseUrl, 1, () => undefined, { statementTimeout: 50 });
  try {
    await expect(impatient.run(slow, [5])).rejects.toThrow('too long');
    await expect(impatient.transaction((run) => run(slow, [5]))).rejects.toThrow('too long');
    await waitFor('an answer', async () => (await impatient.run(one, [])).length === 1);
    expect(await impatient.transaction((run) => run(one, []))).toEqual([{ one: 1 }]);
  } finally {
    await impatient.close();
  }
});
