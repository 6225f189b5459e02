import pg, { type Connection, type Submittable } from 'pg';
import { type Bound, executionMessages } from './executionMessages.ts';
import { type Column, type Parse, type RowReader, rowReader } from './rowReader.ts';
import { RowSocket, type Taker } from './rowSocket.ts';
import type { SqlValue, Statement } from './sql.ts';

type Cells = readonly (string | null)[];

/** A statement as a connection knows it. */
interface Prepared {
  readonly text: string;
  /** Null for a statement that gives no rows. */
  readonly reader: RowReader | null;
}

/**
 * The statements of each connection, by name. Undefined for one of which an error left open whether the server has it:
 * that one is closed before it is prepared again.
 */
const knownStatements = new WeakMap<Connection, Map<string, Prepared | undefined>>();

/** Formats for columns that all come as text. */
const allText: readonly number[] = [];

/** One execution of a statement, and who waits for what it gives. */
export interface Execution {
  readonly statement: Statement<unknown>;
  /** As `toText` gives them: one that cannot be written fails who asks, and not those who share the round trip. */
  readonly values: readonly (string | null)[];
  done(rows: object[]): void;
  failed(error: unknown): void;
}

/**
 * The connection can take the next, or it is lost.
 * @param left those that were not executed because one before them failed.
 */
export type Callback = (error: Error | null | undefined, left?: readonly Execution[]) => void;

/**
 * Executions of named statements in one round trip, for `pg`, which calls its methods. Its own queries ask the server to
 * describe the columns each time, and work out anew how to read them; here that is done once for each connection, as the
 * statement stays the same.
 *
 * All of them stand before one Sync, so that the server has them in one transaction: several may only be reads. What
 * comes behind one that failed is not executed.
 */
export interface PreparedBatch extends Submittable {
  /** `pg` puts one of its own before it. */
  callback: Callback;
  /** The texts of what is to be executed, until it has been: for who watches what goes to the server. */
  texts(): string[];
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
export function preparedBatch(
  executions: readonly Execution[],
  parserOf: (oid: number) => Parse,
  callback: Callback,
): PreparedBatch {
  let known = new Map<string, Prepared | undefined>();
  /** The execution whose answer is being read. */
  let current = 0;
  let rows: object[] = [];
  let reader: RowReader | null = null;
  let socket: RowSocket | null = null;
  let misread: unknown = null;
  let failure: Error | null = null;

  function expect(): void {
    const execution = executions[current];
    reader = (execution && known.get(execution.statement.name)?.reader) ?? null;
    rows = [];
    misread = null;
  }

  function takeCells(cells: Cells): void {
    if (misread || !reader) return;
    try {
      rows.push(reader.ofCells(cells));
    } catch (error) {
      misread = error;
    }
  }

  const taker: Taker = {
    takeRow(buffer, start, end) {
      if (misread || !reader) return;
      try {
        rows.push(reader.ofBytes(buffer, start, end));
      } catch (error) {
        misread = error;
      }
    },
    completed: () => batch.handleCommandComplete(),
  };

  /** Null where there is one that the connection does not know. */
  function allKnown(): Bound[] | null {
    const bound: Bound[] = [];
    for (const { statement, values } of executions) {
      const { name } = statement;
      const prepared = known.get(name);
      if (!prepared) return null;
      bound.push({ name, values, formats: (socket && prepared.reader?.formats) ?? allText });
    }
    return bound;
  }

  /** Where the columns of one are not known as yet, all of this round trip come as text. */
  function prepareAndExecute(connection: Connection): void {
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
        connection.bind({ statement: name, values: [...values] }, true);
        if (isNew) connection.describe({ type: 'P', name: '' }, true);
        connection.execute({ portal: '' }, true);
      }
    } finally {
      for (const name of begun) known.set(name, undefined);
      connection.sync();
      connection.stream.uncork();
    }
  }

  function finish(error: Error | null): void {
    if (socket?.taker === taker) socket.taker = null;
    const left = executions.slice(current);
    // `pg` puts a function of its own in the place of the callback, and V8 makes functions that become a property among
    // what is old: until the next great collection of garbage it would keep, with this, all that was read.
    executions = [];
    rows = [];
    batch.callback(error, left);
  }

  function settle(): void {
    const execution = executions[current];
    if (misread) execution?.failed(misread);
    else execution?.done(rows);
    current++;
    expect();
  }

  const batch: PreparedBatch = {
    callback,
    texts: () => executions.map(({ statement }) => statement.text),
    submit(connection) {
      known = knownStatements.get(connection) ?? new Map();
      knownStatements.set(connection, known);
      const twice = executions.find(({ statement: { name, text } }) => (known.get(name)?.text ?? text) !== text);
      if (twice) return new Error(`two statements have the name ${twice.statement.name}`);
      // With TLS the socket is another one, and `pg` reads the rows.
      socket = connection.stream instanceof RowSocket ? connection.stream : null;
      socket?.begin();
      const bound = allKnown();
      if (!bound) prepareAndExecute(connection);
      else {
        if (socket) socket.taker = taker;
        if (connection.stream.writable) connection.stream.write(executionMessages(bound));
      }
      expect();
      return null;
    },
    handleRowDescription({ fields }) {
      const name = executions[current]?.statement.name;
      reader = name === undefined ? null : readerOf(name, fields, parserOf);
    },
    handleDataRow({ fields }) {
      takeCells(fields);
    },
    handleCommandComplete() {
      const execution = executions[current];
      if (!execution) return;
      const { name, text } = execution.statement;
      if (!known.get(name)) known.set(name, { text, reader });
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
      finish(error);
    },
    handleReadyForQuery() {
      if (!failure && current < executions.length) settle();
      finish(failure);
    },
  };
  return batch;
}

const readers = new Map<string, { readonly columns: string; readonly reader: RowReader }>();

/** One for all connections: code that is shared is warm. Types that a database has made itself differ from one to another. */
function readerOf(name: string, fields: readonly Column[], parserOf: (oid: number) => Parse): RowReader {
  const columns = fields.map((field) => `${field.name}:${field.dataTypeID}`).join();
  const known = readers.get(name);
  if (known?.columns === columns) return known.reader;
  const reader = rowReader(fields, parserOf);
  readers.set(name, { columns, reader });
  return reader;
}

/**
 * It has to be prepared again: what it gives has another type since a migration has changed a column, or somebody on the
 * way has thrown away what was prepared.
 */
function isOutdated(error: Error): boolean {
  return error instanceof pg.DatabaseError && (error.code === '0A000' || error.code === '26000');
}

/** A parameter as PostgreSQL reads it. @throws RangeError for a date that is none. */
export function toText(value: SqlValue): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object') return String(value);
  return `{${value.map((item) => quoted(toText(item))).join(',')}}`;
}

function quoted(item: string | null): string {
  return item === null ? 'NULL' : `"${item.replace(/[\\"]/g, '\\$&')}"`;
}
