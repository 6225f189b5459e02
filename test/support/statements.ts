import pg from 'pg';
import { afterAll, vi } from 'vitest';

/** What this process sends to PostgreSQL: ours, Prisma's and the queue's alike. */
export interface SentStatements {
  /** The texts of what is sent while `work` is at it, in their order. */
  during(work: () => Promise<unknown>): Promise<string[]>;
}

/** Every connection of `pg` sends through `query` of its client, whoever uses it; a pool only chooses the connection. */
export function watchStatements(): SentStatements {
  let sent: string[] = [];
  const { query } = pg.Client.prototype;
  const spy = vi.spyOn(pg.Client.prototype, 'query').mockImplementation(function (this: pg.Client, ...args: unknown[]) {
    // Several of ours may go together; they are counted one by one.
    sent.push(...textsOf(args[0]));
    return Reflect.apply(query, this, args);
  });
  afterAll(() => spy.mockRestore());
  return {
    async during(work) {
      sent = [];
      await work();
      return [...sent];
    },
  };
}

function textsOf(statement: unknown): string[] {
  if (typeof statement === 'string') return [statement];
  const { text, texts } = Object(statement);
  return typeof texts === 'function' ? Reflect.apply(texts, statement, []) : [String(text)];
}
