import type { AuditEntry as StoredEntry } from '../../db/generated/client.ts';
import type { PageRequest } from '../../db/pages.ts';
import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';
import type { ChainHead } from './audit.rules.ts';

/** An entry of the audit trail as it is stored. */
export type AuditEntry = Omit<StoredEntry, 'metadata'> & {
  readonly metadata: Readonly<Record<string, string | number | boolean | null>>;
};

export interface AuditFilter {
  readonly actorId: string | null;
  readonly action: string | null;
  readonly targetId: string | null;
  readonly from: Date | null;
  readonly to: Date | null;
}

// What we never write, but somebody with the database in their hands may have, comes as something that can be read and
// does not fit its hash: a time that JavaScript has none for, and details that are no object.
const columns = `
  e.tenant_id AS "tenantId", e.number, e.id, e.actor_id AS "actorId", e.actor_name AS "actorName",
  e.actor_role AS "actorRole", e.action, e.target_type AS "targetType", e.target_id AS "targetId",
  CASE jsonb_typeof(e.metadata) WHEN 'object' THEN e.metadata ELSE jsonb_build_object('?', e.metadata) END AS metadata,
  e.request_id AS "requestId", e.address, e.user_agent AS "userAgent",
  CASE WHEN e.created_at BETWEEN '2000-01-01' AND '9999-01-01' THEN e.created_at ELSE 'epoch' END AS "createdAt",
  e.previous_hash AS "previousHash", e.hash`;

// Entries are numbered in the order of their times: a time becomes a number by one look into an index, and whatever else
// is asked for, the page comes in the order of one index.
const firstAt = (time: string) => `(SELECT t.number FROM audit_entries t
    WHERE t.tenant_id = $1 AND t.created_at >= ${time} ORDER BY t.created_at, t.number LIMIT 1)`;

const filters = {
  actorId: 'e.actor_id = $7::uuid',
  action: 'e.action = $8::text',
  targetId: 'e.target_id = $9::text',
} as const;

type FilterName = keyof typeof filters;
const filterNames = ['actorId', 'action', 'targetId'] as const satisfies readonly FilterName[];

// A statement for each combination: one for all would have a plan that fits none.
function page(direction: 'ASC' | 'DESC', used: readonly FilterName[]) {
  const unused = filterNames.filter((name) => !used.includes(name)).map((name) => filters[name].replace(/.* = /, ''));
  // PostgreSQL wants to see every parameter that it is given.
  const conditions = [...used.map((name) => filters[name]), ...unused.map((value) => `${value} IS NULL`)];
  return sql<AuditEntry>(
    `audit.page${direction}${used.map((name) => `.${name}`).join('')}`,
    `SELECT ${columns} FROM audit_entries e
     WHERE e.tenant_id = $1
       AND e.number > coalesce((SELECT cut_number FROM audit_heads WHERE tenant_id = $1), 0)
       AND e.number < CASE WHEN $3::bigint IS NULL THEN 9223372036854775807 ELSE $3 END
       AND e.number > CASE WHEN $4::bigint IS NULL THEN 0 ELSE $4 END
       AND e.number >= CASE WHEN $5::timestamptz IS NULL THEN 0 ELSE ${firstAt('$5')} END
       AND e.number < CASE WHEN $6::timestamptz IS NULL THEN 9223372036854775807
         ELSE coalesce(${firstAt('$6')}, 9223372036854775807) END
       AND ${conditions.join(' AND ')}
     ORDER BY e.number ${direction} LIMIT $2`,
  );
}

const combinations = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => filterNames.filter((_, index) => bits & (1 << index)));
const pages = new Map(
  combinations.map((used) => [used.join(), { forward: page('DESC', used), backward: page('ASC', used) }]),
);

/** One entry more than the page holds, in the page's own direction; the newest first. */
export async function readAuditLog(
  db: TenantQueries,
  filter: AuditFilter,
  { after, before, backward, size }: PageRequest<bigint>,
): Promise<AuditEntry[]> {
  const { actorId, action, targetId, from, to } = filter;
  const statement = pages.get(filterNames.filter((name) => filter[name] !== null).join());
  if (!statement) throw new Error('every combination of filters has a statement');
  const bounds = [after, before, from, to];
  return db.query(statement[backward ? 'backward' : 'forward'], size + 1, ...bounds, actorId, action, targetId);
}

