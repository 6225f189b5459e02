import { afterAll, expect, test } from 'vitest';
import { postgresEngine } from '../../src/db/engine.ts';
import { sql } from '../../src/db/sql.ts';
import { createTestDatabase } from '../services/database.ts';
import { waitFor } from '../support/waiting.ts';

const troubles: string[] = [];
const engine = postgresEngine(await createTestDatabase(), 2, (error) => troubles.push(error.message));
afterAll(() => engine.close());

const backend = sql<{ pid: number }>('test.backend', 'SELECT pg_backend_pid() AS pid');
const cut = sql<never>('test.cut', 'SELECT pg_terminate_backend($1)');

test('R9 a connection that breaks inside a transaction fails the transaction, not the process, and is replaced', async () => {
  const failed = engine.transaction(async (run) => {
    const [{ pid } = { pid: 0 }] = await run(backend, []);
    await engine.run(cut, [pid]);
    // Broken while no statement is under way: only an event tells of it.
    await waitFor('the connection to break', () => troubles.length > 0);
    await run(backend, []);
  });
  await expect(failed).rejects.toThrow();
  expect(await engine.transaction((run) => run(backend, []))).toHaveLength(1);
});
