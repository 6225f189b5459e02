import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { schema } from '../../src/graphql/schema.ts';
import { encodeId, newId } from '../../src/kernel/ids.ts';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { createHostileDocuments } from '../support/hostileDocuments.ts';
import { person, signToken } from '../support/people.ts';
import { createRandom } from '../support/random.ts';
import { startServer } from '../support/server.ts';
import { countRows } from '../support/tables.ts';

const total = Number(process.env.TEST_HOSTILE_REQUESTS ?? 10_000);
const inParallel = 16;

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
// All other limits stand as they do in production.
const settings = { RATE_QUERIES: '0', RATE_MUTATIONS: '0', RATE_SUBSCRIPTIONS: '0', RATE_SENDS: '0' };
const server = await startServer({ databaseUrl, redisUrl, redisPrefix, settings });

// A tenant with something to lose.
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const bruno = await server.signIn(person('acme', 'Bruno'));
const group = await createRoom(ana, { kind: 'GROUP', name: 'topsecret-name', memberIds: [bruno.id] });
const hidden = await createRoom(ana, { kind: 'GROUP', name: 'topsecret-hidden' });
const direct = await openDirectRoom(ana, bruno.id);
const message = await send(ana, group, 'topsecret-body');
const unknown = await send(ana, hidden, 'topsecret-other', { nonce: 'topsecret-nonce' });
await act(ana, 'editMessage', { messageId: message.id, body: 'topsecret-edited' });

// Somebody of another tenant, and a colleague who is in none of these rooms.
const mallory = await server.signIn(person('evil', 'Mallory'));
const stefan = await server.signIn(person('acme', 'Stefan'));
const tokens = [
  await signToken(person('evil', 'Mallory')),
  await signToken(person('acme', 'Stefan')),
  await signToken(person('evil', 'Mallory', 'admin'), { secret: 'another secret, which is long enough too' }),
  await signToken(person('evil', 'Mallory'), { expiresAt: new Date(Date.now() - 60_000) }),
];

const random = createRandom('hostile requests');
const chance = (percent: number) => random.integer(100) < percent;
const documents = createHostileDocuments(schema, random, {
  ids: [
    // Not Bruno's: his colleague Stefan may open a room with him.
    ...[group, direct, message.id, mallory.id, stefan.id],
    ...(['Room', 'Message', 'User'] as const).map((type) => encodeId(type, newId())),
    ...['room_', 'room_00000000000000000000000000', 'msg_7zzzzzzzzzzzzzzzzzzzzzzzzz', 'Room:1', '1', 'a'.repeat(300)],
  ],
  cursors: [message.cursor, message.cursor.slice(1), `${message.cursor}A`, '', 'AAAA', '%00', '{"a":1}', 'null'],
});

/** What an attacker must not see: nobody has told them these ids and texts. */
const secrets = ['topsecret', hidden, unknown.id];
const leaks: readonly RegExp[] = [
  // As a line of its own, also within JSON: messages say where a value stands, and times have colons.
  /(\n|\\n)\s+at .+:\d+:\d+/,
  /node_modules|file:\/\/|\/src\/|\.ts\b/,
  /\b(SELECT|UPDATE|DELETE|INSERT)\b.+\b(FROM|SET|INTO|WHERE)\b/,
  /syntax error at or near|violates|relation "|pgboss|prisma|ioredis/i,
  // In capitals only: a PurgeConnection is none.
  /ECONN(REFUSED|RESET|ABORTED)/,
];
const findings: string[] = [];

/** Looks at what came back. What the attacker sent may be in it. */
function judge(sent: string, received: string, status = 200): void {
  const unsent = leaks.filter(
    (leak) =>
      leak.test(received) && !leak.test(sent) && !leak.test(JSON.parse(`"${JSON.stringify(sent).slice(1, -1)}"`)),
  );
  const told = secrets.filter((secret) => received.includes(secret));
  const done = /"__typename":"\w+Payload"/.test(received);
  const wrong = status >= 500 || done || received.includes('INTERNAL_SERVER_ERROR');
  if (wrong || told.length > 0 || unsent.length > 0) {
    findings.push(
      `${status} ${unsent.join()} ${told.join()}\n  sent: ${sent.slice(0, 1_500)}\n  received: ${received.slice(0, 800)}`,
    );
  }
}

const junk = (length: number) =>
  Array.from({ length }, () => String.fromCharCode(random.integer(chance(80) ? 127 : 65_535))).join('');
const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
const asked = () => (chance(65) ? documents.operation() : documents.broken());

