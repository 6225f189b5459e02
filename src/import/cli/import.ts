import { parseArgs } from 'node:util';
import { SingleBar } from 'cli-progress';
import { ConfigError, readDatabaseSettings } from '../../config.ts';
import { type Database, openDatabase } from '../../db/database.ts';
import { embeddedEngine, postgresEngine } from '../../db/engine.ts';
import { DataFolderError } from '../../db/folderLock.ts';
import { applyMigrations, MigrationError, migrationStatus } from '../../db/migrations.ts';
import { ImportError } from '../importError.ts';
import { importSlackExport } from '../importSlack.ts';
import { describeReport } from '../report.ts';
import { openSlackExport } from '../slack.export.ts';
import { reasonOf } from '../zip.ts';

const usage = `usage: npm run import -- slack FILE.zip --tenant KEY [--mark-read]
  --tenant KEY   the tenant's name in the host product (the claim \`tenant\` of its tokens); made where it is new
  --mark-read    everything counts as read by everybody (without it, only what somebody wrote himself does)`;

interface Arguments {
  readonly file: string;
  readonly tenant: string;
  readonly markRead: boolean;
}

/** @throws ImportError with how it is used. */
function readArguments(): Arguments {
  const options = {
    tenant: { type: 'string' },
    'mark-read': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  const { values, positionals } = parseOrExplain(() => parseArgs({ options, allowPositionals: true }));
  const [format, file, ...more] = positionals;
  if (values.help || format !== 'slack' || !file || more.length > 0) throw new ImportError(usage);
  // As in the claims of a token: no other key could ever be signed in to.
  const tenant = values.tenant?.trim() ?? '';
  if (tenant === '') throw new ImportError('--tenant KEY is missing: the tenant to import into');
  if (tenant.length > 128) throw new ImportError('--tenant KEY has more than 128 characters');
  return { file, tenant, markRead: values['mark-read'] };
}

function parseOrExplain<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new ImportError(`${reasonOf(error)}\n${usage}`);
  }
}

/** The database of the settings; the embedded one is migrated on the way, PostgreSQL has to have been. */
async function openConfiguredDatabase(): Promise<Database> {
  const { databaseUrl, databasePoolSize, dataDir } = readDatabaseSettings();
  if (!databaseUrl) {
    const engine = await embeddedEngine(dataDir);
    await applyMigrations(engine.migrations);
    return openDatabase(engine);
  }
  const status = await migrationStatus(databaseUrl).catch((error: unknown) => {
    throw new ImportError(`DATABASE_URL: the database does not answer: ${reasonOf(error)}`);
  });
  if (status.failed.length > 0) throw new ImportError(`DATABASE_URL: the migration ${status.failed[0]} has failed`);
  if (status.pending.length > 0) {
    throw new ImportError(`DATABASE_URL: ${status.pending.length} migrations are pending: npm run db:migrate`);
  }
  return openDatabase(postgresEngine(databaseUrl, databasePoolSize, () => undefined));
}

async function main(): Promise<void> {
  const { file, tenant, markRead } = readArguments();
  // Before the database: a file that is no export leaves no trace.
  const source = await openSlackExport(file);
  try {
    const database = await openConfiguredDatabase();
    const bar = new SingleBar({
      format: '{bar} {percentage}% | {value}/{total} files | {eta} s left',
      clearOnComplete: true,
      // Into a file or a pipe nothing is drawn.
      noTTYOutput: false,
    });
    try {
      bar.start(source.fileCount, 0);
      const onProgress = ({ done }: { readonly done: number }) => bar.update(done);
      const report = await importSlackExport(database, { source, tenant, markRead, onProgress });
      bar.stop();
      console.log(describeReport(report));
    } finally {
      bar.stop();
      await database.close();
    }
  } finally {
    source.close();
  }
}

const expectedErrors = [ImportError, ConfigError, MigrationError];

function explain(error: unknown): string {
  if (error instanceof DataFolderError) return `${error.message}: stop the server, then import`;
  if (error instanceof Error && expectedErrors.some((kind) => error instanceof kind)) return error.message;
  return `the import stopped: ${reasonOf(error)}; run it again, it goes on from what was committed`;
}

main().catch((error: unknown) => {
  console.error(explain(error));
  process.exitCode = 1;
});
