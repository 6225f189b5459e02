import { setFlagsFromString } from 'node:v8';
import { ConfigError, readConfig } from './config.ts';
import { DataFolderError } from './db/folderLock.ts';
import { MigrationError } from './db/migrations.ts';
import { prepareDevelopment } from './demo/development.ts';
import { createLogger } from './kernel/logger.ts';
import { openFoundation, StartError, startApi } from './server.ts';
import { graphiqlOptions } from './transport/graphiql.ts';
import { createLogOutput } from './transport/logOutput.ts';
import { ManifestError } from './transport/persistedOperations.ts';
import { startWorker } from './worker/worker.ts';

/** Requests have 10 s to finish and jobs 8; what takes longer hangs, and whoever stopped us kills after 30 s. */
const stopWithin = 25_000;

async function main(): Promise<void> {
  // V8 would guess from what survived once which objects are to live for long, guess wrong for those of a request, and
  // keep what these lead to until the next great collection of garbage (docs/decisions.md, 79).
  setFlagsFromString('--no-allocation-site-pretenuring');
  const settings = readConfig();
  const output = createLogOutput();
  process.once('exit', () => output.finish());
  const log = createLogger(settings.logLevel, output);
  const foundation = await openFoundation(settings, log);
  // In the order of opening, closed in the other. From here on a signal is heeded: also while a role is still starting.
  const opened: ((closing: (part: string) => void) => Promise<void>)[] = [foundation.close];
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    let waitingFor = '';
    setTimeout(() => {
      log.error({ waitingFor }, 'could not stop in time: ending all the same');
      process.exit(1);
    }, stopWithin);
    const closing = (part: string) => {
      waitingFor = part;
    };
    try {
      for (const close of opened.reverse()) await close(closing);
    } catch (error) {
      log.error({ err: error, waitingFor }, 'could not stop in order: ending all the same');
      process.exit(1);
    }
    log.info('stopped');
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));

  const development = settings.development ? await prepareDevelopment(settings, foundation) : null;
  const config = development?.config ?? settings;
  const graphiql = config.graphiql && graphiqlOptions(development?.token ?? null, development?.room ?? null);
  if (config.roles.includes('api')) {
    const api = await startApi(config, foundation, log, graphiql);
    opened.push((closing) => {
      closing('requests and sockets');
      return api.close();
    });
    log.info({ url: api.url, roles: config.roles }, 'ready');
    if (development && config.graphiql) console.log(development.welcome(api.url));
  }

  if (config.roles.includes('worker')) {
    const starting = startWorker(foundation.database.engine.jobStore, foundation.jobDeps, log);
    // After the api, which was opened before: requests under way may still ask for jobs.
    opened.splice(1, 0, async (closing) => {
      closing('jobs');
      await (await starting).close();
    });
    await starting;
  }
}

main().catch((error: unknown) => {
  const expected = [ConfigError, StartError, DataFolderError, MigrationError, ManifestError].some(
    (type) => error instanceof type,
  );
  console.error(expected && error instanceof Error ? error.message : error);
  process.exit(1);
});
