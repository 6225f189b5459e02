import { expect, test } from 'vitest';
import { act } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { startDemo } from '../support/demo.ts';
import { at, textAt } from '../support/json.ts';
import { waitFor } from '../support/waiting.ts';

test('P6, G6 a purge on the embedded database: its job is committed with it, and a worker of the process does it', async () => {
  const demo = await startDemo();
  const ana = createClient(demo.url, demo.tokens.admin);
  const purge = await act(ana, 'purgeMessages', { before: new Date().toISOString(), mode: 'SOFT' }, 'purge { id }');
  const id = textAt(purge, 'purge.id');
  const progress = ana.subscribe('subscription ($id: ID!) { purgeProgress(id: $id) { status rows progress } }', { id });
  await waitFor('the purge to be done', () => progress.ended);
  expect(at(progress.received.at(-1), 'purgeProgress.status')).toBe('DONE');
  expect(Number(at(progress.received.at(-1), 'purgeProgress.rows'))).toBeGreaterThan(0);
  await act(ana, 'undoPurge', { id }, 'purge { status }');
  const back = ana.subscribe('subscription ($id: ID!) { purgeProgress(id: $id) { status restored } }', { id });
  await waitFor('the purge to be undone', () => back.ended);
  expect(at(back.received.at(-1), 'purgeProgress.status')).toBe('UNDONE');
  expect(at(back.received.at(-1), 'purgeProgress.restored')).toBe(at(progress.received.at(-1), 'purgeProgress.rows'));
  const { data } = await ana.query('{ purges { nodes { status creator { name } } } }');
  expect(at(data, 'purges.nodes')).toEqual([{ status: 'UNDONE', creator: { name: 'Ana Souza' } }]);
}, 60_000);
