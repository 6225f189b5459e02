import { execFile } from 'node:child_process';
import { glob, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { findOrInstall, isExecutable, isRoot, onPath, output } from './programs.ts';
import { freePort, type RunAs, service, temporaryFolder } from './service.ts';

export interface PostgresOptions {
  /**
   * Whether a commit survives a crash. Absent: no, which is fast. A test that kills the server needs it, for the
   * default of every test database is to lose what was not flushed.
   */
  readonly durable?: boolean;
  /** More settings, as in postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Whether it takes connections with TLS, and its `url` asks for that; the certificate is made for it by `openssl`. */
  readonly tls?: boolean;
}

/** A PostgreSQL of the test's own, on a free port of 127.0.0.1. */
export interface Postgres {
  /** Of the database `postgres`, as a superuser. The same after a restart. */
  readonly url: string;
  /** `immediate`: as in a crash, without a checkpoint, cutting all connections. `fast`: in order, cutting them too. */
  kill(mode: 'immediate' | 'fast'): Promise<void>;
  /** Starts it again on the same port and data; ends it first where it still runs. */
  restart(): Promise<void>;
  /** Ends it for good and throws its data away. */
  stop(): Promise<void>;
}

/**
 * Starts a new, empty PostgreSQL, which takes one to three seconds. It is thrown away with this process at the latest.
 * @throws Error of one sentence where there is none on this machine and it cannot be installed.
 */
export async function startPostgres({
  durable = false,
  settings = {},
  tls = false,
}: PostgresOptions = {}): Promise<Postgres> {
  const programs = await findPrograms();
  const runAs = isRoot ? await otherUser() : undefined;
  const folder = await temporaryFolder('postgres', runAs);
  const data = path.join(folder, 'data');
  const port = await freePort();
  const certificate = path.join(folder, 'certificate.pem');
  const key = path.join(folder, 'key.pem');
  const verified = tls ? `?sslmode=verify-full&sslrootcert=${certificate}` : '';
  const url = `postgresql://${superuser}@127.0.0.1:${port}/postgres${verified}`;
  const safety = durable ? 'on' : 'off';
  const allSettings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '300',
    fsync: safety,
    full_page_writes: safety,
    synchronous_commit: safety,
    ...(tls ? { ssl: 'on', ssl_cert_file: certificate, ssl_key_file: key } : {}),
    ...settings,
  };
  const postgres = service({
    command: path.join(programs, 'postgres'),
    args: ['-D', data, ...Object.entries(allSettings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    folder,
    runAs,
    killSignal: signals.immediate,
    answers: () => answers(url),
  });
  try {
    const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8';
    const args = ['-D', data, '-U', superuser, '--auth=trust', '--encoding=UTF8', `--locale=${locale}`, '--no-sync'];
    await promisify(execFile)(path.join(programs, 'initdb'), args, { cwd: folder, ...runAs });
    if (tls) {
      const made = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', certificate];
      const named = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
      await promisify(execFile)('openssl', [...made, ...named], { cwd: folder, ...runAs });
    }
    await postgres.start();
  } catch (error) {
    await postgres.discard();
    throw error;
  }
  return {
    url,
    kill: (mode) => postgres.end(signals[mode]),
    restart: () => postgres.start(),
    stop: () => postgres.discard(),
  };
}

/** Runs one statement that has to stand alone, such as CREATE DATABASE. */
export async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

/**
 * Where a program of PostgreSQL is that comes with its server, such as pgbench.
 * @throws Error where it is not installed.
 */
export async function postgresProgram(name: string): Promise<string> {
  await findPrograms();
  for await (const folder of programFolders()) {
    const file = path.join(folder, name);
    if (await isExecutable(file)) return file;
  }
  throw new Error(`PostgreSQL is here, and ${name} is not: install it too`);
}

const superuser = 'prosa';
const oldestVersion = 15;

// What `pg_ctl stop -m MODE` sends.
const signals = { immediate: 'SIGQUIT', fast: 'SIGINT' } as const;

async function answers(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end().catch(() => undefined);
  }
}

function findPrograms(): Promise<string> {
  return findOrInstall(
    async () => {
      for await (const folder of programFolders()) {
        if (!(await isExecutable(path.join(folder, 'initdb')))) continue;
        const version = await output(path.join(folder, 'postgres'), '--version');
        if (Number(version?.match(/\d+/)?.[0]) >= oldestVersion) return folder;
      }
      return undefined;
    },
    { what: `PostgreSQL ${oldestVersion} or newer`, debian: 'postgresql', setting: 'TEST_DATABASE_URL' },
  );
}

/** Where the server programs may be: distributions keep them outside the PATH. */
async function* programFolders(): AsyncGenerator<string> {
  const program = await onPath('postgres');
  if (program) yield path.dirname(program);
  const configured = await output('pg_config', '--bindir');
  if (configured) yield configured;
  for (const pattern of [
    '/usr/lib/postgresql/*/bin',
    '/usr/pgsql-*/bin',
    '/{opt/homebrew,usr/local}/opt/postgresql*/bin',
  ]) {
    yield* (await Array.fromAsync(glob(pattern))).sort().reverse();
  }
}

/** PostgreSQL refuses to run as root. */
async function otherUser(): Promise<RunAs> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const user = users.find(([name]) => name === 'postgres') ?? users.find(([name]) => name === 'nobody');
  if (!user) throw new Error('The tests run PostgreSQL as the user postgres or nobody, for it refuses root: add one.');
  return { uid: Number(user[2]), gid: Number(user[3]) };
}
