import pg from 'pg';

const references = `
  SELECT conrelid::regclass::text AS table, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
  FROM pg_constraint WHERE contype = 'f' AND confrelid = $1::regclass`;
const keys = `
  SELECT conrelid::regclass::text AS table, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
  FROM pg_constraint WHERE contype IN ('p', 'u') AND conrelid = $1::regclass`;
const indexes = `
  SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index WHERE indrelid = $1::regclass`;

interface Definition {
  readonly table: string;
  readonly name: string;
  readonly definition: string;
}

/**
 * Fills a table without its indexes and keys, which are built afterwards, as they were; what it refers to is not looked
 * at: ten million rows take minutes like this, and much longer otherwise.
 * @param works all at the same time, each over a connection of its own.
 */
export async function inBulk(
  databaseUrl: string,
  table: string,
  works: readonly ((client: pg.Client) => Promise<void>)[],
): Promise<void> {
  await connected(databaseUrl, async (client) => {
    const constraints: Definition[] = [];
    for (const kind of [references, keys]) {
      const { rows } = await client.query<Definition>(kind, [table]);
      for (const each of rows) await client.query(`ALTER TABLE ${each.table} DROP CONSTRAINT ${each.name}`);
      constraints.unshift(...rows);
    }
    const { rows: left } = await client.query<{ name: string; definition: string }>(indexes, [table]);
    for (const { name } of left) await client.query(`DROP INDEX ${name}`);
    await Promise.all(
      works.map((work) =>
        connected(databaseUrl, async (writer) => {
          // Without triggers, which is how foreign keys are looked at.
          await writer.query('SET session_replication_role = replica');
          await work(writer);
        }),
      ),
    );
    await client.query(`SET maintenance_work_mem = '1GB'`);
    for (const { definition } of left) await client.query(definition);
    for (const { table: owner, name, definition } of constraints) {
      await client.query(`ALTER TABLE ${owner} ADD CONSTRAINT ${name} ${definition}`);
    }
  });
}

async function connected(databaseUrl: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
