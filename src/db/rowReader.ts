import pg from 'pg';
import { propertyName } from '../kernel/code.ts';

/** As the server describes it. */
export interface Column {
  readonly name: string;
  readonly dataTypeID: number;
}

/** How a value is read that is written as text. */
export type Parse = (text: string) => unknown;

/** Reads the rows of one statement. */
export interface RowReader {
  /** @param cells as `pg` takes a row apart; null for NULL. */
  ofCells(cells: readonly (string | null)[]): object;
  /** A row as the server sends it. @param start where in the buffer it begins, with the number of its columns. */
  ofBytes(buffer: Buffer, start: number, end: number): object;
}

const { BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, NUMERIC, TIMESTAMPTZ, UUID, TEXT } = pg.types.builtins;

/** Types whose values are written in ASCII. */
const ascii: ReadonlySet<number> = new Set([
  ...[BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, NUMERIC, TIMESTAMPTZ, UUID],
]);

/** One character for a byte that is none of ASCII. */
const beyondAscii = /[\x80-\xff]/;

/**
 * Written as source for each statement, so that all of its rows have one shape and are made by one expression. A row of
 * bytes becomes one string, of which the cells are parts: a string for each cell, and an array for each row, take three
 * times as long, and a page has fifty rows.
 * @param parserOf for the values of a type, by its oid.
 */
export function rowReader(columns: readonly Column[], parserOf: (oid: number) => Parse): RowReader {
  const parsers = columns.map(({ dataTypeID }) => parserOf(dataTypeID));
  const parsed = (index: number, cell: string) =>
    parsers[index] === parserOf(TEXT) ? cell : `parsers[${index}](${cell})`;
  const row = (cellOf: (index: number) => string) =>
    `{ ${columns.map(({ name }, index) => `${propertyName(name)}: ${cellOf(index)}`).join(', ')} }`;
  const readCell = ({ dataTypeID }: Column, index: number) => `
    length = buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3];
    at += 4;
    let cell${index} = null;
    if (length >= 0) {
      cell${index} = text.substring(at - start, at - start + length);
      ${ascii.has(dataTypeID) ? '' : `if (beyondAscii.test(cell${index})) cell${index} = buffer.toString('utf8', at, at + length);`}
      cell${index} = ${parsed(index, `cell${index}`)};
      at += length;
    }`;
  const make: (...given: unknown[]) => RowReader = Object(
    new Function(
      'parsers',
      'beyondAscii',
      `return {
        ofCells: (cells) => (${row((index) => `cells[${index}] === null ? null : ${parsed(index, `cells[${index}]`)}`)}),
        ofBytes(buffer, start, end) {
          const text = buffer.toString('latin1', start, end);
          let at = start + 2;
          let length;
          ${columns.map(readCell).join('')}
          return ${row((index) => `cell${index}`)};
        },
      };`,
    ),
  );
  return make(parsers, beyondAscii);
}
