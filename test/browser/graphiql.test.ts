import { mkdir } from 'node:fs/promises';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findChromium } from '../services/chromium.ts';
import { createClient } from '../support/client.ts';
import { type Demo, startDemo } from '../support/demo.ts';
import { textAt } from '../support/json.ts';

let demo: Demo;
let context: BrowserContext;
/** What the pages asked for, and what they complained about. */
const requested: string[] = [];
const complaints: string[] = [];

beforeAll(async () => {
  demo = await startDemo();
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
  const browser = await chromium.launch({
    executablePath: await findChromium(),
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
  });
  afterAll(() => browser.close());
  context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.on('request', (request) => requested.push(request.url()));
  context.on('console', (line) => void (line.type() === 'error' && complaints.push(line.text())));
  context.on('weberror', (error) => complaints.push(error.error().message));
  context.on('page', (page) => page.on('websocket', (socket) => requested.push(socket.url())));
});

async function openGraphiql(): Promise<Page> {
  const page = await context.newPage();
  await page.goto(demo.url);
  await tabOf(page, 'Rooms').waitFor();
  return page;
}

const tabOf = (page: Page, name: string) => page.getByRole('tab', { name });

/** For how long GraphiQL gathers what is typed or shown before it takes notice, and some more. */
const settles = 1000;

/** Opens a tab and runs what is in it, as it is. */
async function run(page: Page, tab: string): Promise<void> {
  await tabOf(page, tab).getByRole('button', { name: tab }).click();
  await expect.poll(() => tabOf(page, tab).getAttribute('aria-selected')).toBe('true');
  // GraphiQL looks for the operation of the tab a moment after it is shown.
  await page.waitForTimeout(settles);
  await page.getByRole('button', { name: /^Execute query/ }).click();
}

/** The text of a pane; the editor draws blanks as non-breaking ones. */
async function textOf(page: Page, pane: string): Promise<string> {
  const lines = await page.locator(`${pane} .view-lines`).first().textContent();
  return (lines ?? '').replaceAll('\u00a0', ' ');
}

const headersPane = '[aria-label="Headers"] .graphiql-editor:not(.hidden)';
const responseOf = (page: Page) => textOf(page, '.graphiql-response');

/** For a look at what a person sees: set TEST_SCREENSHOTS to a folder. */
async function keepPicture(page: Page, name: string): Promise<void> {
  const folder = process.env.TEST_SCREENSHOTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: `${folder}/${name}.png` });
}

test('P4: GraphiQL, loaded again, has the same tabs', async () => {
  const page = await openGraphiql();
  await page.waitForTimeout(settles);
  await page.reload();
  await tabOf(page, 'Rooms').waitFor();
  expect(await page.getByRole('tab').count()).toBe(9);
  expect(await tabOf(page, 'Rooms').getAttribute('aria-selected')).toBe('true');
  await page.close();
});

test('P4: GraphiQL opens with the token of a demo user in its headers', async () => {
  const page = await openGraphiql();
  await page.getByRole('button', { name: 'Headers' }).click();
  await expect.poll(() => textOf(page, headersPane)).toContain(`"Bearer ${demo.tokens.admin}"`);
  await keepPicture(page, 'headers');
  await page.close();
});

test('P4: the example query, page and mutation run as they are', async () => {
  const page = await openGraphiql();
  await run(page, 'Rooms');
  await expect.poll(() => responseOf(page)).toContain('"name": "Ana Souza"');
  expect(await responseOf(page)).toContain('"name": "general"');
  await keepPicture(page, 'query');
  await run(page, 'Messages');
  await expect.poll(() => responseOf(page)).toContain('"hasPreviousPage": true');
  await run(page, 'Send');
  await expect.poll(() => responseOf(page)).toContain('"body": "Hello!"');
  expect(await responseOf(page)).not.toContain('errors');
  await keepPicture(page, 'mutation');
  await page.close();
});

test('P4, R1: the example subscription shows what somebody else sends, over a WebSocket with the token of the headers', async () => {
  const page = await openGraphiql();
  const socketOpened = page.waitForEvent('websocket');
  await run(page, 'Follow');
  const socket = await socketOpened;
  const carla = createClient(demo.url, demo.tokens.agent);
  const { data } = await carla.query('{ rooms(list: CHANNELS, first: 10) { nodes { id name } } }');
  const roomId = textAt(data, 'rooms.nodes.0.id');
  expect(textAt(data, 'rooms.nodes.0.name')).toBe('general');
  await expect
    .poll(
      async () => {
        await carla.query('mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }', {
          input: { roomId, body: 'Are you there, Ana?', nonce: `try ${Math.floor(Date.now() / 2000)}` },
        });
        return responseOf(page);
      },
      { timeout: 15_000, interval: 300 },
    )
    .toContain('"body": "Are you there, Ana?"');
  expect(await responseOf(page)).toContain('"name": "Carla Mendes"');
  expect(socket.isClosed()).toBe(false);
  await keepPicture(page, 'subscription');
  await page.getByRole('button', { name: /^Stop query/ }).click();
  await expect.poll(() => socket.isClosed()).toBe(true);
  await page.close();
});

test('P4: a subscription acts for whom the headers name, as queries do', async () => {
  const page = await openGraphiql();
  await tabOf(page, 'Follow').getByRole('button', { name: 'Follow' }).click();
  await page.getByRole('button', { name: 'Headers' }).click();
  await page.locator(`${headersPane} .view-lines`).click();
  await page.keyboard.press('ControlOrMeta+A');
  // The editor closes by itself what is opened.
  await page.keyboard.insertText(`{"authorization":"Bearer ${demo.tokens.agent}`);
  const sent = new Promise<string>((resolve) => {
    page.once('websocket', (socket) => socket.once('framesent', ({ payload }) => resolve(String(payload))));
  });
  await page.waitForTimeout(settles);
  await page.getByRole('button', { name: /^Execute query/ }).click();
  expect(JSON.parse(await sent)).toEqual({
    type: 'connection_init',
    payload: { authorization: `Bearer ${demo.tokens.agent}` },
  });
  await page.close();
});

test('P4: after the data was thrown away, a browser that was there before starts with what is there now', async () => {
  const before = await openGraphiql();
  await run(before, 'Messages');
  await before.close();
  await demo.stop();
  demo = await startDemo({ port: demo.port });
  const page = await openGraphiql();
  await run(page, 'Messages');
  await expect.poll(() => responseOf(page)).toContain('"name": "general"');
  await page.close();
});

test('P4: the page loads nothing from elsewhere, and complains of nothing', () => {
  const { host } = new URL(demo.url);
  const elsewhere = requested.filter(
    (url) => !url.startsWith('data:') && new URL(url.replace(/^blob:/, '')).host !== host,
  );
  expect(elsewhere).toEqual([]);
  expect(requested).toContain(`ws://${host}/graphql`);
  expect(complaints).toEqual([]);
});
