import { expect, test } from 'vitest';
import type { PageArgs } from '../../src/db/pages.ts';
import { createContext } from '../../src/graphql/context.ts';
import { definePageLoader } from '../../src/graphql/loaders.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 1 });
const caller = await house.callerOf(person('acme', 'Ana'));

test('T6 pages share a call where they are asked for with the same arguments, and only there', async () => {
  const random = createRandom('arguments of pages');
  const calls: PageArgs[] = [];
  const pages = definePageLoader<string, PageArgs>(async (_caller, keys, args) => {
    calls.push(args);
    return keys.map(() => args);
  });
  const size = () => (random.integer(4) === 0 ? undefined : random.pick([null, 1, 2, 12]));
  const texts = [null, '', ',', ':', '1', '2:', '1:,', ',:2', '12', '"', ',,:', '1,2'];
  const text = () => (random.integer(8) === 0 ? undefined : random.pick(texts));
  const all = Array.from({ length: 400 }, () => ({ first: size(), last: size(), after: text(), before: text() }));
  const context = createContext(caller);
  const given = await Promise.all(all.map((args) => pages(context, args).load('one')));
  /** What is not given is the same as null. */
  const shown = ({ first, last, after, before }: PageArgs) => JSON.stringify([first, last, after, before]);
  expect(given.map(shown)).toEqual(all.map(shown));
  expect(calls).toHaveLength(new Set(all.map(shown)).size);
});
