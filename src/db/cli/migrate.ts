import { applyMigrations, MigrationError } from '../migrations.ts';

// biome-ignore lint/style/noProcessEnv: this is a program of its own, which needs none of the server's other settings.
const url = process.env.DATABASE_URL;
if (!url) {
  console.error(
    'DATABASE_URL is not set: it names the PostgreSQL to migrate (the embedded database migrates itself at start)',
  );
  process.exit(1);
}
try {
  const names = await applyMigrations(url);
  console.log(names.length === 0 ? 'nothing to apply' : names.map((name) => `applied ${name}`).join('\n'));
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  console.error(error instanceof MigrationError ? reason : `cannot migrate the database of DATABASE_URL: ${reason}`);
  process.exitCode = 1;
}
