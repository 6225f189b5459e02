import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { createTestDatabase } from '../services/database.ts';
import { createRoom, send } from '../support/acting.ts';
import { type Client, createClient } from '../support/client.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { countRows } from '../support/tables.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const server = await startServer({ databaseUrl });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const token = await signToken(person('acme', 'Ana', 'admin'));
const roomId = await createRoom(ana, { kind: 'GROUP', name: 'limits' });
await send(ana, roomId, 'first');

const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
const post = (body: string, more: Record<string, string> = {}, url = server.url) =>
  fetch(url, { method: 'POST', headers: { ...headers, ...more }, body });

/** The errors of an operation on each transport. */
const transports: Readonly<Record<string, (client: Client, document: string) => Promise<unknown>>> = {
  HTTP: async (client, document) => (await client.query(document)).errors[0],
  'server-sent events': async (client, document) => {
    const stream = client.stream(document);
    await waitFor('an error of the stream', () => stream.failures.length > 0);
    await stream.stop();
    return stream.failures[0];
  },
  WebSocket: async (client, document) => {
    const follower = client.subscribe(document);
    await waitFor('an error on the socket', () => follower.failures.length > 0);
    await follower.stop();
    return follower.failures[0];
  },
};

const repeated = (count: number, text: (index: number) => string) =>
  Array.from({ length: count }, (_, i) => text(i)).join(' ');

/** Documents that are each beyond one limit, for a query and for a subscription. */
const beyond: Readonly<Record<string, (inner: string) => string>> = {
  depth: () => `room(id: "x") ${'{ lastMessage { room '.repeat(8)}{ id }${'} }'.repeat(8)}`,
  aliases: () => repeated(31, (index) => `a${index}: serverTime`),
  directives: () =>
    `serverTime ${'@include(if: true) '.repeat(1)} ${repeated(31, () => '... @include(if: true) { serverTime }')}`,
  cost: () => 'rooms(first: 100) { nodes { messages(first: 100) { nodes { author { id } } } } }',
};

