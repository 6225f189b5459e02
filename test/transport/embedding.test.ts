import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { chromium } from 'playwright-core';
import { afterAll, describe, expect, test } from 'vitest';
import { startApi } from '../../src/server.ts';
import { graphiqlOptions } from '../../src/transport/graphiql.ts';
import { findChromium } from '../services/chromium.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, attempt } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { openHouse } from '../support/house.ts';
import { at, listAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { countRows } from '../support/tables.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const house = await openHouse({ databaseUrl, redisUrl, redisPrefix });
const api = await startApi(house.config, house.foundation, house.log.logger, graphiqlOptions(null, null));
afterAll(() => api.close());

const clientOf = async (tenant: string, role: 'admin' | 'supervisor' = 'admin') =>
  createClient(api.url, await signToken(person(tenant, `${role} of ${tenant}`, role)));
const ana = await clientOf('acme');

/** What a browser is told of framing, on the page of GraphiQL with this query in its address. */
async function framing(query: string) {
  const response = await fetch(`${api.url}${query}`, { headers: { accept: 'text/html' } });
  expect(response.headers.get('content-type')).toContain('text/html');
  const [, ancestors] = /frame-ancestors ([^;]*)/.exec(response.headers.get('content-security-policy') ?? '') ?? [];
  return { ancestors, options: response.headers.get('x-frame-options') };
}

const allow = (frameAncestors: readonly string[]) =>
  act(ana, 'setEmbedding', { frameAncestors }, 'tenant { key frameAncestors }');

describe('who may show the page in a frame', () => {
  test('G9 nobody, unless the tenant that the address names allows it', async () => {
    const nobody = { ancestors: "'none'", options: null };
    expect(await framing('')).toEqual({ ancestors: "'none'", options: 'DENY' });
    expect(await framing('?tenant=acme')).toEqual(nobody);
    await allow(['https://app.acme.example', 'https://*.acme.example:8443']);
    expect(await framing('?tenant=acme')).toEqual({
      ancestors: 'https://app.acme.example https://*.acme.example:8443',
      options: null,
    });
    expect(await framing('')).toEqual({ ancestors: "'none'", options: 'DENY' });
    for (const other of ['globex', '', 'a%00b', 'x'.repeat(2_000), "acme'%3B--"]) {
      expect(await framing(`?tenant=${other}`)).toEqual(nobody);
    }
    await allow([]);
    expect(await framing('?tenant=acme')).toEqual(nobody);
    expect(house.log.traces()).toEqual([]);
  });

  test('G9 answers that are data are framed by nobody, whatever their address', async () => {
    await allow(['https://app.acme.example']);
    const token = await signToken(person('acme', 'Ana', 'admin'));
    const response = await fetch(`${api.url}?tenant=acme`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: '{ viewer { role } }' }),
    });
    expect(response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  test('G9 Chromium shows the page in a frame of an allowed site, and of no other', async () => {
    const host = createServer((request, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<iframe src="${api.url}?tenant=${request.url?.slice(1)}"></iframe>`);
    });
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    const { port } = host.address() as AddressInfo;
    const [allowed, other] = [`http://localhost:${port}`, `http://127.0.0.1:${port}`];
    await allow([allowed]);
    const browser = await chromium.launch({
      executablePath: await findChromium(),
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--host-resolver-rules=MAP localhost 127.0.0.1',
      ],
    });
    const titleIn = async (address: string) => {
      const page = await browser.newPage();
      await page.goto(address, { waitUntil: 'load' });
      const [frame] = page.mainFrame().childFrames();
      await frame?.waitForLoadState('load');
      return (await frame?.title()) ?? null;
    };
    try {
      expect(await titleIn(`${allowed}/acme`)).toBe('Prosa');
      expect(await titleIn(`${other}/acme`)).not.toBe('Prosa');
      expect(await titleIn(`${allowed}/globex`)).not.toBe('Prosa');
    } finally {
      await browser.close();
      host.close();
    }
  });
});

describe('setEmbedding', () => {
  test('G9, G5 gives the origins back in one form, once each, and is in the audit trail', async () => {
    const given = ['https://App.Acme.Example/', 'https://app.acme.example', ' http://localhost:3000 '];
    const payload = await allow(given);
    const expected = ['https://app.acme.example', 'http://localhost:3000'];
    expect(at(payload, 'tenant')).toEqual({ key: 'acme', frameAncestors: expected });
    await allow(expected);
    const { data } = await ana.query(
      '{ viewer { tenant { key name frameAncestors } } auditLog(filter: { action: "tenant.embed" }) { nodes { actorName metadata { name value } } } }',
    );
    expect(at(data, 'viewer.tenant')).toEqual({ key: 'acme', name: 'acme', frameAncestors: expected });
    const [newest, before] = listAt(data, 'auditLog.nodes');
    expect(newest).toEqual({
      actorName: 'admin of acme',
      metadata: [{ name: 'frameAncestors', value: expected.join(' ') }],
    });
    expect(before).not.toEqual(newest);
  });

  test.each([
    ['no origin', 'app'],
    ['everybody', '*'],
    ['everybody with a scheme', 'https://*'],
    ['half the internet', 'https://*.example'],
    ['a site without encryption', 'http://app.acme.example'],
    ['a path', 'https://app.acme.example/page'],
    ['a user', 'https://user@app.acme.example'],
    ['a keyword of the policy', "'self'"],
    ['another scheme', 'javascript://app.acme.example'],
    ['a further directive', 'https://app.acme.example; script-src *'],
    ['two in one', 'https://app.acme.example https://evil.example'],
    ['a line break', 'https://app.acme.example\r\nset-cookie: a=b'],
    ['a port beyond ports', 'https://app.acme.example:99999'],
    ['nothing', ''],
    ['too much', `https://${'a'.repeat(60)}.${'b.'.repeat(200)}example`],
    ['a NUL', 'https://app.acme.example\0'],
  ])('G9 refuses %s, and changes nothing', async (_what, origin) => {
    await allow(['https://app.acme.example']);
    const before = await countRows(databaseUrl);
    const answer = await attempt(ana, 'setEmbedding', { frameAncestors: ['https://fine.example', origin] });
    expect(at(answer.data, 'setEmbedding')).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.frameAncestors' });
    expect(await countRows(databaseUrl)).toEqual(before);
    expect(await framing('?tenant=acme')).toMatchObject({ ancestors: 'https://app.acme.example' });
    expect(house.log.traces()).toEqual([]);
  });

  test('G9 refuses more than twenty', async () => {
    const many = Array.from({ length: 21 }, (_, index) => `https://app${index}.acme.example`);
    const answer = await attempt(ana, 'setEmbedding', { frameAncestors: many });
    expect(at(answer.data, 'setEmbedding')).toMatchObject({ code: 'BAD_USER_INPUT', field: 'input.frameAncestors' });
  });

  test('G9, G1, G2 is for admins, and for their own tenant', async () => {
    const supervisor = await clientOf('acme', 'supervisor');
    const refused = await attempt(supervisor, 'setEmbedding', { frameAncestors: [] });
    expect(refused.errors[0]?.extensions).toMatchObject({ code: 'FORBIDDEN', permission: 'tenant:update' });
    await allow(['https://app.acme.example']);
    await act(await clientOf('globex'), 'setEmbedding', { frameAncestors: ['https://globex.example'] });
    expect(await framing('?tenant=acme')).toMatchObject({ ancestors: 'https://app.acme.example' });
    expect(await framing('?tenant=globex')).toMatchObject({ ancestors: 'https://globex.example' });
  });
});
