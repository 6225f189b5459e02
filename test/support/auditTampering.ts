import pg from 'pg';

/** What somebody with the whole database in their hands can do to an audit trail, and how it was before. */
export interface Tampering {
  /** Runs SQL as the owner of the tables, with the triggers as they are. */
  run(text: string, ...values: readonly unknown[]): Promise<pg.QueryResult>;
  /** Runs SQL with the triggers of the trail off, then `check`, and puts everything back. */
  undoAfter(text: string, values: readonly unknown[], check: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

const tables = ['audit_entries', 'audit_heads'] as const;

export async function openTampering(databaseUrl: string): Promise<Tampering> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const forEach = async (statement: (table: string) => string) => {
    for (const table of tables) await client.query(statement(table));
  };
  return {
    run: (text, ...values) => client.query(text, [...values]),
    async undoAfter(text, values, check) {
      await forEach((table) => `CREATE TABLE saved_${table} AS TABLE ${table}`);
      await forEach((table) => `ALTER TABLE ${table} DISABLE TRIGGER USER`);
      try {
        const changed = await client.query(text, [...values]);
        if (changed.rowCount === 0) throw new Error('nothing was tampered with');
        await check();
      } finally {
        await forEach((table) => `TRUNCATE ${table}`);
        await forEach((table) => `INSERT INTO ${table} TABLE saved_${table}`);
        await forEach((table) => `DROP TABLE saved_${table}`);
        for (const table of tables) {
          const { rows } = await client.query<{ name: string }>(
            'SELECT tgname AS name FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal',
            [table],
          );
          for (const { name } of rows) await client.query(`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${name}`);
        }
      }
    },
    close: () => client.end(),
  };
}

/**
 * A digest of every row of the database, less when somebody was last seen: the same when nothing was written.
 * @param tenantKey only the rows of this tenant.
 */
export async function digestOf(databaseUrl: string, tenantKey?: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT table_name AS name FROM information_schema.tables t
       WHERE table_schema = 'public' AND table_type = 'BASE TABLE' AND ($1 OR EXISTS (
         SELECT FROM information_schema.columns c WHERE c.table_name = t.table_name AND c.column_name = 'tenant_id'))`,
      [tenantKey === undefined],
    );
    const where = tenantKey === undefined ? '' : 'WHERE t.tenant_id = (SELECT id FROM tenants WHERE key = $1)';
    const values = tenantKey === undefined ? [] : [tenantKey];
    const digests: string[] = [];
    for (const { name } of rows) {
      const text = `SELECT md5(string_agg(row, E'\\n' ORDER BY row)) AS md5 FROM (SELECT (to_jsonb(t) - 'last_seen_at')::text AS row FROM "${name}" t ${where}) AS r`;
      const [row] = (await client.query<{ md5: string }>(text, values)).rows;
      digests.push(`${name} ${row?.md5}`);
    }
    return digests.sort().join('\n');
  } finally {
    await client.end();
  }
}
