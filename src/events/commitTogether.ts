/** More in one statement would only make the first of them wait longer. */
const largestBatch = 100;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Lets what arrives while a commit is under way be committed together in the next one. A busy room is then not limited
 * to one commit for each message, and a quiet one waits for nothing: what comes alone is run at once.
 * @param run commits items together and gives their results in the same order; or null, when they cannot go together,
 * having written nothing: then each is run by itself.
 */
export function commitTogether<Item, Result>(
  run: (items: readonly [Item, ...Item[]]) => Promise<readonly Result[] | null>,
): (key: string, item: Item) => Promise<Result> {
  const queues = new Map<string, Waiting<Item, Result>[]>();

  async function alone({ item, resolve, reject }: Waiting<Item, Result>): Promise<void> {
    try {
      const [result] = (await run([item])) ?? [];
      if (result === undefined) throw new Error('an item that was run alone has to have a result');
      resolve(result);
    } catch (error) {
      reject(error);
    }
  }

  async function together(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    const [first, ...rest] = batch;
    if (!first) return;
    if (rest.length === 0) return alone(first);
    let results: readonly Result[] | null;
    try {
      results = await run([first.item, ...rest.map(({ item }) => item)]);
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    if (results === null) for (const waiting of batch) await alone(waiting);
    else {
      for (const [index, { resolve, reject }] of batch.entries()) {
        const result = results[index];
        if (result === undefined) reject(new Error('a batch has to give a result for each item'));
        else resolve(result);
      }
    }
  }

  async function drain(key: string, queue: Waiting<Item, Result>[]): Promise<void> {
    while (queue.length > 0) await together(queue.splice(0, largestBatch));
    queues.delete(key);
  }

  return (key, item) =>
    new Promise((resolve, reject) => {
      const waiting = { item, resolve, reject };
      const queue = queues.get(key);
      if (queue) {
        queue.push(waiting);
        return;
      }
      const started = [waiting];
      queues.set(key, started);
      void drain(key, started);
    });
}
