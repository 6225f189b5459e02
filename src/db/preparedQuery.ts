import type { Connection, Submittable } from 'pg';
import type { SqlValue, Statement } from './sql.ts';

interface Column {
  readonly name: string;
  readonly dataTypeID: number;
}

type Parse = (text: string) => unknown;
type Cells = readonly (string | null)[];
type ReadRow = (cells: Cells) => Record<string, unknown>;

/** How the rows of a connection's statements are read: asked for once for each, with the first execution. */
const knownRows = new WeakMap<Connection, Map<string, ReadRow | null>>();

/**
 * One execution of a named statement, for `pg`, which calls its methods. Its own queries ask the server to describe the
 * columns each time, and work out anew how to read them; here that is done once for each connection, as the statement
 * stays the same.
 */
export interface PreparedQuery<Row> extends Submittable {
  readonly name: string;
  readonly text: string;
  /** Set by `pg`. */
  callback?: (error: Error | null | undefined, rows?: Row[]) => void;
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
export function preparedQuery<Row>(
  { name, text }: Statement<Row>,
  values: readonly SqlValue[],
  parserOf: (oid: number) => Parse,
): PreparedQuery<Row> {
  const rows: Row[] = [];
  const bound = values.map(written);
  let readers: Map<string, ReadRow | null> | undefined;
  let readRow: ReadRow | null | undefined;
  let failed: Error | null = null;
  return {
    name,
    text,
    submit(connection) {
      readers = knownRows.get(connection) ?? new Map();
      knownRows.set(connection, readers);
      const known = parsedText(connection, name);
      if (known !== undefined && known !== text) return new Error(`two statements have the name ${name}`);
      readRow = known === undefined ? undefined : readers.get(name);
      connection.stream.cork();
      try {
        if (known === undefined) connection.parse({ name, text, types: [] }, true);
        connection.bind({ statement: name, values: bound }, true);
        if (readRow === undefined) connection.describe({ type: 'P', name: '' }, true);
        connection.execute({ portal: '' }, true);
      } finally {
        connection.sync();
        connection.stream.uncork();
      }
      return null;
    },
    handleRowDescription({ fields }) {
      readRow = rowReader(fields, parserOf);
      readers?.set(name, readRow);
    },
    handleDataRow({ fields }) {
      if (failed || !readRow) return;
      try {
        // What a statement gives is what it was declared to give.
        rows.push(readRow(fields) as Row);
      } catch (error) {
        failed = error instanceof Error ? error : new Error(String(error));
      }
    },
    handleCommandComplete() {},
    handleEmptyQuery() {},
    handlePortalSuspended() {},
    handleCopyInResponse() {},
    handleCopyData() {},
    handleError(error) {
      readers?.delete(name);
      this.callback?.(failed ?? error);
    },
    handleReadyForQuery() {
      // It gives no rows: that need not be asked again.
      if (readRow === undefined) readers?.set(name, null);
      if (failed) this.callback?.(failed);
      else this.callback?.(null, rows);
    },
  };
}

/** The text that the server has under a name on this connection: `pg` keeps it from the answer to `parse`. */
function parsedText(connection: object, name: string): unknown {
  const parsed: unknown = Reflect.get(connection, 'parsedStatements');
  return typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, name) : undefined;
}

function rowReader(columns: readonly Column[], parserOf: (oid: number) => Parse): ReadRow {
  const parsers = columns.map(({ dataTypeID }) => parserOf(dataTypeID));
  const names = columns.map(({ name }) => name);
  const empty = Object.fromEntries(names.map((name) => [name, null]));
  return (cells) => {
    const row: Record<string, unknown> = { ...empty };
    for (let index = 0; index < names.length; index++) {
      const cell = cells[index];
      const name = names[index];
      const parse = parsers[index];
      if (cell != null && name !== undefined && parse) row[name] = parse(cell);
    }
    return row;
  };
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
