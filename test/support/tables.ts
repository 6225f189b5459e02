import pg from 'pg';

/** How many rows every table has, and how far the rooms are: what has to be as before when something was refused. */
export async function countRows(databaseUrl: string): Promise<Readonly<Record<string, number>>> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    );
    const counts = tables.rows.map(({ name }) => `SELECT '${name}' AS name, count(*)::int FROM "${name}"`);
    counts.push("SELECT 'versions' AS name, coalesce(sum(version), 0)::int AS count FROM rooms");
    const { rows } = await client.query<{ name: string; count: number }>(counts.join(' UNION ALL '));
    return Object.fromEntries(rows.map((row) => [row.name, row.count]));
  } finally {
    await client.end();
  }
}
