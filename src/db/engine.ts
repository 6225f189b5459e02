import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PGlite, types as pgliteTypes } from '@electric-sql/pglite';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { type ConstructorOptions, fromPglite } from 'pg-boss';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { TimeoutError, UnavailableError } from '../kernel/errors.ts';
import { lockFolder } from './folderLock.ts';
import { createLookups } from './lookups.ts';
import type { MigrationTarget } from './migrations.ts';
import { type Callback, type Execution, preparedBatch, toText } from './preparedBatch.ts';
import { RowSocket } from './rowSocket.ts';
import { ConstraintError, type SqlValue, type Statement } from './sql.ts';
import { parseUsualTime } from './times.ts';
import { troubleOf } from './trouble.ts';

/** Where jobs are kept: the same database, in a schema of their own. */
export type JobStore = Pick<ConstructorOptions, 'db' | 'backend'>;

type Run = <Row>(statement: Statement<Row>, params: readonly SqlValue[]) => Promise<Row[]>;

/** The two databases that Prosa runs on, behind what the rest of `db/` needs of them. */
export interface Engine {
  /** For Prisma's client. */
  readonly adapter: SqlDriverAdapterFactory;
  /** What the migrations are applied to. */
  readonly migrations: MigrationTarget;
  readonly run: Run;
  /** For pg-boss. */
  readonly jobStore: JobStore;
  /** Runs `work` between BEGIN and COMMIT on one connection; a failure rolls back and is thrown on. */
  transaction<T>(work: (run: Run) => Promise<T>): Promise<T>;
  /**
   * For what does not run through here: Prisma.
   * @returns the error to throw instead: TroubleError, ConstraintError, or the same.
   */
  translate(error: unknown): unknown;
  close(): Promise<void>;
}

const { INT8, TIMESTAMPTZ } = pg.types.builtins;
const parseOtherTime: (text: string) => Date = pg.types.getTypeParser(TIMESTAMPTZ);

/** The driver's parser of times knows all that PostgreSQL can write, and takes ten times as long for what is usual. */
const ownParsers: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [INT8, BigInt],
  [TIMESTAMPTZ, (text) => parseUsualTime(text) ?? parseOtherTime(text)],
]);

function parserOf(oid: number): (text: string) => unknown {
  return ownParsers.get(oid) ?? pg.types.getTypeParser(oid, 'text');
}

async function execute<Row>(
  client: pg.PoolClient,
  statement: Statement<Row>,
  values: readonly SqlValue[],
): Promise<Row[]> {
  // Of a library: nothing that comes again under a name.
  if (!statement.name) return (await client.query({ text: statement.text, values: [...values] })).rows;
  return new Promise<Row[]>((resolve, reject) => {
    // What a statement gives is what it was declared to give.
    const done = (rows: object[]) => resolve(rows as Row[]);
    executeBatch(client, [{ statement, values: values.map(toText), done, failed: reject }]).catch(reject);
  });
}

/**
 * Executes them in one round trip. Resolves when the connection can take the next.
 * @returns those that were not executed, as one before them failed.
 */
function executeBatch(client: pg.PoolClient, executions: readonly Execution[]): Promise<readonly Execution[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Execution[]>();
  client.query(preparedBatch(executions, parserOf, settling(resolve, reject)));
  return promise;
}

/** Made apart from the executions: what `pg` keeps of a callback must not lead to them (preparedBatch.ts). */
function settling(resolve: (left: readonly Execution[]) => void, reject: (error: unknown) => void): Callback {
  return (error, left = []) => (error && !isOfStatement(error) ? reject(error) : resolve(left));
}

/** SQLSTATE of what ends a connection: stopped or dropped by somebody, or silent for too long. */
const endsConnection = /^(57P0[1-5]|25P0[34])$/;

/**
 * After an error of the statement the connection is as good as before. Most errors are that; the server says which are
 * not in the language of its messages (`lc_messages`), so it is not asked what an ERROR is called there.
 */
function isOfStatement(error: unknown): boolean {
  if (!(error instanceof pg.DatabaseError)) return false;
  const { severity = '', code = '' } = error;
  return !(severity === 'FATAL' || severity === 'PANIC' || endsConnection.test(code));
}

/** What happens with a database besides answers. */
export interface EngineOptions {
  /** Milliseconds after which the database gives up on a statement. */
  readonly statementTimeout?: number;
  /** It has answered. */
  readonly onAnswer?: () => void;
  /** It gave up on this statement. */
  readonly onTimeout?: (statement: string) => void;
}

/** How long statements under way have when the pool is closed, in milliseconds. */
const closeWithin = 3_000;

/**
 * PostgreSQL through a pool of connections, which Prisma shares.
 * @param onError a connection broke, or could not be made.
 */
