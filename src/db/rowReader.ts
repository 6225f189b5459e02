import pg from 'pg';
import { propertyName } from '../kernel/code.ts';
import { bigintAt, booleanAt, int16At, int32At, type ReadBinary, timeAt, uuidAt } from './binaryValues.ts';

/** As the server describes it. */
export interface Column {
  readonly name: string;
  readonly dataTypeID: number;
}

/** How a value is read that is written as text. */
export type Parse = (text: string) => unknown;

/** Reads the rows of one statement. */
export interface RowReader {
  /** @param cells as `pg` takes a row apart, all columns as text; null for NULL. */
  ofCells(cells: readonly (string | null)[]): object;
  /** The format of each column that `ofBytes` reads, as it is asked for of the server: 0 for text, 1 for binary. */
  readonly formats: readonly number[];
  /** A row as the server sends it. @param start where in the buffer it begins, with the number of its columns. */
  ofBytes(buffer: Buffer, start: number, end: number): object;
}

const { BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, NUMERIC, TIMESTAMPTZ, UUID, TEXT } = pg.types.builtins;

/** Types that are read in binary, which is shorter and spares both sides the writing of digits. */
const binary: ReadonlyMap<number, ReadBinary> = new Map<number, ReadBinary>([
  [BOOL, booleanAt],
  [INT2, int16At],
  [INT4, int32At],
  [INT8, bigintAt],
  [TIMESTAMPTZ, timeAt],
  [UUID, uuidAt],
]);

/** Types whose values are written in ASCII. */
const ascii: ReadonlySet<number> = new Set([OID, FLOAT4, FLOAT8, NUMERIC]);

/** One character for a byte that is none of ASCII. */
const beyondAscii = /[\x80-\xff]/;

/** Columns of text from which on a row becomes one string, of which they are parts. */
const manyTexts = 4;

/**
 * Written as source for each statement, so that all of its rows have one shape and are made by one expression. Of many
 * texts in a row each is a part of one string: a string for each takes longer, and a page has fifty rows.
 * @param parserOf for the values of a type that are written as text, by its oid.
 */
export function rowReader(columns: readonly Column[], parserOf: (oid: number) => Parse): RowReader {
  const parsers = columns.map(({ dataTypeID }) => parserOf(dataTypeID));
  const readers = columns.map(({ dataTypeID }) => binary.get(dataTypeID));
  const hasMany = readers.filter((read) => !read).length >= manyTexts;
  const parsed = (index: number, cell: string) =>
    parsers[index] === parserOf(TEXT) ? cell : `parsers[${index}](${cell})`;
  const row = (cellOf: (index: number) => string) =>
    `{ ${columns.map(({ name }, index) => `${propertyName(name)}: ${cellOf(index)}`).join(', ')} }`;
  const text = "buffer.toString('utf8', at, at + length)";
  const partOfMany = (cell: string, { dataTypeID }: Column) => `
    ${cell} = all.substring(at - start, at - start + length);
    ${ascii.has(dataTypeID) ? '' : `if (beyondAscii.test(${cell})) ${cell} = ${text};`}`;
  const readText = (cell: string, column: Column) => (hasMany ? partOfMany(cell, column) : `${cell} = ${text};`);
  const readCell = (column: Column, index: number) => `
    length = buffer[at] << 24 | buffer[at + 1] << 16 | buffer[at + 2] << 8 | buffer[at + 3];
    at += 4;
    let cell${index} = null;
    if (length >= 0) {
      ${
        readers[index]
          ? `cell${index} = read${index}(buffer, at);`
          : `${readText(`cell${index}`, column)} cell${index} = ${parsed(index, `cell${index}`)};`
      }
      at += length;
    }`;
  const make: (...given: unknown[]) => Omit<RowReader, 'formats'> = Object(
    new Function(
      'parsers',
      'readers',
      'beyondAscii',
      `${readers.map((_read, index) => `const read${index} = readers[${index}];`).join(' ')}
      return {
        ofCells: (cells) => (${row((index) => `cells[${index}] === null ? null : ${parsed(index, `cells[${index}]`)}`)}),
        ofBytes(buffer, start, end) {
          ${hasMany ? "const all = buffer.toString('latin1', start, end);" : ''}
          let at = start + 2;
          let length;
          ${columns.map(readCell).join('')}
          return ${row((index) => `cell${index}`)};
        },
      };`,
    ),
  );
  return { ...make(parsers, readers, beyondAscii), formats: readers.map((read) => (read ? 1 : 0)) };
}
