import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { freePort, service, temporaryFolder } from '../services/service.ts';

/** The program as `npm start` runs it on a developer's machine: embedded database, demo tenant, GraphiQL. */
export interface Demo {
  readonly port: number;
  /** Where GraphQL and GraphiQL are. */
  readonly url: string;
  /** What it printed. */
  readonly log: string;
  /** The tokens that it printed. */
  readonly tokens: Readonly<Record<'admin' | 'supervisor' | 'agent', string>>;
  /** Ends it and throws its data away; done after the last test of the file at the latest. */
  stop(): Promise<void>;
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/**
 * Starts the program in a process of its own, with an empty data folder.
 * @param options.secret of its tokens; absent, it makes its own.
 * @param options.databaseUrl of a migrated PostgreSQL; absent, the embedded database.
 */
export async function startDemo(options: { port?: number; secret?: string; databaseUrl?: string } = {}): Promise<Demo> {
  const folder = await temporaryFolder('demo', undefined);
  const port = options.port ?? (await freePort());
  const auth = [`AUTH_JWT_SECRET=${options.secret ?? ''}`, 'AUTH_JWKS_URL=', 'AUTH_ISSUER=', 'AUTH_AUDIENCE='];
  const data = [`DATA_DIR=${folder}/data`, `DATABASE_URL=${options.databaseUrl ?? ''}`, 'REDIS_URL='];
  const settings = [`PORT=${port}`, 'HOST=127.0.0.1', 'NODE_ENV=development', ...data, ...auth];
  const program = service({
    command: '/usr/bin/env',
    args: [...settings, process.execPath, main],
    folder,
    runAs: undefined,
    killSignal: 'SIGKILL',
    async answers() {
      const response = await fetch(`http://127.0.0.1:${port}/readyz`);
      if (!response.ok) throw new Error(`not ready: ${response.status}`);
    },
  });
  afterAll(() => program.discard());
  await program.start();
  const log = await readFile(path.join(folder, 'log'), 'utf8');
  const tokenOf = (role: string) => {
    const token = new RegExp(`^ *${role} .*:\\s+(\\S+)$`, 'm').exec(log)?.[1];
    if (!token) throw new Error(`no token of ${role} was printed:\n${log}`);
    return token;
  };
  return {
    port,
    url: `http://127.0.0.1:${port}/graphql`,
    log,
    tokens: { admin: tokenOf('admin'), supervisor: tokenOf('supervisor'), agent: tokenOf('agent') },
    stop: () => program.discard(),
  };
}