export function postgresEngine(
  url: string,
  poolSize: number,
  onError: (error: Error) => void,
  { statementTimeout = 20_000, onAnswer = () => undefined, onTimeout = () => undefined }: EngineOptions = {},
): Engine {
  const pool = new pg.Pool({
    connectionString: url,
    stream: () => new RowSocket(),
    max: poolSize,
    // A commit that is not answered by then is given up and the connection dropped: no request hangs on a dead server.
    query_timeout: Math.max(30_000, statementTimeout + 5_000),
    statement_timeout: statementTimeout,
    connectionTimeoutMillis: 10_000,
    // A new connection knows no statement: each is prepared, and planned six times, before it goes as fast as it can.
    idleTimeoutMillis: 60_000,
    application_name: 'prosa',
    types: {
      getTypeParser: (oid, format) => ownParsers.get(oid) ?? pg.types.getTypeParser(oid, format),
    },
  });
  pool.on('error', onError);
  const clients = new Set<pg.PoolClient>();
  pool.on('connect', (client) => clients.add(client)).on('remove', (client) => clients.delete(client));
  function translateHere(error: unknown, statement = 'unnamed'): unknown {
    const translated = translate(error);
    // What is the same was told of before.
    if (translated === error) return error;
    if (translated instanceof UnavailableError) onError(error instanceof Error ? error : translated);
    if (translated instanceof TimeoutError) onTimeout(statement);
    return translated;
  }
  async function withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await pool.connect();
    // What breaks the connection fails the statement too; without a listener it would end the process.
    const ignore = () => undefined;
    client.on('error', ignore);
    try {
      const result = await work(client);
      client.off('error', ignore).release();
      return result;
    } catch (error) {
      client.off('error', ignore).release(!isOfStatement(error));
      throw error;
    }
  }
  const runOn =
    (client: pg.PoolClient | null): Run =>
    async (statement, params) => {
      try {
        const rows = await (client
          ? execute(client, statement, params)
          : withClient((own) => execute(own, statement, params)));
        onAnswer();
        return rows;
      } catch (error) {
        throw translateHere(error, statement.name);
      }
    };
  const lookUp = createLookups(async (executions) => {
    // Where one after the other runs out of time, as behind a lock, the last would wait for the time of all of them.
    const until = performance.now() + 2 * statementTimeout;
    const late = await withClient(async (client) => {
      let left = executions;
      while (left.length > 0 && performance.now() < until) left = await executeBatch(client, left);
      return left;
    });
    onAnswer();
    if (late.length > 0) throw new TimeoutError();
  });
  const run = runOn(null);
  return {
    migrations: url,
    adapter: new PrismaPg(pool, { onPoolError: onError }),
    run: <Row>(statement: Statement<Row>, values: readonly SqlValue[]) => {
      if (!statement.isLookup) return run(statement, values);
      return new Promise<Row[]>((resolve, reject) => {
        // As above.
        const done = (rows: object[]) => resolve(rows as Row[]);
        const failed = (error: unknown) => reject(translateHere(error, statement.name));
        lookUp({ statement, values: values.map(toText), done, failed });
      });
    },
    jobStore: {
      db: {
        async executeSql(text, values) {
          try {
            const result = await pool.query(text, values);
            onAnswer();
            return result;
          } catch (error) {
            translateHere(error, 'pg-boss');
            // Which knows the errors of the driver.
            throw error;
          }
        },
      },
    },
    async transaction(work) {
      const client = await pool.connect().catch((error: unknown) => {
        throw translateHere(error);
      });
      let broken: Error | undefined;
      // The pool listens to idle connections only: one that breaks in here would end the process.
      const onBroken = (error: Error) => {
        broken = error;
        onError(error);
      };
      client.on('error', onBroken);
      try {
        await client.query('BEGIN');
        const result = await work(runOn(client));
        await client.query('COMMIT');
        return result;
      } catch (error) {
        await client.query('ROLLBACK').catch((failure: Error) => {
          broken = failure;
        });
        throw translateHere(error);
      } finally {
        client.off('error', onBroken);
        // A connection that could not roll back is in an unknown state: it must not go back into the pool.
        client.release(broken);
      }
    },
    translate: translateHere,
    async close() {
      const waiting = new AbortController();
      const patience = delay(closeWithin, undefined, { signal: waiting.signal }).catch(() => undefined);
      // It waits for all that is under way: on a server that does not answer, for as long as statements may take.
      await Promise.race([pool.end(), patience]);
      waiting.abort();
      for (const client of clients) void client.end().catch(() => undefined);
    },
  };
}

/**
 * PostgreSQL in this process, for a start with nothing installed. One connection: transactions run one after another.
 * @param folder the data folder, in which it keeps its files; or null for memory only.
 * @throws DataFolderError
 */
export async function embeddedEngine(folder: string | null): Promise<Engine> {
  const unlock = folder ? lockFolder(folder) : () => undefined;
  const database = await PGlite.create(folder ? { dataDir: path.join(folder, 'database') } : {});
  const options = { parsers: { [pgliteTypes.INT8]: BigInt } };
  const runOn =
    (client: Pick<PGlite, 'query'>): Run =>
    async <Row>(statement: Statement<Row>, params: readonly SqlValue[]) => {
      try {
        return (await client.query<Row>(statement.text, [...params], options)).rows;
      } catch (error) {
        throw translate(error);
      }
    };
  return {
    migrations: database,
    adapter: new PrismaPGlite(database),
    run: runOn(database),
    jobStore: { db: fromPglite(database), backend: 'pglite' },
    async transaction<T>(work: (run: Run) => Promise<T>) {
      try {
        return await database.transaction((tx) => work(runOn(tx)));
      } catch (error) {
        throw translate(error);
      }
    },
    translate,
    async close() {
      await database.close();
      unlock();
    },
  };
}

const constraintKinds: Readonly<Record<string, ConstraintError['kind']>> = {
  '23505': 'unique',
  '23503': 'foreign key',
  '23502': 'not null',
};

function translate(error: unknown): unknown {
  const trouble = troubleOf(error);
  if (trouble) return trouble;
  if (!(error instanceof Error) || !('code' in error)) return error;
  const kind = constraintKinds[String(error.code)];
  if (!kind) return error;
  const subject = kind === 'not null' ? 'column' : 'constraint';
  return new ConstraintError(kind, subject in error ? String(Reflect.get(error, subject)) : '');
}
