import type { Page } from '../db/pages.ts';

/**
 * A page as Relay wants it. Edges and cursors are made when they are asked for: many a query takes only the nodes, which
 * are the rows.
 */
export class Connection<Row> {
  readonly nodes: readonly Row[];
  readonly pageInfo: PageInfo<Row>;
  readonly #cursorOf: (row: Row) => string;

  constructor(page: Page<Row>, cursorOf: (row: Row) => string) {
    this.nodes = page.rows;
    this.pageInfo = new PageInfo(page, cursorOf);
    this.#cursorOf = cursorOf;
  }

  get edges(): { readonly node: Row; readonly cursor: string }[] {
    return this.nodes.map((node) => new Edge(node, this.#cursorOf));
  }
}

class Edge<Row> {
  readonly node: Row;
  readonly #cursorOf: (row: Row) => string;

  constructor(node: Row, cursorOf: (row: Row) => string) {
    this.node = node;
    this.#cursorOf = cursorOf;
  }

  get cursor(): string {
    return this.#cursorOf(this.node);
  }
}

class PageInfo<Row> {
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly #rows: readonly Row[];
  readonly #cursorOf: (row: Row) => string;

  constructor({ rows, hasNextPage, hasPreviousPage }: Page<Row>, cursorOf: (row: Row) => string) {
    this.hasNextPage = hasNextPage;
    this.hasPreviousPage = hasPreviousPage;
    this.#rows = rows;
    this.#cursorOf = cursorOf;
  }

  get startCursor(): string | null {
    return this.#cursorAt(0);
  }

  get endCursor(): string | null {
    return this.#cursorAt(-1);
  }

  #cursorAt(index: number): string | null {
    const row = this.#rows.at(index);
    return row === undefined ? null : this.#cursorOf(row);
  }
}

export function connectionOf<Row>(page: Page<Row>, cursorOf: (row: Row) => string): Connection<Row> {
  return new Connection(page, cursorOf);
}
