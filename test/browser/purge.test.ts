import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
const total = 40_000;

const databaseUrl = await createTestDatabase();
const demo = await startDemo({ databaseUrl });
const ana = createClient(demo.url, demo.tokens.admin);

let browser: Browser;
let roomId: string;
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
  });
  afterAll(() => browser.close());
  const { data } = await ana.query('{ rooms(list: CHANNELS, first: 1) { nodes { id } } }');
  roomId = textAt(listAt(data, 'rooms.nodes')[0], 'id');
  const house = await openHouse({ databaseUrl });
  const writer = await house.callerOf(person('demo', 'ana', 'admin'));
  await fillRoom(writer, decodeId(roomId)?.uuid ?? '', total);
});

/** GraphiQL as an admin opens it. */
async function openGraphiql(): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
  await page.goto(demo.url);
  await page.getByRole('tab', { name: 'PurgePreview' }).waitFor();
  return page;
}

/** Opens a tab, puts these variables in it, and leaves it ready to run. */
async function openTab(page: Page, name: string | RegExp, variables: object): Promise<void> {
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

/** Of several operations in a tab, the button asks for one. */
async function choose(page: Page, operation: string): Promise<void> {
  await execute(page);
  await page.getByRole('menuitem', { name: operation }).click();
}

/** The text of the answer; the editor draws blanks as non-breaking ones. */
async function answerOf(page: Page): Promise<string> {
  const lines = await page.locator('.graphiql-response .view-lines').first().textContent();
  return (lines ?? '').replaceAll('\u00a0', ' ');
}

/** The id of the purge in the answer. */
async function purgeIn(page: Page): Promise<string> {
  return /purge_[0-9a-z]{26}/.exec(await answerOf(page))?.[0] ?? '';
}

async function stateOfRoom(): Promise<unknown> {
  const query = 'query ($id: ID!) { room(id: $id) { lastMessage { body } unreadCount } }';
  return (await ana.query(query, { id: roomId })).data;
}

async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.TEST_SCREENSHOTS;
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` });
}

test('G6, P4 an admin previews and purges from GraphiQL, sees it get on, and finds it in the audit trail', async () => {
  const input = { before: new Date().toISOString(), roomId, mode: 'SOFT' };
  const page = await openGraphiql();
  await openTab(page, 'PurgePreview', { input });
  await execute(page);
  await expect.poll(() => answerOf(page)).toMatch(/"messages": 40\d\d\d/);
  await keepPicture(page, 'purge-preview');

  // The page that will watch is ready before the purge begins: only the id is missing.
  const watcher = await openGraphiql();
  await openTab(page, 'StartPurge', { input });
  await execute(page);
  await expect.poll(() => answerOf(page)).toContain('"status": "QUEUED"');
  const id = await purgeIn(page);
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
  await Promise.all([page.close(), watcher.close()]);
  expect(await stateOfRoom()).toEqual({ room: { lastMessage: null, unreadCount: 0 } });
}, 120_000);

test('G6, P4 an admin undoes a purge from GraphiQL, and cancels another on its way', async () => {
  const { data } = await ana.query('{ purges(first: 1) { nodes { id } } }');
  const undone = textAt(data, 'purges.nodes.0.id');
  const page = await openGraphiql();
  await openTab(page, 'CancelPurge', { input: { id: undone } });
  await choose(page, 'UndoPurge');
  await expect.poll(() => answerOf(page)).toMatch(/"status": "UNDO(ING|NE)"/);
  await keepPicture(page, 'purge-undo');
  const watcher = await openGraphiql();
  await openTab(watcher, 'PurgeProgress', { id: undone });
  await execute(watcher);
  await expect.poll(() => answerOf(watcher), { timeout: 60_000 }).toContain('"status": "UNDONE"');
  expect(await stateOfRoom()).toMatchObject({ room: { lastMessage: { body: 'one of many' } } });

  const input = { before: new Date().toISOString(), roomId, mode: 'SOFT' };
  await openTab(page, 'StartPurge', { input });
  await execute(page);
  await expect.poll(() => answerOf(page)).toContain('"status": "QUEUED"');
  const cancelled = await purgeIn(page);
  // The tab is called by what was asked for last.
  await openTab(page, /^(Cancel|Undo)Purge/, { input: { id: cancelled } });
  await choose(page, 'CancelPurge');
  await expect.poll(() => answerOf(page)).toContain('"status": "CANCELLED"');
  await keepPicture(page, 'purge-cancel');
  // It stopped where it was: the newest messages, which go last, are still there.
  expect(Number(/"rows": (\d+)/.exec(await answerOf(page))?.[1])).toBeLessThan(total);
  expect(await stateOfRoom()).toMatchObject({ room: { lastMessage: { body: 'one of many' } } });
  await Promise.all([page.close(), watcher.close()]);
}, 120_000);
