import { describe, expect, it } from 'vitest';
import { commitTogether } from '../../src/events/commitTogether.ts';

interface Commit {
  readonly way: 'across' | 'within';
  readonly items: readonly string[];
  readonly end: (results: (string | undefined)[] | null | Error) => void;
}

/** Commits whose end the test decides. */
function controlled() {
  const commits: Commit[] = [];
  const begin =
    (way: Commit['way']) =>
    (items: readonly string[]): Promise<(string | undefined)[] | null> =>
      new Promise((resolve, reject) => {
        commits.push({ way, items, end: (results) => (results instanceof Error ? reject(results) : resolve(results)) });
      });
  const add = commitTogether<string, string>({
    across: begin('across'),
    within: begin('within') as (items: readonly string[]) => Promise<string[] | null>,
  });
  return {
    add,
    commits,
    run: (key: string, item: string) => add('tenant', key, item),
    begun: (count: number) => expect.poll(() => commits.length).toBe(count),
    items: () => commits.map((commit) => commit.items),
    end: (index: number, results?: (string | undefined)[] | null | Error) =>
      commits[index]?.end(results === undefined ? commits[index].items.map((item) => item.toUpperCase()) : results),
  };
}

/** Something is under way in every place that there is, so that what comes next waits. */
async function occupied() {
  const control = controlled();
  const first = [control.run('first', 'x')];
  await control.begun(1);
  first.push(control.run('second', 'y'));
  await control.begun(2);
  return { ...control, first };
}

describe('what arrives at once (R6)', () => {
  it('is committed in one, of however many keys', async () => {
    const { run, begun, items, end } = controlled();
    const results = Promise.all([run('one', 'a'), run('other', 'b'), run('one', 'c')]);
    await begun(1);
    expect(items()).toEqual([['a', 'c', 'b']]);
    end(0);
    expect(await results).toEqual(['A', 'B', 'C']);
  });

  it('is not committed with what is of another group', async () => {
    const { add, begun, items, end } = controlled();
    const results = Promise.all([add('tenant', 'room', 'a'), add('other tenant', 'room', 'b')]);
    await begun(2);
    expect(items()).toEqual([['a'], ['b']]);
    end(0);
    end(1);
    expect(await results).toEqual(['A', 'B']);
  });
});

describe('what arrives while commits are under way', () => {
  it('is committed together in the next one, each with its own result', async () => {
    const { run, begun, commits, end } = await occupied();
    const results = Promise.all([run('third', 'a'), run('fourth', 'b'), run('third', 'c')]);
    end(0);
    await begun(3);
    expect(commits[2]?.items).toEqual(['a', 'c', 'b']);
    end(2);
    expect(await results).toEqual(['A', 'B', 'C']);
  });

  it('waits for the commit of its own key, and only for that', async () => {
    const { run, begun, commits, end } = controlled();
    const first = run('one', 'a');
    await begun(1);
    const results = [run('one', 'b'), run('other', 'c')];
    await begun(2);
    expect(commits[1]?.items).toEqual(['c']);
    end(1);
    expect(await results[1]).toBe('C');
    end(0);
    await begun(3);
    expect(commits[2]?.items).toEqual(['b']);
    end(2);
    expect(await Promise.all([first, results[0]])).toEqual(['A', 'B']);
  });

  it('goes in portions, in which a busy key leaves room for the others', async () => {
    const { run, begun, commits, end } = await occupied();
    const busy = Array.from({ length: 250 }, (_, index) => run('busy', `${index}`));
    const quiet = run('quiet', 'a');
    end(0);
    await begun(3);
    expect(commits[2]?.items).toHaveLength(100);
    end(1);
    await begun(4);
    expect(commits[3]?.items).toEqual(['a']);
    for (const index of [3, 2]) end(index);
    await begun(5);
    end(4);
    await begun(6);
    end(5);
    expect(await Promise.all(busy)).toEqual(busy.map((_, index) => `${index}`));
    expect(await quiet).toBe('A');
  });
});

describe('what is left out', () => {
  it('is committed apart from the others, with what else of its key was left out', async () => {
    const { run, begun, commits, end } = controlled();
    const results = [run('one', 'a'), run('locked', 'b'), run('locked', 'c')];
    await begun(1);
    end(0, ['A', undefined, undefined]);
    expect(await results[0]).toBe('A');
    await begun(2);
    expect(commits[1]).toMatchObject({ way: 'within', items: ['b', 'c'] });
    const later = run('locked', 'd');
    const elsewhere = run('one', 'e');
    await begun(3);
    expect(commits[2]).toMatchObject({ way: 'across', items: ['e'] });
    end(1);
    await begun(4);
    expect(commits[3]).toMatchObject({ way: 'across', items: ['d'] });
    end(2);
    end(3);
    expect(await Promise.all([...results, later, elsewhere])).toEqual(['A', 'B', 'C', 'D', 'E']);
  });

  it('is run one by one when it cannot go together', async () => {
    const { run, begun, commits, end } = controlled();
    const results = Promise.all(['a', 'b'].map((item) => run('room', item)));
    await begun(1);
    end(0, null);
    await begun(2);
    end(1, null);
    await begun(3);
    end(2);
    await begun(4);
    end(3);
    expect(await results).toEqual(['A', 'B']);
    expect(commits.map(({ way, items }) => [way, items.join('')])).toEqual([
      ['across', 'ab'],
      ['within', 'ab'],
      ['within', 'a'],
      ['within', 'b'],
    ]);
  });
});

describe('a commit that fails', () => {
  it('fails for all that is in it, and what comes later is run', async () => {
    const { run, begun, end } = controlled();
    const results = Promise.allSettled([run('one', 'a'), run('other', 'b')]);
    await begun(1);
    end(0, new Error('away'));
    expect((await results).map((result) => result.status)).toEqual(['rejected', 'rejected']);
    const later = run('one', 'c');
    await begun(2);
    end(1);
    expect(await later).toBe('C');
  });

  it('fails for one item only, where each is run by itself', async () => {
    const { run, begun, end } = controlled();
    const results = Promise.allSettled(['a', 'b'].map((item) => run('room', item)));
    await begun(1);
    end(0, null);
    await begun(2);
    end(1, null);
    await begun(3);
    end(2, new Error('too late'));
    await begun(4);
    end(3);
    expect((await results).map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
  });
});
