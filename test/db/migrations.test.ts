import { appendFile, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { authorMigration, checkMigrations, listMigrations, schemaFiles } from '../../src/db/authorMigration.ts';
import { applyMigrations, type MigrationTarget, migrationStatus, migrationsFolder } from '../../src/db/migrations.ts';
import { withSchemaEngine } from '../../src/db/schemaEngine.ts';
import { createEmptyDatabase } from '../services/database.ts';

const scratch = await mkdtemp(path.join(tmpdir(), 'prosa-migrations-'));
const embedded = await PGlite.create();
afterAll(async () => {
  await embedded.close();
  await rm(scratch, { recursive: true });
});

/** Opening one takes more than a second, so that it is emptied instead. */
async function emptyEmbedded(): Promise<PGlite> {
  await embedded.exec('DROP SCHEMA public CASCADE; CREATE SCHEMA public');
  return embedded;
}

/** A migrations folder with the given scripts, by name. */
async function folderOf(name: string, scripts: Record<string, string>): Promise<string> {
  const folder = path.join(scratch, name);
  for (const [migration, script] of Object.entries(scripts)) {
    await mkdir(path.join(folder, migration), { recursive: true });
    await writeFile(path.join(folder, migration, 'migration.sql'), script);
  }
  return folder;
}

async function select(target: MigrationTarget, text: string): Promise<unknown[]> {
  if (typeof target !== 'string') return (await target.query(text)).rows;
  const client = new pg.Client({ connectionString: target });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

const byHand = `
CREATE TABLE counters (n int) WITH (fillfactor = 70);
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.n := NEW.n + 1; -- a semicolon; inside a body
  RETURN NEW;
END $$;
CREATE TRIGGER bumped BEFORE INSERT ON counters FOR EACH ROW EXECUTE FUNCTION bump();
CREATE FUNCTION two() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;
INSERT INTO counters VALUES (41);
`;

describe.each([
  ['PostgreSQL', createEmptyDatabase],
  ['the embedded database', emptyEmbedded],
])('on %s', (_, open: () => Promise<MigrationTarget>) => {
  test('migrations are applied once, and then leave nothing to do', async () => {
    const target = await open();
    const before = await migrationStatus(target);
    expect(before.applied).toEqual([]);
    expect(await applyMigrations(target)).toEqual(before.pending);
    const history = await select(target, 'SELECT * FROM _prisma_migrations ORDER BY migration_name');
    expect(history).toHaveLength(before.pending.length);
    expect(await applyMigrations(target)).toEqual([]);
    expect(await select(target, 'SELECT * FROM _prisma_migrations ORDER BY migration_name')).toEqual(history);
    const settled = { applied: before.pending, pending: [], failed: [], edited: [], unknown: [] };
    expect(await migrationStatus(target)).toEqual(settled);
  });

  test('SQL by hand runs: functions, triggers, storage parameters', async () => {
    const target = await open();
    await applyMigrations(target, await folderOf(crypto.randomUUID(), { '1_counters': byHand }));
    expect(await select(target, 'SELECT n, two() FROM counters')).toEqual([{ n: 42, two: 2 }]);
  });

  test('a migration that fails leaves nothing behind, those before it stay, and it can be mended', async () => {
    const target = await open();
    const name = crypto.randomUUID();
    const scripts = { '1_good': 'CREATE TABLE good ();', '2_bad': 'CREATE TABLE bad (); SELECT 1 / 0;' };
    const folder = await folderOf(name, scripts);
    await expect(applyMigrations(target, folder)).rejects.toThrow('migration 2_bad was not applied: division by zero');
    expect((await migrationStatus(target, folder)).applied).toEqual(['1_good']);
    expect(await select(target, `SELECT to_regclass('bad') AS bad`)).toEqual([{ bad: null }]);
    await folderOf(name, { '2_bad': 'CREATE TABLE bad ();' });
    expect(await applyMigrations(target, folder)).toEqual(['2_bad']);
  });

  test('a migration that was edited after it had been applied stops the next apply', async () => {
    const target = await open();
    const name = crypto.randomUUID();
    const folder = await folderOf(name, { '1_first': 'SELECT 1;\n' });
    await applyMigrations(target, folder);
    await folderOf(name, { '1_first': 'SELECT 1;\r\n', '2_second': 'SELECT 2;' });
    expect(await applyMigrations(target, folder), 'other line endings are forgiven').toEqual(['2_second']);
    await folderOf(name, { '1_first': 'SELECT 3;' });
    await expect(applyMigrations(target, folder)).rejects.toThrow('migration 1_first was changed');
  });
});

test('processes that migrate one PostgreSQL at once take turns: each migration runs once', async () => {
  const target = await createEmptyDatabase();
  const slow = await folderOf('slow', {
    '1_slow': 'CREATE TABLE one (); SELECT pg_sleep(0.2);',
    '2_slow': 'CREATE TABLE two (); SELECT pg_sleep(0.2);',
  });
  const applied = await Promise.all(Array.from({ length: 4 }, () => applyMigrations(target, slow)));
  expect(applied.flat().sort()).toEqual(['1_slow', '2_slow']);
});

test("Prisma's own engine finds the history that is written here complete", async () => {
  const migrationsList = await listMigrations(schemaFiles);
  const filters = { externalTables: [], externalEnums: [] };
  const input = { migrationsList, filters, optInToShadowDatabase: false };
  const answer = await withSchemaEngine(
    async (engine) => ({
      diagnosis: await engine.diagnoseMigrationHistory(input),
      applied: await engine.applyMigrations(input),
    }),
    applyMigrations,
  );
  expect(answer.diagnosis).toMatchObject({
    hasMigrationsTable: true,
    failedMigrationNames: [],
    editedMigrationNames: [],
  });
  expect(answer.diagnosis.history ?? null).toBeNull();
  expect(answer.applied).toEqual({ appliedMigrationNames: [] });
});

describe('the data model and the migrations', () => {
  async function copyOf(name: string): Promise<typeof schemaFiles> {
    const files = {
      schema: path.join(scratch, name, 'schema.prisma'),
      migrations: path.join(scratch, name, 'migrations'),
    };
    await cp(schemaFiles.schema, files.schema);
    await cp(migrationsFolder, files.migrations, { recursive: true });
    return files;
  }

  test('agree', async () => {
    expect(await checkMigrations()).toBeNull();
  });

  test('a model without a migration is reported, authored, and then agrees', async () => {
    const files = await copyOf('planted');
    await appendFile(files.schema, '\nmodel Planted {\n  id Int @id\n  @@map("planted")\n}\n');
    expect(await checkMigrations(files)).toContain('CREATE TABLE "planted"');
    const file = await authorMigration('add_planted', { files });
    expect(file).toMatch(/\d{14}_add_planted\/migration\.sql$/);
    expect(await readFile(file ?? '', 'utf8')).toContain('CREATE TABLE "planted"');
    expect(await authorMigration('nothing_more', { files })).toBeNull();
  });

  test('a migration that does not run is an error', async () => {
    const files = await copyOf('broken');
    await mkdir(path.join(files.migrations, '99999999999999_broken'));
    await writeFile(path.join(files.migrations, '99999999999999_broken', 'migration.sql'), 'SELECT 1; SELEC 2;');
    await expect(checkMigrations(files)).rejects.toThrow('99999999999999_broken');
  });
});