function oddBody(): string {
  return random.pick([
    () => junk(random.integer(200)),
    () => nested(1 + random.integer(5_000), '[', ']'),
    () => `{"query":${nested(1 + random.integer(3_000), '{"a":', '}').replace('}', '1}')}}`,
    () => JSON.stringify({ query: `{${nested(1 + random.integer(3_000), 'viewer{', '}')}}` }),
    () =>
      JSON.stringify(random.pick([null, 1, 'x', [], [asked()], { query: 1 }, { query: null }, { query: ['{a}'] }, {}])),
    () => JSON.stringify({ ...asked(), operationName: random.pick(['', 'Other', '__proto__', 7, null, {}]) }),
    () =>
      JSON.stringify({ ...asked(), variables: random.pick([null, 1, 'x', [], { input: null }, { ['__proto__']: 1 }]) }),
    () =>
      JSON.stringify({
        ...asked(),
        extensions: random.pick([
          1,
          null,
          [],
          { persistedQuery: 1 },
          { persistedQuery: { version: 1, sha256Hash: documents.text() } },
        ]),
      }),
    () =>
      JSON.stringify({
        extensions: {
          persistedQuery: { version: 1, sha256Hash: random.pick(['__proto__', 'constructor', 'x', '0'.repeat(64)]) },
        },
      }),
    () => `{"query":"{ viewer { role } }","__proto__":{"caller":{}},"constructor":{"prototype":{"a":1}}}`,
    () => JSON.stringify({ query: '{ serverTime }', filler: 'x'.repeat(random.pick([10, 1_000, 100_000, 1_200_000])) }),
  ])();
}

function oddHeaders(): Record<string, string> {
  const authorization = random.pick([
    'Bearer',
    'Bearer x.y.z',
    'Basic YTpi',
    `Bearer ${btoa('{"alg":"none"}')}.e30.`,
    `Bearer ${'a'.repeat(9_000)}.b.c`,
    '',
  ]);
  return random.pick<Record<string, string>>([
    { authorization },
    {
      'content-type': random.pick([
        'text/plain',
        'multipart/form-data; boundary=x',
        'application/x-www-form-urlencoded',
        'application/json; charset=utf-7',
        'x',
      ]),
    },
    {
      accept: random.pick([
        'text/event-stream',
        'multipart/mixed',
        'text/html',
        'x/y',
        '*/*;q=0',
        ',,,',
        'application/graphql-response+json',
      ]),
    },
    { 'x-request-id': random.pick(['a'.repeat(500), '../../x', '<script>', '%0d%0aset-cookie: a']) },
    { origin: 'https://evil.example', cookie: 'a=b; token=c', 'x-forwarded-for': '127.0.0.1, ::1, x' },
    { 'accept-encoding': random.pick(['br;q=x', 'gzip, gzip, gzip', '*', 'identity;q=0']) },
    { 'content-encoding': random.pick(['gzip', 'br', 'deflate, gzip', 'x']) },
    { host: random.pick(['evil.example', 'localhost:1', '[::1]']) },
  ]);
}

async function overHttp(): Promise<void> {
  const kind = random.integer(100);
  const token = random.pick([...tokens, tokens[0], tokens[1]]);
  const usual = { 'content-type': 'application/json', ...(chance(95) ? { authorization: `Bearer ${token}` } : {}) };
  const headers = kind < 15 ? { ...usual, ...oddHeaders() } : usual;
  const body = kind >= 15 && kind < 40 ? oddBody() : JSON.stringify(asked());
  const byAddress = kind >= 95;
  const method = byAddress ? random.pick(['GET', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'HEAD']) : 'POST';
  const path = byAddress
    ? random.pick(['/graphql', '/', '/metrics/..', '/graphql/', '//', '/%00', '/healthz?x=%ff', '/.git/config'])
    : '/graphql';
  const query =
    byAddress && chance(70)
      ? `?query=${encodeURIComponent(asked().query.slice(0, 4_000).toWellFormed())}&variables=${encodeURIComponent(documents.text().toWellFormed())}`
      : '';
  const ending = new AbortController();
  const url = new URL(server.url).origin + path + query;
  const response = await fetch(url, {
    method,
    headers,
    redirect: 'manual',
    signal: ending.signal,
    ...(byAddress && method !== 'PUT' && method !== 'PATCH' ? {} : { body }),
  });
  const sent = `${method} ${path}${query} ${JSON.stringify(headers)}\n${body}`;
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
  if (!isStream) return judge(sent, await response.text(), response.status);
  // A stream goes on: its first words are enough.
  const reader = response.body?.getReader();
  const first = await Promise.race([reader?.read(), delay(5)]);
  judge(sent, first?.value ? new TextDecoder().decode(first.value) : '', response.status);
  ending.abort();
}

const oddHosts = ['[', '[::1', 'a b', 'x:99999', '256.1.1.1', 'a/graphql?b', '//', '@', '%00', '..', 'x'.repeat(300)];

