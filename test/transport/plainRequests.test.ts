import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createRequestPath } from '../../src/server.ts';
import { createHttpServer, createOriginOf } from '../../src/transport/http.ts';
import type { PlainRequests } from '../../src/transport/plainRequests.ts';
import { createTestDatabase } from '../services/database.ts';
import { createRoom, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { openHouse } from '../support/house.ts';
import { person, signToken } from '../support/people.ts';

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');
const page = `query Page($roomId: ID!, $last: Int) {
  room(id: $roomId) { id name messages(last: $last) { nodes { id body author { __typename id name } } } }
}`;
const refuse = 'mutation Registered { deactivateUser(input: { userId: "" }) { __typename } }';
const manifest = path.join(await mkdtemp(path.join(tmpdir(), 'prosa-plain-')), 'manifest.json');
writeFileSync(manifest, JSON.stringify({ [hashOf(page)]: page, [hashOf(refuse)]: refuse }));

/** Two servers over the same parts: one that answers plain requests by itself, and one that gives all to yoga. */
async function openServers(settings: Readonly<Record<string, string>>) {
  const house = await openHouse({ databaseUrl, settings: { PERSISTED_OPERATIONS: manifest, ...settings } });
  const { foundation, config, log } = house;
  const { requests, corsOrigins } = config;
  const { sessions, yoga, plainRequests } = createRequestPath(config, foundation, log.logger, false);
  let leftToYoga = 0;
  async function open(plain: boolean) {
    const server = createHttpServer({
      yoga,
      plainRequests: (compress) => {
        const answer = plainRequests(compress);
        const counted: PlainRequests = (call, response, origin, otherwise) =>
          answer(call, response, origin, () => {
            leftToYoga++;
            otherwise();
          });
        return plain ? counted : (_call, _response, _origin, otherwise) => otherwise();
      },
      checks: {},
      originOf: createOriginOf(requests.trustedProxies),
      corsOrigins,
      metrics: null,
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    afterAll(() => {
      server.close();
      server.closeAllConnections();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  }
  afterAll(() => sessions.close());
  return { plain: await open(true), yoga: await open(false), log, leftToYoga: () => leftToYoga };
}

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly search?: Readonly<Record<string, string>>;
}

interface Said {
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** What changes from one answer to the next, whoever gives it. */
const fleeting: ReadonlySet<string> = new Set(['date', 'ratelimit-remaining', 'ratelimit-reset']);
/** One may know the length of what it writes, and the other not. */
const framing: ReadonlySet<string> = new Set(['transfer-encoding', 'content-length']);

async function ask(url: string, { method = 'POST', headers = {}, body, search }: Asked): Promise<Said> {
  const target = new URL(url);
  for (const [name, value] of Object.entries(search ?? {})) target.searchParams.set(name, value);
  const { promise, resolve, reject } = Promise.withResolvers<Said>();
  const type: Record<string, string> = method === 'POST' ? { 'content-type': 'application/json' } : {};
  const bytes = body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  const call = request(target, { method, headers: { 'x-request-id': 'same', ...type, ...headers } }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      const compared = Object.entries(response.headers)
        .filter(([name]) => !framing.has(name))
        .map(([name, value]) => [name, fleeting.has(name) ? '' : value] as const)
        .sort(([one], [other]) => (one < other ? -1 : 1));
      resolve({
        status: response.statusCode,
        headers: Object.fromEntries(compared),
        body: Buffer.concat(chunks).toString('latin1'),
      });
    });
  });
  call.on('error', reject);
  if (bytes) call.setHeader('content-length', bytes.length);
  call.end(bytes);
  return promise;
}

const databaseUrl = await createTestDatabase();
const servers = await openServers({ CORS_ORIGINS: 'https://app.example' });
const only = await openServers({ PERSISTED_ONLY: 'true' });
const tight = await openServers({ RATE_QUERIES: '1', RATE_TENANT_FACTOR: '100', RATE_ADDRESS_FACTOR: '1000' });
const token = await signToken(person('acme', 'Ana', 'admin'));
const agentToken = await signToken(person('acme', 'Ben'));
const ana = createClient(servers.yoga, token);
const roomId = await createRoom(ana, { kind: 'GROUP', name: 'Café 💬' });
for (let index = 0; index < 12; index++) await send(ana, roomId, `Olá, message ${index}\u2028 "quoted" 💬`);

const authorization = { authorization: `Bearer ${token}` };
const persistedQuery = (text: string) => ({ persistedQuery: { version: 1, sha256Hash: hashOf(text) } });
const variables = { roomId, last: 5 };
const viewer = '{ viewer { role actor { id name } } }';
const two = 'query One { viewer { role } } query Two { viewer { tokenExpiresAt } } mutation Three { __typename }';
const sending = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) { __typename ... on SendMessagePayload { message { id body } } ... on UserError { code reason } }
}`;
const text = (value: unknown) => JSON.stringify(value);

/** Answered without yoga. */
const plain: Readonly<Record<string, Asked>> = {
  'a query': { headers: authorization, body: { query: viewer } },
  'a query without a token that needs one': { body: { query: viewer } },
  'a public field without a token': { body: { query: '{ __typename }' } },
  'a query with variables': { headers: authorization, body: { query: page, variables } },
  'a name and nothing else besides': {
    headers: authorization,
    body: { query: page, variables, operationName: 'Page', extensions: {} },
  },
  'nulls for what is left out': {
    headers: authorization,
    body: { query: viewer, variables: null, operationName: null, extensions: null, other: null },
  },
  'one of two operations': { headers: authorization, body: { query: two, operationName: 'Two' } },
  'a mutation': {
    headers: authorization,
    body: { query: sending, variables: { input: { roomId, body: 'once', nonce: 'plain-1' } } },
  },
  'a mutation that is refused with a typed error': {
    headers: authorization,
    body: { query: sending, variables: { input: { roomId, body: ' ' } } },
  },
  'a mutation that is not permitted': {
    headers: { authorization: `Bearer ${agentToken}` },
    body: { query: 'mutation { deactivateUser(input: { userId: "user_x" }) { __typename } }' },
  },
  'a bad id': { headers: authorization, body: { query: page, variables: { roomId: 'room_x' } } },
  'a bad size of a page': { headers: authorization, body: { query: page, variables: { roomId, last: 1_000 } } },
  'variables that do not fit': { headers: authorization, body: { query: page, variables: { roomId: 5, last: 'a' } } },
  'a variable that is missing': { headers: authorization, body: { query: page } },
  'an operation that costs too much': {
    headers: authorization,
    body: {
      query:
        '{ rooms(first: 100) { nodes { members(first: 100) { nodes { actor { id } } } messages { nodes { id } } } } }',
    },
  },
  'a registered query by its hash': {
    headers: authorization,
    body: { variables, extensions: persistedQuery(page) },
  },
  'a registered query by its hash and an empty text': {
    headers: authorization,
    body: { query: '', variables, extensions: persistedQuery(page) },
  },
  'a registered query by GET': {
    method: 'GET',
    headers: authorization,
    search: { variables: text(variables), extensions: text(persistedQuery(page)), operationName: 'Page' },
  },
  'a query by GET': { method: 'GET', headers: authorization, search: { query: viewer } },
  'a GET without a token, asked for by a script': {
    method: 'GET',
    headers: { 'x-prosa-request': '1' },
    search: { query: '{ __typename }' },
  },
  'a content type with a charset': {
    headers: { ...authorization, 'content-type': 'application/json; charset=utf-8' },
    body: { query: viewer },
  },
  'a listed origin': { headers: { ...authorization, origin: 'https://app.example' }, body: { query: viewer } },
  'an origin that is not listed': {
    headers: { ...authorization, origin: 'https://b.example' },
    body: { query: viewer },
  },
  'a large answer for who can unpack it': {
    headers: { ...authorization, 'accept-encoding': 'gzip' },
    body: { query: page, variables: { roomId, last: 12 } },
  },
  'a small answer for who can unpack it': {
    headers: { ...authorization, 'accept-encoding': 'gzip, br' },
    body: { query: '{ __typename }' },
  },
  'a large answer for who cannot unpack it': {
    headers: { ...authorization, 'accept-encoding': 'identity' },
    body: { query: page, variables: { roomId, last: 12 } },
  },
  'a page that names its tenant': { headers: authorization, search: { tenant: 'acme' }, body: { query: viewer } },
};

const media = [
  '*/*',
  'application/json',
  'application/graphql-response+json',
  'application/graphql-response+json, application/json;q=0.9',
  'application/json;q=0.1, application/graphql-response+json',
  'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed',
  'text/event-stream, application/json',
  'multipart/mixed, application/graphql-response+json;charset=utf-8',
  'application/graphql-response+json;charset=utf-16, application/json',
  'APPLICATION/JSON',
  'application/*',
];

/** Left to yoga. */
const left: Readonly<Record<string, Asked>> = {
  'a text that cannot be parsed': { headers: authorization, body: { query: '{' } },
  'a document that is not valid': { headers: authorization, body: { query: '{ nothing }' } },
  'no text': { headers: authorization, body: {} },
  'an empty text': { headers: authorization, body: { query: '' } },
  'a hash that nobody has registered': { headers: authorization, body: { extensions: persistedQuery('{ a }') } },
  'a hash in another version': {
    headers: authorization,
    body: { extensions: { persistedQuery: { version: 2, sha256Hash: hashOf(page) } } },
  },
  'no JSON': { headers: authorization, body: '{"query": ' },
  'a byte order mark': { headers: authorization, body: `\uFEFF${text({ query: viewer })}` },
  'a list of operations': { headers: authorization, body: [{ query: viewer }] },
  'JSON that is no object': { headers: authorization, body: '5' },
  'JSON that is null': { headers: authorization, body: 'null' },
  'a parameter that does not exist': { headers: authorization, body: { query: viewer, more: 1 } },
  'a text that is no text': { headers: authorization, body: { query: 5 } },
  'variables that are no object': { headers: authorization, body: { query: viewer, variables: [1] } },
  'extensions that are no object': { headers: authorization, body: { query: viewer, extensions: 'a' } },
  'a name that is no text': { headers: authorization, body: { query: viewer, operationName: 5 } },
  'a name that does not exist': { headers: authorization, body: { query: viewer, operationName: 'Nope' } },
  'no name where there are two': { headers: authorization, body: { query: two } },
  'a token that is forged': { headers: { authorization: `Bearer ${token}x` }, body: { query: viewer } },
  'another scheme': { headers: { authorization: 'Basic abc' }, body: { query: viewer } },
  'a mutation by GET': { method: 'GET', headers: authorization, search: { query: two, operationName: 'Three' } },
  'a registered mutation by GET': {
    method: 'GET',
    headers: authorization,
    search: { extensions: text(persistedQuery(refuse)) },
  },
  'a GET of a form': { method: 'GET', search: { query: viewer } },
  'a GET with variables that are no JSON': {
    method: 'GET',
    headers: authorization,
    search: { query: viewer, variables: '{' },
  },
  'a GET with extensions that are no JSON': {
    method: 'GET',
    headers: authorization,
    search: { query: viewer, extensions: 'x' },
  },
  'a GET with variables that are no object': {
    method: 'GET',
    headers: authorization,
    search: { query: viewer, variables: '[]' },
  },
  'a GET of who takes a page, too': {
    method: 'GET',
    headers: { ...authorization, accept: 'text/html, application/json' },
    search: { query: viewer },
  },
  'a GET of nothing': { method: 'GET', headers: authorization },
  'a body of a form': {
    headers: { ...authorization, 'content-type': 'application/x-www-form-urlencoded' },
    body: `query=${viewer}`,
  },
  'a body of text': { headers: { ...authorization, 'content-type': 'text/plain' }, body: text({ query: viewer }) },
  'a body that is too large': {
    headers: authorization,
    body: { query: viewer, variables: { a: 'x'.repeat(2_000_000) } },
  },
  'no body': { headers: authorization },
  'another method': { method: 'PUT', headers: authorization, body: { query: viewer } },
  'an accept that nothing fits': { headers: { ...authorization, accept: 'image/png' }, body: { query: viewer } },
};

/** Both answers to the same; the document is known to both before. */
async function both(asked: Asked, { plain: one, yoga: other }: { plain: string; yoga: string } = servers) {
  await ask(other, asked);
  return { plain: await ask(one, asked), yoga: await ask(other, asked) };
}

describe('G10 a request that is answered without yoga', () => {
  test.each(Object.entries(plain))('is answered the same: %s', async (_name, asked) => {
    await ask(servers.yoga, asked);
    const before = servers.leftToYoga();
    const answers = await both(asked);
    expect(servers.leftToYoga()).toBe(before);
    expect(answers.plain).toEqual(answers.yoga);
    expect(answers.plain.headers).toMatchObject({ 'x-request-id': 'same', 'x-content-type-options': 'nosniff' });
  });

  test.each(media)('is answered the same, where %s is wanted', async (accept) => {
    const before = servers.leftToYoga();
    for (const name of ['a query', 'a query without a token that needs one', 'an operation that costs too much']) {
      const asked = plain[name] ?? {};
      const answers = await both({ ...asked, headers: { ...asked.headers, accept } });
      expect(answers.plain).toEqual(answers.yoga);
    }
    expect(servers.leftToYoga()).toBe(before);
  });

  test('is refused for its rate as all are', async () => {
    const refused = await both({ headers: authorization, body: { query: viewer } }, tight);
    expect(refused.plain.status).toBe(429);
    expect(refused.plain.headers).toMatchObject({ 'retry-after': expect.any(String), 'ratelimit-limit': '1' });
    const withoutTimes = ({ body, headers, ...rest }: Said) => ({
      ...rest,
      headers: { ...headers, 'retry-after': '' },
      body: body.replace(/\d+ s|"retryAfterMs":\d+/g, ''),
    });
    expect(withoutTimes(refused.plain)).toEqual(withoutTimes(refused.yoga));
    expect(tight.leftToYoga()).toBe(0);
  });

  test('is logged once, as all are', async () => {
    const before = servers.log.lines.length;
    const answers = await both({ headers: authorization, body: { query: viewer } });
    expect(answers.plain).toEqual(answers.yoga);
    const lines = servers.log.lines.slice(before).map(({ durationMs: _, time: __, ...line }) => line);
    expect(lines).toHaveLength(3);
    expect(new Set(lines.map(text)).size).toBe(1);
  });
});

describe('G10 a request that is not plain', () => {
  test.each(Object.entries(left))('is answered by yoga: %s', async (_name, asked) => {
    const before = servers.leftToYoga();
    const answers = await both(asked);
    expect(answers.plain).toEqual(answers.yoga);
    expect(servers.leftToYoga()).toBe(before + 1);
  });

  test('is answered by yoga where only registered operations are, and these are plain', async () => {
    const own = JSON.parse(
      readFileSync(new URL('../../src/web/generated/persisted-documents.json', import.meta.url), 'utf8'),
    );
    const registered: Asked = { headers: authorization, body: { variables, extensions: persistedQuery(page) } };
    const answers = await both(registered, only);
    expect(answers.plain).toEqual(answers.yoga);
    expect(answers.plain.status).toBe(200);
    expect(only.leftToYoga()).toBe(0);
    for (const query of [page, String(Object.values(own)[0])]) {
      const refused = await both({ headers: authorization, body: { query, variables } }, only);
      expect(refused.plain).toEqual(refused.yoga);
      expect(refused.plain.body).toContain('PERSISTED_QUERY_ONLY');
    }
    expect(only.leftToYoga()).toBe(2);
  });

  test('is one of a document that nobody has asked for before', async () => {
    const asked: Asked = { headers: authorization, body: { query: '{ first: viewer { role } }' } };
    const before = servers.leftToYoga();
    const first = await ask(servers.plain, asked);
    expect(servers.leftToYoga()).toBe(before + 1);
    expect(await ask(servers.plain, asked)).toEqual(first);
    expect(servers.leftToYoga()).toBe(before + 1);
  });
});
