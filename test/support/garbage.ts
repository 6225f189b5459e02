import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { postgresEngine } from '../../src/db/engine.ts';
import { lookup, sql } from '../../src/db/sql.ts';

// A program, as a test runner holds on to things: reads 25 million bytes from DATABASE_URL, as lookups and as other
// statements, and prints how many of them the small collections of garbage have left among what is old.

setFlagsFromString('--expose-gc');
const collect: (options: { type: 'minor' }) => void = runInNewContext('gc');
const old = () => getHeapSpaceStatistics().find((space) => space.space_name === 'old_space')?.space_used_size ?? 0;
const engine = postgresEngine(process.env.DATABASE_URL ?? '', 1, (error) => console.error(error));
const many = `SELECT n, repeat('x', 100) || n AS text FROM generate_series(1, 500) AS n`;
const left: number[] = [];
for (const statement of [lookup<object>('garbage.looked', many), sql<object>('garbage.read', many)]) {
  const before = old();
  for (let asked = 0; asked < 300; asked++) {
    const rows = await engine.run(statement, []);
    if (rows.length !== 500) throw new Error('not all rows have come');
    if (asked % 10 === 0) collect({ type: 'minor' });
  }
  left.push(old() - before);
}
await engine.close();
console.log(JSON.stringify(left));
