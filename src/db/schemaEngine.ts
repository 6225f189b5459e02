import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm';
import {
  bindMigrationAwareSqlAdapterFactory,
  DriverAdapterError,
  type SqlDriverAdapter,
} from '@prisma/driver-adapter-utils';
import * as bindings from '@prisma/schema-engine-wasm/schema_engine_bg';
import { PrismaPGlite } from 'pglite-prisma-adapter';

/**
 * Runs `work` with Prisma's schema engine in its WebAssembly form, since the native one is a download from outside npm.
 * It gets a new, empty embedded database that is thrown away after: good for one comparison, and never touches real data.
 * @param prepare fills that database first.
 */
export async function withSchemaEngine<T>(
  work: (engine: bindings.SchemaEngine) => Promise<T>,
  prepare?: (database: PGlite) => Promise<unknown>,
): Promise<T> {
  loading ??= load();
  await loading;
  const database = await PGlite.create({ extensions: { pg_trgm } });
  await prepare?.(database);
  const connect = () => adapterOf(database);
  const factory = bindMigrationAwareSqlAdapterFactory({
    provider: 'postgres',
    adapterName: 'pglite-prisma-adapter',
    // The engine insists on a main database, but then only works on the shadow: one serves as both.
    connect,
    connectToShadowDb: connect,
  });
  const engine = await bindings.SchemaEngine.new({ datamodels: undefined }, () => undefined, factory);
  try {
    return await work(engine);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    // The engine appends a trace of its own modules, which says nothing to whoever wrote the schema.
    throw new Error(error.message.replace(/\n\s+0: schema_engine.*$/s, '').trim(), { cause: error });
  } finally {
    engine.free();
    await database.close();
  }
}

let loading: Promise<void> | undefined;

// Of the global that comes with Node, what is used here: its types are otherwise only in those of the browser.
declare const WebAssembly: {
  instantiate(bytes: Uint8Array, imports: object): Promise<{ instance: { exports: Record<string, unknown> } }>;
};

async function load(): Promise<void> {
  const folder = path.dirname(createRequire(import.meta.url).resolve('@prisma/schema-engine-wasm'));
  const bytes = await readFile(path.join(folder, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(bytes, { './schema_engine_bg.js': { ...bindings } });
  bindings.__wbg_set_wasm(instance.exports);
  const start = instance.exports.__wbindgen_start;
  if (typeof start !== 'function') throw new Error('the schema engine has no start function');
  start();
}

async function adapterOf(database: PGlite): Promise<SqlDriverAdapter> {
  const adapter = await new PrismaPGlite(database).connect();
  return {
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    queryRaw: (query) => adapter.queryRaw(query),
    executeRaw: (query) => adapter.executeRaw(query),
    startTransaction: (isolationLevel) => adapter.startTransaction(isolationLevel),
    getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
    dispose: () => adapter.dispose(),
    // The adapter's own does not wait for the script, and so loses its error.
    executeScript: async (script) => {
      try {
        await database.exec(script);
      } catch (error) {
        throw new DriverAdapterError(describe(error));
      }
    },
  };
}

function describe(error: unknown): ConstructorParameters<typeof DriverAdapterError>[0] {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'XX000';
  return { kind: 'postgres', code, severity: 'ERROR', message, detail: undefined, column: undefined, hint: undefined };
}