const chainPart = sql<AuditEntry>(
  'audit.chainPart',
  `SELECT ${columns} FROM audit_entries e WHERE e.tenant_id = $1 AND e.number > $2 AND e.number <= $3
   ORDER BY e.number LIMIT $4`,
);

/** The entries from after one number to another, in order. */
export async function readChain(db: TenantQueries, after: bigint, upTo: bigint, limit: number): Promise<AuditEntry[]> {
  return db.query(chainPart, after, upTo, limit);
}

const headColumns = 'number, hash, cut_number AS "cutNumber", cut_hash AS "cutHash"';
const headStatement = sql<ChainHead>('audit.head', `SELECT ${headColumns} FROM audit_heads WHERE tenant_id = $1`);
const lockStatement = sql<ChainHead>(
  'audit.lockHead',
  `SELECT ${headColumns} FROM audit_heads WHERE tenant_id = $1 FOR UPDATE`,
);

/** The head of the tenant's chain; of a chain without entries, one of zeros. */
export async function readHead(db: TenantQueries): Promise<ChainHead> {
  return (await db.query(headStatement))[0] ?? { number: 0n, hash: '', cutNumber: 0n, cutHash: '' };
}

/** As `readHead`, under the chain's lock: nothing is added until the commit. */
export async function lockHead(tx: TenantTransaction): Promise<ChainHead | null> {
  return (await tx.query(lockStatement))[0] ?? null;
}

const strayStatement = sql<{ number: bigint }>(
  'audit.stray',
  `(SELECT e.number FROM audit_entries e WHERE e.tenant_id = $1
      AND e.number > coalesce((SELECT h.number FROM audit_heads h WHERE h.tenant_id = $1), 0)
    ORDER BY e.number LIMIT 1)
   UNION ALL
   (SELECT e.number FROM audit_entries e WHERE e.tenant_id = $1 AND e.number <= 0 ORDER BY e.number LIMIT 1)
   LIMIT 1`,
);

/** The number of an entry that stands before or after its chain; null where there is none. */
export async function findStray(db: TenantQueries): Promise<bigint | null> {
  return (await db.query(strayStatement))[0]?.number ?? null;
}

const lastBefore = sql<{ number: bigint; hash: string }>(
  'audit.lastBefore',
  `SELECT number, hash FROM audit_entries WHERE tenant_id = $1 AND created_at < $2
   ORDER BY created_at DESC, number DESC LIMIT 1`,
);

/** The newest entry made before a time. */
export async function findLastBefore(tx: TenantTransaction, time: Date) {
  return (await tx.query(lastBefore, time))[0] ?? null;
}

const cutStatement = sql<never>(
  'audit.cut',
  'UPDATE audit_heads SET cut_number = $2, cut_hash = $3 WHERE tenant_id = $1',
);

/** Declares the entries up to this one as purged. The database refuses it unless an entry of the chain says the same. */
export async function moveCut(tx: TenantTransaction, number: bigint, hash: string): Promise<void> {
  await tx.query(cutStatement, number, hash);
}

const deleteStatement = sql<{ gone: bigint }>(
  'audit.deleteCut',
  `WITH gone AS (
     DELETE FROM audit_entries WHERE tenant_id = $1 AND number IN (
       SELECT e.number FROM audit_entries e JOIN audit_heads h ON h.tenant_id = $1 AND e.number <= h.cut_number
       WHERE e.tenant_id = $1 ORDER BY e.number LIMIT $2
     ) RETURNING 1
   )
   SELECT count(*) AS gone FROM gone`,
);

/** Deletes entries that were declared as purged. @returns how many. */
export async function deletePurged(db: TenantQueries, limit: number): Promise<number> {
  return Number((await db.query(deleteStatement, limit))[0]?.gone ?? 0);
}
