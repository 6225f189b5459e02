import { expect } from 'vitest';
import type { Page, PageArgs } from '../../src/db/pages.ts';

/** A list that can be paged through. */
export interface List<Row> {
  page(args: PageArgs): Promise<Page<Row> | undefined>;
  cursor(row: Row): string;
  /** What makes a row itself. */
  key(row: Row): string;
}

/** All rows from the start on, in pages of random sizes; checks `pageInfo` on the way. */
export async function forward<Row>(list: List<Row>, size: () => number): Promise<string[]> {
  const keys: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await list.page({ first: size(), after });
    if (!page) throw new Error('there is no page');
    expect(page.hasPreviousPage).toBe(after !== undefined);
    keys.push(...page.rows.map(list.key));
    if (!page.hasNextPage) return keys;
    after = list.cursor(last(page.rows));
  }
}

/** All rows from the end back, in their order. */
export async function backward<Row>(list: List<Row>, size: () => number): Promise<string[]> {
  const keys: string[] = [];
  for (let before: string | undefined; ; ) {
    const page = await list.page({ last: size(), before });
    if (!page) throw new Error('there is no page');
    expect(page.hasNextPage).toBe(before !== undefined);
    keys.unshift(...page.rows.map(list.key));
    if (!page.hasPreviousPage) return keys;
    before = list.cursor(page.rows[0] ?? last(page.rows));
  }
}

export function last<Row>(rows: readonly Row[]): Row {
  const row = rows.at(-1);
  if (row === undefined) throw new Error('a page that has more is empty');
  return row;
}