describe('G10 what one operation may be', () => {
  for (const [transport, errorOf] of Object.entries(transports)) {
    test.each(Object.entries(beyond))(
      `${transport}: beyond the limit of %s it is refused, and says so`,
      async (limit, document) => {
        const error = await errorOf(ana, `{ ${document('')} }`);
        expect(at(error, 'extensions')).toMatchObject({ code: 'OPERATION_TOO_COMPLEX', limit });
        expect(at(error, 'extensions.http')).toBeUndefined();
      },
    );

    test(`${transport}: a document of too many tokens is not read to its end`, async () => {
      const error = await errorOf(ana, `{ ${'serverTime '.repeat(4_001)} }`);
      expect(at(error, 'extensions.code')).toBe('GRAPHQL_PARSE_FAILED');
    });

    test(`${transport}: a subscription is held to the same cost`, async () => {
      const inner =
        'room { members(first: 100) { nodes { actor { id } } } messages(first: 100) { nodes { replies(first: 100) { nodes { author { id } } } } } }';
      const error = await errorOf(
        ana,
        `subscription { messageAdded(roomId: "${roomId}") { ... on MessageAdded { ${inner} } } }`,
      );
      expect(at(error, 'extensions')).toMatchObject({ code: 'OPERATION_TOO_COMPLEX', limit: 'cost' });
    });
  }

  test('the cost is in the extensions of each answer, and grows with the pages', async () => {
    const costOf = async (first: number) => {
      const response = await post(
        JSON.stringify({ query: `{ rooms(first: ${first}) { nodes { id lastMessage { id } } } }` }),
      );
      return at(await response.json(), 'extensions.cost');
    };
    expect(await costOf(1)).toEqual({ requested: 3, limit: 20_000 });
    expect(await costOf(100)).toEqual({ requested: 201, limit: 20_000 });
  });

  test('a page size in a variable counts as what it is, and one that is null does not get around the cost', async () => {
    const document =
      'query Q($n: Int, $m: Int!, $id: ID = "x") { room(id: $id) { id } rooms(first: $n) { nodes { messages(first: $m) { nodes { author { id } } } } } }';
    const big = await ana.query(document, { n: 100, m: 100 });
    expect(big.errors[0]?.extensions).toMatchObject({ code: 'OPERATION_TOO_COMPLEX' });
    const odd = await ana.query(document, { n: 100, m: 100, id: null });
    expect(odd.data).toBeFalsy();
    expect(odd.errors).toHaveLength(1);
  });

  test('fragments that unfold without end are refused at once', async () => {
    const fragments = repeated(24, (index) => `fragment F${index} on Room { ...F${index + 1} ...F${index + 1} }`);
    const started = performance.now();
    const { errors } = await ana.query(`{ room(id: "x") { ...F0 } } ${fragments} fragment F24 on Room { id }`);
    expect(errors[0]?.extensions?.code).toMatch(/OPERATION_TOO_COMPLEX/);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe('G10 in production the schema does not tell of itself', () => {
  for (const [transport, errorOf] of Object.entries(transports)) {
    test(`${transport}: no introspection`, async () => {
      const error = await errorOf(ana, '{ __schema { types { name } } }');
      expect(at(error, 'extensions.code')).toBe('GRAPHQL_VALIDATION_FAILED');
    });

    test(`${transport}: no suggestions`, async () => {
      expect(textAt(await errorOf(ana, '{ viewr { id } }'), 'message')).toBe(
        'Cannot query field "viewr" on type "Query".',
      );
    });
  }

  test('no suggestions for input fields and enum values either', async () => {
    const query = 'mutation M($input: CreateRoomInput!) { createRoom(input: $input) { __typename } }';
    const { errors } = await ana.query(query, { input: { kind: 'GROUPS', nam: 'x' } });
    expect(errors.length).toBeGreaterThan(0);
    expect(JSON.stringify(errors)).not.toContain('Did you mean');
  });
});

describe('G10 requests that a page of another site could send (CSRF)', () => {
  const query = encodeURIComponent('{ serverTime }');

  test.each([
    'application/x-www-form-urlencoded',
    'text/plain',
    'multipart/form-data; boundary=x',
    'application/graphql',
    '',
  ])('a body of type %j is refused', async (type) => {
    const response = await fetch(server.url, {
      method: 'POST',
      headers: { 'content-type': type },
      body: `query=${query}`,
    });
    expect(response.status).toBe(415);
  });

  test('a plain GET is refused; one with a header that needs asking first is answered', async () => {
    const plain = await fetch(`${server.url}?query=${query}`, { headers: { accept: 'application/json' } });
    expect([plain.status, at(await plain.json(), 'errors.0.extensions.code')]).toEqual([403, 'CSRF_PREVENTION']);
    const asked = await fetch(`${server.url}?query=${query}`, { headers: { 'x-prosa-request': '1' } });
    expect(at(await asked.json(), 'data.serverTime')).toBeTypeOf('string');
  });

  test.each(['variables', 'extensions'])(
    '%s in an address that are no JSON are the fault of who sent them',
    async (name) => {
      const response = await fetch(`${server.url}?query=${query}&${name}=%7B`, { headers });
      expect([response.status, at(await response.json(), 'errors.0.extensions.code')]).toEqual([400, 'BAD_REQUEST']);
    },
  );

  test('a mutation over GET is refused', async () => {
    const mutation = encodeURIComponent('mutation { createRoom(input: { kind: GROUP, name: "x" }) { __typename } }');
    const response = await fetch(`${server.url}?query=${mutation}`, { headers });
    expect(response.status).toBe(405);
  });

  test('several operations in one body are refused', async () => {
    const response = await post(JSON.stringify([{ query: '{ serverTime }' }, { query: '{ serverTime }' }]));
    expect(response.status).toBe(400);
  });

  test('pages of other origins may read nothing by default', async () => {
    const answer = await post('{"query":"{ serverTime }"}', { origin: 'https://evil.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('G10 sizes and times', () => {
  const body = JSON.stringify({ query: '{ serverTime }', variables: { filler: 'x'.repeat(1_100_000) } });

  test('a body that is too large is answered with 413', async () => {
    expect((await post(body)).status).toBe(413);
  });

  test('so is one that comes in chunks and does not say how large it is', async () => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const call = request(server.url, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    call.on('error', reject);
    for (let start = 0; start < body.length; start += 65_536) call.write(body.slice(start, start + 65_536));
    call.end();
    expect(await promise).toBe(413);
  });

  test('headers and addresses that are too long are answered with 431', async () => {
    expect((await post('{}', { 'x-filler': 'x'.repeat(20_000) })).status).toBe(431);
    expect((await fetch(`${server.url}?query=${'x'.repeat(20_000)}`, { headers })).status).toBe(431);
  });

  test('the longest message in the widest script still fits', async () => {
    const { errors, data } = await ana.query(
      'mutation M($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }',
      { input: { roomId, body: '\u{1F600}'.repeat(20_000) } },
    );
    expect([errors, at(data, 'sendMessage.__typename')]).toEqual([[], 'SendMessagePayload']);
  });

  test('an operation that takes too long is given up, and says that it may still be done', async () => {
    const slow = await startServer({ databaseUrl, settings: { REQUEST_TIMEOUT_MS: '10' } });
    const client = createClient(slow.url, token);
    await slow.foundation.database.ping();
    const blocked = slow.foundation.database.engine.transaction(async (run) => {
      await run({ name: 'test.lock', text: 'LOCK TABLE rooms IN ACCESS EXCLUSIVE MODE' }, []);
      return client.query('{ rooms { nodes { id } } }');
    });
    expect((await blocked).errors[0]?.extensions).toMatchObject({ code: 'TIMEOUT' });
  });

  test('a statement that takes too long is ended by the database, and the answer does not tell which', async () => {
    const slow = await startServer({ databaseUrl, settings: { STATEMENT_TIMEOUT_MS: '50' } });
    const run = slow.foundation.database.engine.run({ name: 'test.sleep', text: 'SELECT pg_sleep(10)' }, []);
    await expect(run).rejects.toMatchObject({ code: 'TIMEOUT' });
  });

  test('a client that does not finish its headers is cut off after some seconds', async () => {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    const { promise, resolve } = Promise.withResolvers<void>();
    socket.on('close', () => resolve());
    socket.on('error', () => resolve());
    socket.resume();
    socket.write('POST /graphql HTTP/1.1\r\nHost: prosa\r\n');
    await promise;
    expect(socket.destroyed).toBe(true);
  });
});

describe('G10 security headers', () => {
  test.each(['', '/healthz', '/nothing'])('every answer has them: %s', async (path) => {
    const response = await (path === '' ? post('{"query":"{ serverTime }"}') : fetch(new URL(path, server.url)));
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'strict-transport-security': expect.stringContaining('max-age'),
    });
    expect(response.headers.get('x-powered-by')).toBeNull();
  });
});

describe('G10 persisted operations', () => {
  const query = 'fragment ActorParts on Actor { __typename id name pictureUrl }';
  const manifest = async () => {
    const { default: operations } = await import('../../src/web/generated/persisted-documents.json', {
      with: { type: 'json' },
    });
    return Object.entries<string>(operations);
  };
  const asked = (hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });

  test('an operation of our front ends is found by its hash, over HTTP and WebSocket', async () => {
    const [[key, text] = ['', '']] = (await manifest()).filter(([, operation]) => operation.includes('query Viewer'));
    const hash = key.replace('sha256:', '');
    expect(createHash('sha256').update(text).digest('hex')).toBe(hash);
    expect(text).toContain(query);
    const response = await post(JSON.stringify(asked(hash)));
    expect(at(await response.json(), 'data.viewer.actor.name')).toBe('Ana');
    const only = await startServer({ databaseUrl, settings: { PERSISTED_ONLY: 'true' } });
    const named = await post(JSON.stringify(asked(hash)), {}, only.url);
    expect(at(await named.json(), 'data.viewer.actor.name')).toBe('Ana');
    const overSocket = await socketRequest(only.url, { query: '', ...asked(hash) });
    expect(at(overSocket, 'payload.data.viewer.actor.name')).toBe('Ana');
  });

  test('an unknown hash is refused; where only registered operations are answered, any text is too', async () => {
    const unknown = await post(JSON.stringify(asked('0'.repeat(64))));
    expect(at(await unknown.json(), 'errors.0.extensions.code')).toBe('PERSISTED_QUERY_NOT_FOUND');
    const only = await startServer({ databaseUrl, settings: { PERSISTED_ONLY: 'true' } });
    const text = await post('{"query":"{ serverTime }"}', {}, only.url);
    expect(at(await text.json(), 'errors.0.extensions.code')).toBe('PERSISTED_QUERY_ONLY');
    const overSocket = await socketRequest(only.url, { query: '{ serverTime }' });
    expect(at(overSocket, 'payload.0.extensions.code')).toBe('PERSISTED_QUERY_ONLY');
    const hash = await socketRequest(only.url, { query: '', ...asked('0'.repeat(64)) });
    expect(at(hash, 'payload.0.extensions.code')).toBe('PERSISTED_QUERY_NOT_FOUND');
  });

  test('a manifest that cannot be used stops the start with one line', async () => {
    await expect(startServer({ databaseUrl, settings: { PERSISTED_OPERATIONS: 'package.json' } })).rejects.toThrow(
      /^PERSISTED_OPERATIONS: package\.json: [^\n]+$/,
    );
  });
});

/** The first `next` or `error` frame for an operation on a socket of its own. */
async function socketRequest(url: string, payload: object): Promise<unknown> {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-transport-ws');
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  socket.onerror = () => reject(new Error('the socket failed'));
  socket.onopen = () => socket.send(JSON.stringify({ type: 'connection_init', payload: { token } }));
  socket.onmessage = ({ data }) => {
    const frame: unknown = JSON.parse(String(data));
    const type = at(frame, 'type');
    if (type === 'connection_ack') socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload }));
    if (type === 'next' || type === 'error') resolve(frame);
  };
  const frame = await promise;
  socket.close();
  return frame;
}

test('G10 nothing of what was refused here was written', async () => {
  const before = await countRows(databaseUrl);
  const create = repeated(31, (index) => `a${index}: createRoom(input: { kind: GROUP, name: "r" }) { __typename }`);
  const { errors } = await ana.query(`mutation { ${create} }`);
  expect(listAt({ errors }, 'errors').length).toBeGreaterThan(0);
  expect(await countRows(databaseUrl)).toEqual(before);
});
