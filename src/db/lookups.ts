import type { Execution } from './preparedBatch.ts';

/** Statements that share a round trip at most: what comes later is not kept waiting for the whole of a crowd. */
const atMost = 64;

/**
 * Gathers the lookups of one turn of the event loop, and has them executed one after the other, in the order in which
 * they were asked for. Busy processes so need one write and one read for many lookups, and one connection; who comes
 * alone waits for nothing.
 *
 * Invariant: a lookup sees at least what those saw that were asked for before it in the same turn.
 * @param send executes them in that order, over one connection. What it rejects with fails those that have no answer,
 * and those that were to follow: where there is no connection, or no time left, they do not wait for that again.
 */
export function createLookups(send: (executions: readonly Execution[]) => Promise<void>) {
  let waiting: Execution[] = [];

  async function sendAll(executions: readonly Execution[]): Promise<void> {
    try {
      for (let from = 0; from < executions.length; from += atMost) await send(executions.slice(from, from + atMost));
    } catch (error) {
      // Whoever has an answer already does not hear of it.
      for (const execution of executions) execution.failed(error);
    }
  }

  function flush(): void {
    const executions = waiting;
    waiting = [];
    void sendAll(executions);
  }

  return (execution: Execution): void => {
    if (waiting.push(execution) === 1) setImmediate(flush);
  };
}
