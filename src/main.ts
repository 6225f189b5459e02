import { ConfigError, readConfig } from './config.ts';
import { FolderInUseError } from './db/folderLock.ts';
import { MigrationError } from './db/migrations.ts';
import { prepareDevelopment } from './demo/development.ts';
import { createLogger } from './kernel/logger.ts';
import { type Api, openFoundation, StartError, startApi } from './server.ts';
import { graphiqlOptions } from './transport/graphiql.ts';
import { startWorker } from './worker/worker.ts';

async function main(): Promise<void> {
  const settings = readConfig();
  const log = createLogger(settings.logLevel);
  const foundation = await openFoundation(settings, log);
  const development = settings.development ? await prepareDevelopment(settings, foundation) : null;
  const config = development?.config ?? settings;
  const graphiql = config.graphiql && graphiqlOptions(development?.token ?? null, development?.room ?? null);
  let api: Api | null = null;
  if (config.roles.includes('api')) {
    api = await startApi(config, foundation, log, graphiql);
    log.info({ url: api.url, roles: config.roles }, 'ready');
    if (development && config.graphiql) console.log(development.welcome(api.url));
  }

  const { database } = foundation;
  const worker = config.roles.includes('worker')
    ? await startWorker(database.engine.jobStore, { database, roomLogDays: config.roomLogDays }, log)
    : null;

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    await api?.close();
    await worker?.close();
    await foundation.close();
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}

main().catch((error: unknown) => {
  const expected = [ConfigError, StartError, FolderInUseError, MigrationError].some((type) => error instanceof type);
  console.error(expected && error instanceof Error ? error.message : error);
  process.exit(1);
});
