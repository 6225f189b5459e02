import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { postgresProgram } from '../../test/services/postgres.ts';
import type { Contender } from './contest.ts';
import type { Deployment } from './deployment.ts';

/**
 * PostgreSQL by itself: clients that run one prepared statement over and over, each in a transaction of its own.
 * @param statement with `:name` for the variables.
 */
export function pgbench(
  { databaseUrl, databaseCpu }: Deployment,
  options: {
    readonly statement: string;
    readonly variables: Readonly<Record<string, string>>;
    readonly clients: number;
    readonly seconds?: number;
  },
): Contender {
  const { statement, variables, clients, seconds = 3 } = options;
  return {
    name: 'pgbench',
    async measure() {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'prosa-bench-'));
      try {
        const script = path.join(folder, 'statement.sql');
        await writeFile(script, `${statement.replaceAll(/\s+/g, ' ').trim()};\n`);
        const given = Object.entries(variables).flatMap(([name, value]) => ['-D', `${name}=${value}`]);
        const args = ['-n', '-M', 'prepared', '-c', String(clients), '-j', '2', '-T', String(seconds), '-f', script];
        const database = databaseCpu();
        const { stdout } = await promisify(execFile)(await postgresProgram('pgbench'), [
          ...args,
          ...given,
          databaseUrl,
        ]);
        const used = databaseCpu() - database;
        const rate = Number(/^tps = ([\d.]+)/m.exec(stdout)?.[1]);
        const done = Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1]);
        if (!(rate > 0) || !/failed transactions: 0 /.test(stdout)) throw new Error(stdout);
        return { value: rate, more: { 'µs of PostgreSQL': used / done } };
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}
