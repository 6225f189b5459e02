import { ValidationError } from '../kernel/errors.ts';

const defaultPageSize = 50;
const maxPageSize = 100;

/** Relay's arguments as clients give them. */
export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly last?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly before?: string | null | undefined;
}

/** A checked request for one page: `size` rows from `after` on, or the `size` rows up to `before`. */
export interface PageRequest<Position> {
  readonly size: number;
  readonly backward: boolean;
  readonly after: Position | null;
  readonly before: Position | null;
}

export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

/**
 * Checks Relay's arguments.
 * @param decode turns a cursor into a position; it throws a ValidationError naming the field given to it.
 * @param lastByDefault without any argument the page is the last one of the list instead of the first.
 * @throws ValidationError for a size outside 1 to 100, for both `first` and `last`, and for a bad cursor.
 */
export function parsePage<Position>(
  args: PageArgs,
  decode: (cursor: string, field: string) => Position,
  lastByDefault = false,
): PageRequest<Position> {
  if (args.first != null && args.last != null)
    throw new ValidationError('first', 'give either first or last, not both');
  const size = args.first ?? args.last ?? defaultPageSize;
  if (size < 1 || size > maxPageSize) {
    throw new ValidationError(args.last != null ? 'last' : 'first', `has to be from 1 to ${maxPageSize}`);
  }
  return {
    size,
    backward: args.last != null || (args.first == null && args.after == null && (args.before != null || lastByDefault)),
    after: args.after != null ? decode(args.after, 'after') : null,
    before: args.before != null ? decode(args.before, 'before') : null,
  };
}

/**
 * A page from the `size + 1` rows that a statement read in its own direction: the surplus row only tells that there is
 * more beyond.
 */
export function toPage<Row, Position>(request: PageRequest<Position>, read: readonly Row[]): Page<Row> {
  const more = read.length > request.size;
  const rows = read.slice(0, request.size);
  return request.backward
    ? { rows: rows.reverse(), hasPreviousPage: more, hasNextPage: request.before !== null }
    : { rows, hasNextPage: more, hasPreviousPage: request.after !== null };
}
