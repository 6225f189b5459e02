/**
 * One hand-written SQL statement, prepared once per connection under its name. `$1` is always the tenant id, which the
 * tenant-bound handle fills in: callers give the parameters from `$2` on.
 */
export interface Statement<Row> {
  readonly name: string;
  readonly text: string;
  /** As `lookup` declares it. */
  readonly isLookup?: true;
  /** Only carries the row's type. */
  readonly row?: Row;
}

/** Declares a statement. The name has to be unique in the program: `domain.whatItDoes`. */
export function sql<Row>(name: string, text: string): Statement<Row> {
  return { name, text };
}

/**
 * Declares a statement that only reads what an index leads to, and so is quick. Outside of a transaction the lookups of
 * one turn of the event loop share a round trip, one after the other in the order in which they were asked for: one that
 * takes long would keep those behind it waiting.
 */
export function lookup<Row>(name: string, text: string): Statement<Row> {
  return { name, text, isLookup: true };
}

/**
 * A parameter whose value the planner does not see, such as `unplanned('$3::bigint')`: for the bounds and the size of a
 * page along one index, which is the right one whatever they are. PostgreSQL so keeps the plan that it has made once. With
 * the values in sight a page of a large room looks cheaper to plan anew each time, and that takes as long as half the page.
 *
 * Not where the plan has to follow the value: for a condition that falls away with NULL, or a join that is larger with more rows.
 * @param parameter with its type, which a subquery would otherwise take for text.
 */
export function unplanned(parameter: `$${number}::${string}`): string {
  return `(SELECT ${parameter})`;
}

export type SqlValue =
  | string
  | number
  | bigint
  | boolean
  | Date
  | null
  | readonly (string | number | bigint | boolean | Date | null)[];

/** Runs statements against one tenant. */
export interface TenantQueries {
  readonly tenantId: string;
  /** Rows with columns as the statement names them; `bigint` columns come as bigint, `timestamptz` as Date. */
  query<Row>(statement: Statement<Row>, ...params: readonly SqlValue[]): Promise<Row[]>;
}

/** A transaction of one tenant. */
export interface TenantTransaction extends TenantQueries {
  /**
   * Runs right before the commit, in order, still inside the transaction: for what takes a lock that many share and so
   * has to be held shortest. A failure rolls the whole transaction back.
   */
  beforeCommit(work: () => Promise<void>): void;
  /**
   * Runs a statement that is not ours, without the tenant: for the queue of jobs, whose library writes its own SQL and
   * whose jobs are to be committed with what they are about.
   */
  runForeign(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
  /** Calls back after the commit, in order; never when the transaction fails. */
  afterCommit(callback: () => void): void;
}

/** The statement would have broken a unique index, foreign key or not-null column: a race was lost. */
export class ConstraintError extends Error {
  override readonly name = 'ConstraintError';
  readonly kind: 'unique' | 'foreign key' | 'not null';
  readonly constraint: string;

  constructor(kind: ConstraintError['kind'], constraint: string) {
    super(`${kind} ${constraint}`);
    this.kind = kind;
    this.constraint = constraint;
  }
}
