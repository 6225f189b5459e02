import pg, { type Connection, type Submittable } from 'pg';
import type { SqlValue, Statement } from './sql.ts';

interface Column {
  readonly name: string;
  readonly dataTypeID: number;
}

type Parse = (text: string) => unknown;
type Cells = readonly (string | null)[];
type ReadRow = (cells: Cells) => object;

/** A statement as a connection knows it. */
interface Prepared {
  readonly text: string;
  /** Null for a statement that gives no rows. */
  readonly readRow: ReadRow | null;
}

/**
 * The statements of each connection, by name. Undefined for one of which an error left open whether the server has it:
 * that one is closed before it is prepared again.
 */
const knownStatements = new WeakMap<Connection, Map<string, Prepared | undefined>>();

/** One execution of a statement, and who waits for what it gives. */
export interface Execution {
  readonly statement: Statement<unknown>;
  readonly values: readonly SqlValue[];
  done(rows: object[]): void;
  failed(error: unknown): void;
}

/**
 * Executions of named statements in one round trip, for `pg`, which calls its methods. Its own queries ask the server to
 * describe the columns each time, and work out anew how to read them; here that is done once for each connection, as the
 * statement stays the same.
 *
 * All of them stand before one Sync, so that the server has them in one transaction: several may only be reads. What
 * comes behind one that failed is not executed.
 */
export interface PreparedBatch extends Submittable {
  /** Set by `pg`. Called last: with an error where not all have been executed. */
  callback?: (error: Error | null | undefined) => void;
  /** Those that were not executed because one before them failed. */
  left(): readonly Execution[];
  handleRowDescription(message: { readonly fields: readonly Column[] }): void;
  handleDataRow(message: { readonly fields: Cells }): void;
  handleCommandComplete(): void;
  handleEmptyQuery(): void;
  handlePortalSuspended(): void;
  handleCopyInResponse(): void;
  handleCopyData(): void;
  handleError(error: Error): void;
  handleReadyForQuery(): void;
}

/** @param parserOf for the values of a type, by its oid. */
export function preparedBatch(executions: readonly Execution[], parserOf: (oid: number) => Parse): PreparedBatch {
  let known = new Map<string, Prepared | undefined>();
  /** The execution whose answer is being read. */
  let current = 0;
  let rows: object[] = [];
  let readRow: ReadRow | null = null;
  let misread: unknown = null;
  let failure: Error | null = null;

  function expect(): void {
    const execution = executions[current];
    readRow = (execution && known.get(execution.statement.name)?.readRow) ?? null;
    rows = [];
    misread = null;
  }

  function settle(): void {
    const execution = executions[current];
    if (misread) execution?.failed(misread);
    else execution?.done(rows);
    current++;
    expect();
  }

  return {
    submit(connection) {
      known = knownStatements.get(connection) ?? new Map();
      knownStatements.set(connection, known);
      const twice = executions.find(({ statement: { name, text } }) => (known.get(name)?.text ?? text) !== text);
      if (twice) return new Error(`two statements have the name ${twice.statement.name}`);
      const begun = new Set<string>();
      connection.stream.cork();
      try {
        for (const { statement, values } of executions) {
          const { name, text } = statement;
          const isNew = known.get(name) === undefined && !begun.has(name);
          if (isNew) {
            begun.add(name);
            if (known.has(name)) connection.close({ type: 'S', name }, true);
            connection.parse({ name, text, types: [] }, true);
          }
          connection.bind({ statement: name, values: values.map(written) }, true);
          if (isNew) connection.describe({ type: 'P', name: '' }, true);
          connection.execute({ portal: '' }, true);
        }
      } finally {
        for (const name of begun) known.set(name, undefined);
        connection.sync();
        connection.stream.uncork();
      }
      expect();
      return null;
    },
    left: () => executions.slice(current),
    handleRowDescription({ fields }) {
      readRow = rowReader(fields, parserOf);
    },
    handleDataRow({ fields }) {
      if (misread || !readRow) return;
      try {
        rows.push(readRow(fields));
      } catch (error) {
        misread = error;
      }
    },
    handleCommandComplete() {
      const execution = executions[current];
      if (!execution) return;
      const { name, text } = execution.statement;
      if (!known.get(name)) known.set(name, { text, readRow });
      // What is written is so when the transaction has ended, and that is not said here.
      if (executions.length > 1) settle();
    },
    handleEmptyQuery() {},
    handlePortalSuspended() {},
    handleCopyInResponse() {},
    handleCopyData() {},
    handleError(error) {
      failure = error;
      const execution = executions[current++];
      if (execution && isOutdated(error)) known.set(execution.statement.name, undefined);
      execution?.failed(error);
      // Nothing more comes over a connection that is not said to be ready again.
      if (!(error instanceof pg.DatabaseError)) {
        while (current < executions.length) executions[current++]?.failed(error);
      }
      this.callback?.(error);
    },
    handleReadyForQuery() {
      if (!failure && current < executions.length) settle();
      this.callback?.(failure);
    },
  };
}

/** What it gives has another type than when it was prepared: a migration has changed a column. */
function isOutdated(error: Error): boolean {
  return error instanceof pg.DatabaseError && error.code === '0A000';
}

/**
 * Makes objects of rows. Written as source, so that all rows of a statement have one shape and are made by one
 * expression: a loop over the columns takes three times as long, and a page has fifty rows.
 */
function rowReader(columns: readonly Column[], parserOf: (oid: number) => Parse): ReadRow {
  const parsers = columns.map(({ dataTypeID }) => parserOf(dataTypeID));
  const fields = columns.map(
    // As a computed name `__proto__` is a name like any other.
    ({ name }, index) =>
      `[${JSON.stringify(name)}]: cells[${index}] === null ? null : parsers[${index}](cells[${index}])`,
  );
  const make: (parsers: readonly Parse[]) => ReadRow = Object(
    new Function('parsers', `return (cells) => ({ ${fields.join(', ')} });`),
  );
  return make(parsers);
}

/** A parameter as PostgreSQL reads it. */
function written(value: SqlValue): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object') return String(value);
  return `{${value.map((item) => quoted(written(item))).join(',')}}`;
}

function quoted(item: string | null): string {
  return item === null ? 'NULL' : `"${item.replace(/[\\"]/g, '\\$&')}"`;
}
