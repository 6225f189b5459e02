import { setTimeout as delay } from 'node:timers/promises';
import type { Engine } from './engine.ts';
import { PrismaClient } from './generated/client.ts';
import { type SqlValue, type Statement, sql, type TenantQueries, type TenantTransaction } from './sql.ts';

/** The only handle that domains get: everything through it stays inside one tenant. */
export interface TenantDb extends TenantQueries {
  /** Prisma's client with the tenant in every condition and every row that it writes. */
  readonly prisma: TenantPrisma;
  /**
   * Runs `work` in a transaction, again (up to three times) if PostgreSQL gave it up for a deadlock. Inside it use `tx`
   * only: the embedded database has one connection, which the transaction holds.
   */
  transaction<T>(work: (tx: TenantTransaction) => Promise<T>): Promise<T>;
}

export interface Database {
  forTenant(tenantId: string): TenantDb;
  /** Not bound to a tenant: for the tenants table, and for operations over all tenants. */
  readonly prisma: SharedPrisma;
  readonly engine: Engine;
  /** @throws when the database does not answer. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Handles are shared by all that a tenant does, and kept of this many tenants; they hold nothing but functions. */
const handlesKept = 1_000;

/** Opens the database over an engine; connections are made when first needed. */
export function openDatabase(engine: Engine): Database {
  const prisma = sharedPrisma(engine);
  const handles = new Map<string, TenantDb>();

  function handleOf(tenantId: string): TenantDb {
    let bound: TenantPrisma | null = null;
    return {
      ...queriesOf(engine.run, tenantId),
      // Most requests do without it, and extending the client takes longer than many a statement.
      get prisma() {
        bound ??= bindToTenant(prisma, tenantId);
        return bound;
      },
      transaction: (work) => runTransaction(engine, tenantId, work),
    };
  }

  return {
    prisma,
    engine,
    forTenant(tenantId) {
      const known = handles.get(tenantId);
      if (known) return known;
      const handle = handleOf(tenantId);
      handles.set(tenantId, handle);
      const oldest = handles.size > handlesKept ? handles.keys().next().value : undefined;
      if (oldest !== undefined) handles.delete(oldest);
      return handle;
    },
    async ping() {
      await engine.run(pingStatement, []);
    },
    async close() {
      await prisma.$disconnect();
      await engine.close();
    },
  };
}

const pingStatement = sql<{ one: number }>('db.ping', 'SELECT 1 AS one');

function queriesOf(run: Engine['run'], tenantId: string): TenantQueries {
  return {
    tenantId,
    query: <Row>(statement: Statement<Row>, ...params: readonly SqlValue[]) => run(statement, [tenantId, ...params]),
  };
}

const attempts = 3;

async function runTransaction<T>(
  engine: Engine,
  tenantId: string,
  work: (tx: TenantTransaction) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const last: (() => Promise<void>)[] = [];
    const callbacks: (() => void)[] = [];
    try {
      const result = await engine.transaction(async (run) => {
        const done = await work({
          ...queriesOf(run, tenantId),
          beforeCommit: (step) => last.push(step),
          runForeign: async (text, values = []) => ({
            // Without a name it is not kept prepared. The values are what a driver takes: here they are only passed on.
            rows: await run<unknown>({ name: '', text }, values as readonly SqlValue[]),
          }),
          afterCommit: (callback) => callbacks.push(callback),
        });
        for (const step of last) await step();
        return done;
      });
      for (const callback of callbacks) callback();
      return result;
    } catch (error) {
      if (attempt === attempts || !isDeadlock(error)) throw error;
      await delay(Math.random() * 20 * attempt);
    }
  }
}

function isDeadlock(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === '40P01' || error.code === '40001');
}

/** Trouble of the database is told from faults of ours, as in statements of our own. */
function sharedPrisma(engine: Engine) {
  return new PrismaClient({ adapter: engine.adapter }).$extends({
    query: {
      $allModels: {
        async $allOperations({ args, query }) {
          try {
            return await query(args);
          } catch (error) {
            throw engine.translate(error);
          }
        },
      },
    },
  });
}

type SharedPrisma = ReturnType<typeof sharedPrisma>;

const conditioned: ReadonlySet<string> = new Set([
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findFirstOrThrow',
  'findMany',
  'update',
  'updateMany',
  'delete',
  'deleteMany',
  'count',
  'aggregate',
  'groupBy',
]);

function bindToTenant(prisma: SharedPrisma, tenantId: string) {
  return prisma.$extends({
    query: {
      $allModels: {
        $allOperations({ model, operation, args, query }) {
          if (model === 'Tenant') throw new Error('the tenants table is not read through a tenant-bound client');
          if (conditioned.has(operation)) {
            const where = 'where' in args ? args.where : undefined;
            return query({ ...args, where: { ...where, tenantId } } as typeof args);
          }
          if (operation === 'create' && 'data' in args) {
            return query({ ...args, data: { ...args.data, tenantId } } as typeof args);
          }
          throw new Error(`${operation} is not bound to a tenant: use a statement`);
        },
      },
    },
  });
}

type TenantPrisma = ReturnType<typeof bindToTenant>;
