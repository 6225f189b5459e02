import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Engine, postgresEngine } from '../../src/db/engine.ts';
import { lookup, sql } from '../../src/db/sql.ts';
import { UnavailableError } from '../../src/kernel/errors.ts';
import { type Postgres, startPostgres } from '../services/postgres.ts';

let postgres: Postgres;
let engine: Engine;
beforeAll(async () => {
  postgres = await startPostgres({ tls: true });
  engine = postgresEngine(postgres.url, 2, () => undefined);
});
afterAll(async () => {
  await engine.close();
  await postgres.stop();
});

const encrypted = sql<{ ssl: boolean }>('test.encrypted', 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
const texts = `SELECT n, repeat('é💬', n) AS text, CASE WHEN n % 2 = 0 THEN now() END AS time FROM generate_series(1, $1::int) AS n`;
const statement = sql<{ n: number; text: string; time: Date | null }>('test.texts', texts);
const looked = lookup<{ n: number; text: string; time: Date | null }>('test.textsLookedUp', texts);

test('rows come over TLS as they come without: from statements, lookups of one turn and transactions', async () => {
  expect(await engine.run(encrypted, [])).toEqual([{ ssl: true }]);
  // Longer than one record of TLS, and than what is read at once.
  const expected = Array.from({ length: 300 }, (_, index) => ({
    n: index + 1,
    text: 'é💬'.repeat(index + 1),
    time: index % 2 === 1 ? expect.any(Date) : null,
  }));
  for (let turn = 0; turn < 3; turn++) {
    expect(await engine.run(statement, [300])).toEqual(expected);
    const several = await Promise.all([300, 0, 7].map((count) => engine.run(looked, [count])));
    expect(several).toEqual([expected, [], expected.slice(0, 7)]);
    expect(await engine.transaction((run) => run(statement, [2]))).toEqual(expected.slice(0, 2));
  }
});

test('a server whose certificate is not trusted is not talked to', async () => {
  const told: string[] = [];
  const url = postgres.url.replace(/&sslrootcert=.*/, '');
  const distrusting = postgresEngine(url, 1, (error) => told.push(error.message));
  await expect(distrusting.run(encrypted, [])).rejects.toThrow(UnavailableError);
  expect(told.join()).toMatch(/self.signed/);
  await distrusting.close();
});
