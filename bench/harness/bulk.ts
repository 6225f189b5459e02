import type pg from 'pg';

const foreignKeys = `
  SELECT conrelid::regclass::text AS table, quote_ident(conname) AS name, pg_get_constraintdef(oid) AS definition
  FROM pg_constraint WHERE contype = 'f' AND $1::regclass IN (conrelid, confrelid)`;
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
 * Fills a table without its indexes and foreign keys, which are built afterwards, as they were: ten million rows take
 * minutes like this, and much longer otherwise.
 */
export async function inBulk(client: pg.Client, table: string, work: () => Promise<void>): Promise<void> {
  const constraints: Definition[] = [];
  for (const kind of [foreignKeys, keys]) {
    const { rows } = await client.query<Definition>(kind, [table]);
    for (const each of rows) await client.query(`ALTER TABLE ${each.table} DROP CONSTRAINT ${each.name}`);
    constraints.unshift(...rows);
  }
  const { rows: left } = await client.query<{ name: string; definition: string }>(indexes, [table]);
  for (const { name } of left) await client.query(`DROP INDEX ${name}`);
  await work();
  await client.query(`SET maintenance_work_mem = '1GB'`);
  for (const { definition } of left) await client.query(definition);
  for (const { table: owner, name, definition } of constraints) {
    await client.query(`ALTER TABLE ${owner} ADD CONSTRAINT ${name} ${definition}`);
  }
  await client.query('RESET maintenance_work_mem');
}