/** Bytes that no client library would send. */
async function overTcp(): Promise<void> {
  const { port } = new URL(server.url);
  const sent = random.pick([
    () => junk(500),
    () => `POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Length: ${random.pick(['-1', '1e9', '5, 5', 'x'])}\r\n\r\n{}`,
    () =>
      'POST /graphql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nzz\r\n{}\r\n0\r\n\r\n',
    () => `GET /graphql HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(3_000)}\r\n`,
    () => 'GET http://evil.example/graphql HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    () =>
      'GET /graphql HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 99\r\n\r\n',
    () => 'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"query"',
    () =>
      `GET /graphql?query=${encodeURIComponent(asked().query.slice(0, 1_000).toWellFormed())} HTTP/1.1\r\nHost: ${random.pick(oddHosts)}\r\nx-prosa-request: 1\r\n\r\n`,
  ])();
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(Number(port), '127.0.0.1');
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  socket.on('error', () => resolve(received));
  socket.on('close', () => resolve(received));
  socket.end(sent);
  const timer = setTimeout(() => socket.destroy(), 200);
  judge(sent, await promise, Number(/^HTTP\/1.1 (\d+)/.exec(received)?.[1] ?? 400));
  clearTimeout(timer);
}

/** A socket with some frames; each counts as a request. */
async function overSocket(frames: number): Promise<void> {
  const socket = new WebSocket(server.url.replace('http', 'ws'), chance(95) ? 'graphql-transport-ws' : 'graphql-ws');
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const sent: string[] = [];
  let received = '';
  socket.on('open', open);
  socket.on('error', () => open());
  socket.on('message', (data) => {
    received += String(data);
  });
  socket.on('close', (code, reason) => {
    if (code === 1011 || code === 4500)
      findings.push(`the socket closed with ${code} ${reason}\n  sent: ${sent.join('\n').slice(-2_000)}`);
    received += String(reason);
    close();
  });
  await opened;
  const write = (frame: string | Buffer) => {
    sent.push(String(frame).slice(0, 3_000));
    if (socket.readyState === socket.OPEN) socket.send(frame);
  };
  const init = { type: 'connection_init', payload: { token: random.pick(tokens.slice(0, 2)) } };
  write(
    chance(90)
      ? JSON.stringify(init)
      : JSON.stringify({
          ...init,
          payload: random.pick([null, 1, [], { token: 7 }, { authorization: 'x' }, { token: 'x.y.z' }]),
        }),
  );
  for (let index = 1; index < frames; index++) {
    const id = random.pick([String(index), '1', '', '__proto__', 'x'.repeat(3_000)]);
    const frame = random.integer(100);
    if (frame < 80) write(JSON.stringify({ id, type: 'subscribe', payload: asked() }));
    else if (frame < 90) write(JSON.stringify({ type: 'ping', payload: { a: documents.text() } }));
    else if (frame < 95) write(JSON.stringify({ id, type: 'complete' }));
    else if (frame < 97)
      write(
        JSON.stringify(
          random.pick<unknown>([
            { id, type: 'subscribe' },
            { id, type: 'next' },
            { type: 'x' },
            null,
            7,
            init,
            { id, type: 'subscribe', payload: { query: '' } },
          ]),
        ),
      );
    else write(chance(50) ? junk(100) : Buffer.from(junk(50)));
  }
  await Promise.race([closed, delay(60)]);
  socket.close();
  const timer = setTimeout(() => socket.terminate(), 1_000);
  await closed;
  clearTimeout(timer);
  judge(sent.join('\n'), received);
}

/** The victims' rows, as one fingerprint. */
async function fingerprint(): Promise<unknown> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const tables = ['rooms', 'members', 'messages', 'message_edits', 'mentions', 'room_changes'];
    const parts = tables.map(
      (table) =>
        `SELECT '${table}' AS name, md5(coalesce(string_agg(t::text, ',' ORDER BY t::text), '')) FROM ${table} t`,
    );
    return (await client.query(parts.join(' UNION ALL '))).rows;
  } finally {
    await client.end();
  }
}

test(`G10, G1 ${total} hostile requests change nothing, learn nothing and break nothing`, {
  timeout: 180_000,
}, async () => {
  const printed = vi.spyOn(console, 'error');
  const before = [await countRows(databaseUrl), await fingerprint()];
  let left = total;
  const attacker = async () => {
    while (left > 0) {
      const share = random.integer(100);
      const frames = Math.min(left, share < 4 ? 10 : 1);
      left -= frames;
      if (share < 4) await overSocket(frames);
      else if (share < 6) await overTcp();
      else await overHttp();
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: inParallel }, attacker));
  console.log(`${total} hostile requests in ${Math.round((performance.now() - started) / 1_000)} s`);
  expect(findings.slice(0, 5).join('\n\n'), `${findings.length} findings`).toBe('');
  expect([await countRows(databaseUrl), await fingerprint()]).toEqual(before);
  // Nothing was a fault of ours, and everybody else is served as before.
  expect(server.log.lines.filter((line) => line.level >= 50)).toEqual([]);
  expect(server.log.traces()).toEqual([]);
  expect(printed.mock.calls).toEqual([]);
  expect((await ana.query('{ viewer { role } }')).data).toEqual({ viewer: { role: 'ADMIN' } });
});
