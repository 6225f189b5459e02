import { chromium, type Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { decodeId } from '../../src/kernel/ids.ts';
import { findChromium } from '../services/chromium.ts';
import { createTestDatabase } from '../services/database.ts';
import { createClient } from '../support/client.ts';
import { startDemo } from '../support/demo.ts';
import { openHouse } from '../support/house.ts';
import { listAt, textAt } from '../support/json.ts';
import { fillRoom } from '../support/manyMessages.ts';
import { person } from '../support/people.ts';

/** For how long GraphiQL gathers what is typed or shown before it takes notice, and some more. */
const settles = 1000;
const total = 60_000;

const databaseUrl = await createTestDatabase();
const demo = await startDemo({ databaseUrl });
const ana = createClient(demo.url, demo.tokens.admin);

/** Opens a tab, puts these variables in it, and leaves it ready to run. */
async function openTab(page: Page, name: string, variables: object): Promise<void> {
  const tab = page.getByRole('tab', { name });
  await tab.getByRole('button', { name }).click();
  await expect.poll(() => tab.getAttribute('aria-selected')).toBe('true');
  await page.waitForTimeout(settles);
  await page.locator('[aria-label="Variables"] .graphiql-editor:not(.hidden) .view-lines').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.insertText(JSON.stringify(variables));
  // The editor closes by itself what is opened: that is too much.
  await page.keyboard.press('ControlOrMeta+Shift+End');
  await page.keyboard.press('Delete');
  await page.waitForTimeout(settles);
}

const execute = (page: Page) => page.getByRole('button', { name: /^Execute query/ }).click();

/** The text of the answer; the editor draws blanks as non-breaking ones. */
async function answerOf(page: Page): Promise<string> {
  const lines = await page.locator('.graphiql-response .view-lines').first().textContent();
  return (lines ?? '').replaceAll('\u00a0', ' ');
}

async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.TEST_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

test('G6, P4 an admin previews and purges from GraphiQL, sees it get on, and finds it in the audit trail', async () => {
  const { data } = await ana.query('{ rooms(list: CHANNELS, first: 1) { nodes { id } } }');
  const roomId = textAt(listAt(data, 'rooms.nodes')[0], 'id');
  const house = await openHouse({ databaseUrl });
  const writer = await house.callerOf(person('demo', 'ana', 'admin'));
  await fillRoom(writer, decodeId(roomId)?.uuid ?? '', total);
  const input = { before: new Date().toISOString(), roomId, mode: 'SOFT' };

  const browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await page.goto(demo.url);
    await page.getByRole('tab', { name: 'PurgePreview' }).waitFor();

    await openTab(page, 'PurgePreview', { input });
    await execute(page);
    await expect.poll(() => answerOf(page)).toMatch(/"messages": 60\d\d\d/);
    await keepPicture(page, 'purge-preview');

    // The page that will watch is ready before the purge begins: only the id is missing.
    const watcher = await browser.newPage({ viewport: { width: 1600, height: 900 } });
    await watcher.goto(demo.url);
    await watcher.getByRole('tab', { name: 'PurgeProgress' }).waitFor();
    await openTab(page, 'StartPurge', { input });
    await execute(page);
    await expect.poll(() => answerOf(page)).toContain('"status": "QUEUED"');
    const id = /purge_[0-9a-z]{26}/.exec(await answerOf(page))?.[0] ?? '';
    await openTab(watcher, 'PurgeProgress', { id });
    await execute(watcher);
    const shown = new Set<string>();
    await expect
      .poll(
        async () => {
          const answer = await answerOf(watcher);
          const progress = /"progress": ([\d.]+)/.exec(answer)?.[1];
          if (progress) shown.add(progress);
          if (shown.size === 3) await keepPicture(watcher, 'purge-running');
          return answer;
        },
        { timeout: 60_000 },
      )
      .toContain('"status": "DONE"');
    await keepPicture(watcher, 'purge-progress');
    expect([...shown].filter((progress) => progress !== '0' && progress !== '1').length).toBeGreaterThanOrEqual(2);
    expect(shown).toContain('1');

    await openTab(page, 'AuditLog', { filter: { action: 'purge.create' } });
    await execute(page);
    await expect.poll(() => answerOf(page)).toContain(id);
    expect(await answerOf(page)).toContain('"actorName": "Ana Souza"');
    await keepPicture(page, 'purge-audit');
  } finally {
    await browser.close();
  }
  const after = await ana.query('query ($id: ID!) { room(id: $id) { lastMessage { body } unreadCount } }', {
    id: roomId,
  });
  expect(after.data).toEqual({ room: { lastMessage: null, unreadCount: 0 } });
}, 120_000);
