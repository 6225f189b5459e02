import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { type Contender, contest } from '../harness/contest.ts';
import { deploy } from '../harness/deployment.ts';
import { round, type Section } from '../harness/results.ts';
import { slackExport } from '../harness/slackExport.ts';

const size = { rooms: 100, messages: 150_000 };
const program = fileURLToPath(new URL('../../src/import/cli/import.ts', import.meta.url));

/** The whole import of a Slack export by its program, from start to end, against copying the same messages into their table. */
export async function importing(print: (line: string) => void): Promise<Section> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'prosa-bench-'));
  const deployment = await deploy();
  const client = new pg.Client(deployment.databaseUrl);
  try {
    // PostgreSQL, which runs as another user, reads and writes here too.
    await chmod(folder, 0o777);
    const [zip, rows] = [path.join(folder, 'export.zip'), path.join(folder, 'rows')];
    const content = slackExport(size);
    await writeFile(zip, content);
    print(`${size.messages} messages in ${size.rooms} rooms, ${round(content.length / 1e6)} MB zipped`);
    await client.connect();
    // What autovacuum learns of a table while one statement fills it is that it is large and empty. COPY's foreign keys
    // are then looked up by any index that begins with the tenant: 150,000 messages took six minutes instead of nine seconds.
    await client.query('ALTER TABLE messages SET (autovacuum_enabled = off)');
    const count = async () => Number((await client.query('SELECT count(*) FROM messages')).rows[0]?.count);

    let imports = 0;
    const prosa: Contender = {
      name: 'Prosa',
      async measure() {
        // Each time into a tenant of its own, for an import changes nothing that is there.
        await client.query('TRUNCATE messages CASCADE');
        await client.query('CHECKPOINT');
        const { databaseCpu } = deployment;
        const database = databaseCpu();
        const started = performance.now();
        await promisify(execFile)(execPath, [program, 'slack', zip, '--tenant', `imported-${++imports}`], {
          env: { PATH: process.env.PATH, DATABASE_URL: deployment.databaseUrl },
        });
        const seconds = (performance.now() - started) / 1000;
        const messages = await count();
        if (messages !== size.messages) throw new Error(`${messages} messages were imported`);
        return { value: messages / seconds, more: { 'µs of PostgreSQL': (databaseCpu() - database) / messages } };
      },
    };
    const copy: Contender = {
      name: 'COPY',
      async measure() {
        // What the import has written is what is copied: the same rows, under the same indexes and constraints.
        await client.query(`COPY messages TO '${rows}'`);
        await client.query('TRUNCATE messages CASCADE');
        await client.query('CHECKPOINT');
        const { databaseCpu } = deployment;
        const database = databaseCpu();
        const started = performance.now();
        await client.query(`COPY messages FROM '${rows}'`);
        const seconds = (performance.now() - started) / 1000;
        const messages = await count();
        return { value: messages / seconds, more: { 'µs of PostgreSQL': (databaseCpu() - database) / messages } };
      },
    };
    return {
      rows: await contest({
        title: `import of a Slack export of ${size.messages} messages`,
        unit: 'messages/s',
        prosa,
        peers: [{ contender: copy, target: { least: 0.3 } }],
        print,
        unseen: 0,
      }),
      notes: [
        'Prosa is timed as a whole: the start of the program, unpacking, people, rooms, members, mentions, threads and counters too. COPY writes the same rows of messages from a file on the same machine.',
      ],
    };
  } finally {
    await client.end().catch(() => undefined);
    await deployment.stop();
    await rm(folder, { recursive: true });
  }
}
