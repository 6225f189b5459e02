import { describe, expect, it } from 'vitest';
import { commitTogether } from '../../src/events/commitTogether.ts';

/** Runs whose end the test decides. */
function controlled() {
  const batches: { readonly items: readonly string[]; readonly end: (results: string[] | null | Error) => void }[] = [];
  const run = commitTogether<string, string>(
    (items) =>
      new Promise((resolve, reject) => {
        batches.push({ items, end: (results) => (results instanceof Error ? reject(results) : resolve(results)) });
      }),
  );
  const done = (index: number) => batches[index]?.end(batches[index].items.map((item) => item.toUpperCase()));
  return { run, batches, done };
}

describe('what arrives while a commit is under way', () => {
  it('is committed together in the next one, each with its own result', async () => {
    const { run, batches, done } = controlled();
    const results = Promise.all(['a', 'b', 'c'].map((item) => run('room', item)));
    expect(batches.map((batch) => batch.items)).toEqual([['a']]);
    done(0);
    await expect.poll(() => batches.length).toBe(2);
    expect(batches[1]?.items).toEqual(['b', 'c']);
    done(1);
    expect(await results).toEqual(['A', 'B', 'C']);
  });

  it('does not wait for what goes on in another room', async () => {
    const { run, batches, done } = controlled();
    const results = [run('one', 'a'), run('other', 'b')];
    expect(batches.map((batch) => batch.items)).toEqual([['a'], ['b']]);
    done(1);
    expect(await results[1]).toBe('B');
    done(0);
    expect(await results[0]).toBe('A');
  });

  it('is run one by one when it cannot go together', async () => {
    const { run, batches, done } = controlled();
    const results = Promise.all(['a', 'b', 'c'].map((item) => run('room', item)));
    done(0);
    await expect.poll(() => batches.length).toBe(2);
    batches[1]?.end(null);
    await expect.poll(() => batches.length).toBe(3);
    done(2);
    await expect.poll(() => batches.length).toBe(4);
    done(3);
    expect(await results).toEqual(['A', 'B', 'C']);
    expect(batches.map((batch) => batch.items)).toEqual([['a'], ['b', 'c'], ['b'], ['c']]);
  });

  it('fails together when the commit fails, and what comes later is run', async () => {
    const { run, batches, done } = controlled();
    const results = Promise.allSettled(['a', 'b'].map((item) => run('room', item)));
    batches[0]?.end(new Error('away'));
    await expect.poll(() => batches.length).toBe(2);
    done(1);
    expect((await results).map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
    const later = run('room', 'c');
    await expect.poll(() => batches.length).toBe(3);
    done(2);
    expect(await later).toBe('C');
  });
});
