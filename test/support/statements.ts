import pg from 'pg';
import { afterAll, vi } from 'vitest';

/** What this process sends to PostgreSQL: ours, Prisma's and the queue's alike. */
export interface SentStatements {
  /** The texts of what is sent while `work` is at it, in their order. */
  during(work: () => Promise<unknown>): Promise<string[]>;
}

/** Every connection of `pg` sends through `query` of its client, whoever uses it; a pool only chooses the connection. */
export function watchStatements(): SentStatements {
  const spy = vi.spyOn(pg.Client.prototype, 'query');
  afterAll(() => spy.mockRestore());
  return {
    async during(work) {
      spy.mockClear();
      await work();
      return spy.mock.calls.map(([statement]: readonly unknown[]) =>
        typeof statement === 'string' ? statement : String(Reflect.get(Object(statement), 'text')),
      );
    },
  };
}
