/** More in one statement would only make the first of them wait longer. */
const largestBatch = 100;
/** While one waits for the disk, the next is worked on. With more of them each would carry less. */
const commitsAtOnce = 2;

interface Waiting<Item, Result> {
  readonly item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

type Some<Item> = readonly [Item, ...Item[]];

/** The two ways in which items are committed; both give the results in the order of the items. */
interface Commits<Item, Result> {
  /**
   * Commits what it can of items of many keys, without waiting for the lock of any. Undefined stands for an item that
   * was left out; null says that nothing was written, for one of them is in the way of all.
   */
  readonly across: (items: Some<Item>) => Promise<readonly (Result | undefined)[] | null>;
  /**
   * Commits items of one key that were left out, however long it takes; null when they cannot go together, having
   * written nothing: then each is run by itself.
   */
  readonly within: (items: Some<Item>) => Promise<readonly Result[] | null>;
}

/**
 * Lets what arrives while commits are under way be committed together in the next one. A busy key (a room) is then not
 * limited to one commit for each item, quiet ones share their commits, and what comes alone is run at once. The items of
 * a key are committed in the order of their arrival, in one commit at a time.
 * @returns what adds an item; only those of the same group (a tenant) are committed together.
 */
export function commitTogether<Item, Result>(
  commits: Commits<Item, Result>,
): (group: string, key: string, item: Item) => Promise<Result> {
  const groups = new Map<string, Group<Item, Result>>();
  return (name, key, item) =>
    new Promise((resolve, reject) => {
      let group = groups.get(name);
      if (!group) {
        group = createGroup(commits, () => groups.delete(name));
        groups.set(name, group);
      }
      group.add(key, { item, resolve, reject });
    });
}

interface Group<Item, Result> {
  add(key: string, waiting: Waiting<Item, Result>): void;
}

function createGroup<Item, Result>({ across, within }: Commits<Item, Result>, onIdle: () => void) {
  type Batch = Waiting<Item, Result>[];
  const queues = new Map<string, Batch>();
  /** Keys of which a commit is under way. */
  const busy = new Set<string>();
  let underWay = 0;
  let scheduled = false;

  /** What the next commit takes: from each key whose turn it is, in the order in which they came. */
  function next(): Map<string, Batch> {
    const batches = new Map<string, Batch>();
    let space = largestBatch;
    for (const [key, queue] of queues) {
      if (space === 0) break;
      if (busy.has(key)) continue;
      const batch = queue.splice(0, space);
      space -= batch.length;
      batches.set(key, batch);
      busy.add(key);
      // What is left of it goes to the end: the others come first.
      queues.delete(key);
      if (queue.length > 0) queues.set(key, queue);
    }
    return batches;
  }

  function run(): void {
    scheduled = false;
    while (underWay < commitsAtOnce) {
      const batches = next();
      if (batches.size === 0) return;
      underWay++;
      void together(batches);
    }
  }

  function schedule(): void {
    if (queues.size === 0) {
      if (busy.size === 0) onIdle();
      return;
    }
    if (scheduled) return;
    scheduled = true;
    // Requests that were read from their connections in the same turn of the event loop go together.
    setImmediate(run);
  }

  async function together(batches: ReadonlyMap<string, Batch>): Promise<void> {
    const all = [...batches.values()].flat();
    const results = await settled(all, across);
    underWay--;
    let index = 0;
    for (const [key, batch] of batches) {
      const left = batch.filter(({ resolve }) => {
        const result = results?.[index++];
        if (result === undefined) return true;
        if (result !== failed) resolve(result);
        return false;
      });
      if (left.length === 0) busy.delete(key);
      else void separately(left).then(() => release(key));
    }
    schedule();
  }

  /** Those that were left out wait here for what was in their way, and nobody else does. */
  async function separately(batch: Batch): Promise<void> {
    const results = await settled(batch, within);
    for (const [index, waiting] of batch.entries()) {
      const result = results === null ? (await settled([waiting], within))?.[0] : results[index];
      if (result === undefined) waiting.reject(new Error('an item that was run alone has to have a result'));
      else if (result !== failed) waiting.resolve(result);
    }
  }

  function release(key: string): void {
    busy.delete(key);
    schedule();
  }

  return {
    add(key: string, waiting: Waiting<Item, Result>) {
      const queue = queues.get(key);
      if (queue) queue.push(waiting);
      else queues.set(key, [waiting]);
      schedule();
    },
  };
}

/** In place of the result of an item that has been rejected already. */
const failed = Symbol();

/** The results; a failure of the commit is that of all its items. */
async function settled<Item, Result, Given extends Result | undefined>(
  batch: readonly Waiting<Item, Result>[],
  commit: (items: Some<Item>) => Promise<readonly Given[] | null>,
): Promise<readonly (Given | typeof failed)[] | null> {
  const [first, ...rest] = batch.map(({ item }) => item);
  if (first === undefined) return [];
  try {
    return await commit([first, ...rest]);
  } catch (error) {
    for (const { reject } of batch) reject(error);
    return batch.map(() => failed);
  }
}
