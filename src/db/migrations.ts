import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { PGlite } from '@electric-sql/pglite';
import pg from 'pg';

/** Where the migrations of this repository are, in Prisma's own layout: `<timestamp>_<name>/migration.sql`. */
export const migrationsFolder = fileURLToPath(new URL('../../prisma/migrations', import.meta.url));

/** A database to migrate: the embedded one, already open and used by nobody else as yet, or a PostgreSQL URL. */
export type MigrationTarget = PGlite | string;

/** How a database stands against the migrations folder. Every list is in the order of the names. */
export interface MigrationStatus {
  readonly applied: readonly string[];
  /** In the folder, not in the database. */
  readonly pending: readonly string[];
  /** Begun by another tool and never finished: somebody has to look at what is left of it. */
  readonly failed: readonly string[];
  /** Applied, but the file says something else by now. */
  readonly edited: readonly string[];
  /** Applied, but not in the folder: the database was migrated by a newer version of this program. */
  readonly unknown: readonly string[];
}

/** A migration that could not be applied, or a history that has to be put right by hand first. */
export class MigrationError extends Error {
  override readonly name = 'MigrationError';
}

/**
 * Applies the pending migrations of `folder`, each in a transaction of its own together with its row in
 * `_prisma_migrations`, so that one that fails, or a process that dies, leaves nothing behind. On PostgreSQL any number
 * of processes may do this at once: they take turns.
 * @returns the names that this call applied, in order; empty where nothing was pending.
 * @throws MigrationError naming the migration that failed, or failed or was edited earlier.
 */
export async function applyMigrations(target: MigrationTarget, folder = migrationsFolder): Promise<string[]> {
  const migrations = await readMigrations(folder);
  return withConnection(target, async (connection) => {
    await lock(connection);
    await connection.run(historyTable);
    const status = compare(migrations, await readHistory(connection));
    refuseBrokenHistory(status);
    const pending = new Set(status.pending);
    for (const migration of migrations) if (pending.has(migration.name)) await apply(connection, migration);
    return [...status.pending];
  });
}

/** Compares the database with `folder`; changes nothing. */
export async function migrationStatus(target: MigrationTarget, folder = migrationsFolder): Promise<MigrationStatus> {
  const migrations = await readMigrations(folder);
  return withConnection(target, async (connection) => {
    const [table] = await connection.rows(`SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`);
    return compare(migrations, table?.exists === true ? await readHistory(connection) : []);
  });
}

interface Migration {
  readonly name: string;
  readonly script: string;
}

async function readMigrations(folder: string): Promise<Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => ({
      name,
      script: await readFile(path.join(folder, name, 'migration.sql'), 'utf8'),
    })),
  );
}

interface HistoryRow {
  readonly name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

function compare(migrations: readonly Migration[], history: readonly HistoryRow[]): MigrationStatus {
  const rows = new Map(history.map((row) => [row.name, row]));
  const names = new Set(migrations.map(({ name }) => name));
  const finished = migrations.filter(({ name }) => rows.get(name)?.finished);
  return {
    applied: finished.map(({ name }) => name),
    pending: migrations.filter(({ name }) => !rows.has(name)).map(({ name }) => name),
    failed: history.filter((row) => !row.finished).map(({ name }) => name),
    edited: finished
      .filter(({ name, script }) => !checksums(script).includes(rows.get(name)?.checksum ?? ''))
      .map(({ name }) => name),
    unknown: history.filter(({ name, finished }) => finished && !names.has(name)).map(({ name }) => name),
  };
}

function refuseBrokenHistory({ failed, edited }: MigrationStatus): void {
  if (failed[0]) {
    throw new MigrationError(
      `migration ${failed[0]} was begun earlier and did not finish; see \`prisma migrate resolve\``,
    );
  }
  if (edited[0]) {
    throw new MigrationError(
      `migration ${edited[0]} was changed after it had been applied; restore it and add a new one`,
    );
  }
}

async function apply(connection: Connection, { name, script }: Migration): Promise<void> {
  try {
    await connection.run('BEGIN');
    await connection.run(script);
    await connection.rows(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at, finished_at, applied_steps_count)
       VALUES ($1, $2, $3, now(), clock_timestamp(), 1)`,
      [randomUUID(), checksums(script)[0], name],
    );
    await connection.run('COMMIT');
  } catch (error) {
    // The first failure is the one to report; a connection that is gone cannot roll back, and need not.
    await connection.run('ROLLBACK').catch(() => undefined);
    const reason = error instanceof Error ? error.message : String(error);
    throw new MigrationError(`migration ${name} was not applied: ${reason}`, { cause: error });
  }
}

/** The checksum to store, then those that count as the same file: Prisma forgives other line endings. */
function checksums(script: string): string[] {
  const texts = [script, script.replaceAll('\r\n', '\n'), script.replaceAll(/\r?\n/g, '\r\n')];
  return texts.map((text) => createHash('sha256').update(text).digest('hex'));
}

// As Prisma's schema engine creates it, so that `prisma migrate` can take over any database that was migrated here.
const historyTable = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL,
  checksum VARCHAR(64) NOT NULL,
  finished_at TIMESTAMPTZ,
  migration_name VARCHAR(255) NOT NULL,
  logs TEXT,
  rolled_back_at TIMESTAMPTZ,
  started_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  applied_steps_count INTEGER NOT NULL DEFAULT 0
)`;

async function readHistory(connection: Connection): Promise<HistoryRow[]> {
  const rows = await connection.rows(`
    SELECT DISTINCT ON (migration_name) migration_name, checksum, finished_at IS NOT NULL AS finished
    FROM _prisma_migrations
    WHERE rolled_back_at IS NULL
    ORDER BY migration_name, finished_at DESC NULLS LAST`);
  return rows.map((row) => ({
    name: String(row.migration_name),
    checksum: String(row.checksum),
    finished: row.finished === true,
  }));
}

/** One session of the database; both ways of asking go to the same one. */
interface Connection {
  /** Runs a script of any number of statements by the simple protocol: function bodies and all. */
  run(script: string): Promise<void>;
  rows(text: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
}

async function withConnection<T>(target: MigrationTarget, work: (connection: Connection) => Promise<T>): Promise<T> {
  if (typeof target !== 'string') {
    return work({
      run: async (script) => void (await target.exec(script)),
      rows: async (text, values) => (await target.query<Record<string, unknown>>(text, values)).rows,
    });
  }
  const client = new pg.Client({ connectionString: target, application_name: 'prosa migrations' });
  // A lost connection also fails the query under way, which reports it; without a listener it would end the process.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work({
      run: async (script) => void (await client.query(script)),
      rows: async (text, values) => (await client.query<Record<string, unknown>>(text, values)).rows,
    });
  } finally {
    await client.end();
  }
}

// The key under which Prisma's own `migrate` takes its lock: it and we exclude each other.
const advisoryLock = 72_707_369;
const lockRetryMs = 100;

/**
 * Takes the lock until the connection ends. It asks again and again rather than waiting inside PostgreSQL: a waiting
 * statement holds a snapshot, and an index that is being built concurrently would wait for that in turn.
 */
async function lock(connection: Connection): Promise<void> {
  for (;;) {
    const [row] = await connection.rows(`SELECT pg_try_advisory_lock(${advisoryLock}) AS locked`);
    if (row?.locked === true) return;
    await delay(lockRetryMs);
  }
}
