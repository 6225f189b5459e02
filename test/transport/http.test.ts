import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { administer } from '../services/postgres.ts';
import { createRoom, send } from '../support/acting.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';

const databaseUrl = await createTestDatabase();
const server = await startServer({ databaseUrl, redisUrl: createTestRedis().url });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const origin = new URL(server.url).origin;

/** As it comes over the wire: fetch would unpack it. */
async function raw(headers: Record<string, string>, body: string) {
  const { promise, resolve, reject } = Promise.withResolvers<{ encoding: string | undefined; bytes: number }>();
  const call = request(
    server.url,
    { method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
    (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on('end', () => resolve({ encoding: response.headers['content-encoding'], bytes }));
    },
  );
  call.on('error', reject);
  call.end(body);
  return promise;
}

test('P7 a large answer is compressed for clients that can unpack it, and only for them', async () => {
  const roomId = await createRoom(ana, { kind: 'GROUP', name: 'large' });
  for (let index = 0; index < 20; index++) await send(ana, roomId, 'The same words over and over. '.repeat(50));
  const body = JSON.stringify({ query: `{ room(id: "${roomId}") { messages { nodes { body } } } }` });
  const authorization = `Bearer ${await signToken(person('acme', 'Ana', 'admin'))}`;
  const plain = await raw({ authorization }, body);
  const packed = await raw({ authorization, 'accept-encoding': 'gzip' }, body);
  expect(plain.encoding).toBeUndefined();
  expect(packed.encoding).toBe('gzip');
  expect(plain.bytes).toBeGreaterThan(20_000);
  expect(packed.bytes).toBeLessThan(plain.bytes / 5);
});

test('a client that would rather speak HTTP/2 is answered in HTTP/1.1', async () => {
  const upgrade = {
    connection: 'Upgrade, HTTP2-Settings',
    upgrade: 'h2c',
    'http2-settings': 'AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA',
  };
  const body = JSON.stringify({ query: '{ serverTime }' });
  const call = request(server.url, { method: 'POST', headers: { 'content-type': 'application/json', ...upgrade } });
  call.end(body);
  const [response] = await once(call, 'response');
  expect(response.statusCode).toBe(200);
  expect(JSON.parse(await text(response)).data.serverTime).toEqual(expect.any(String));
});

test('P4 there is no GraphiQL where it is switched off', async () => {
  const response = await fetch(server.url, { headers: { accept: 'text/html' } });
  expect(response.headers.get('content-type') ?? '').not.toContain('text/html');
  expect(await response.text()).not.toContain('graphiql');
});

test('an unknown path says where GraphQL is, and / leads there', async () => {
  const unknown = await fetch(`${origin}/nothing?a=/graphql`);
  expect([unknown.status, await unknown.text()]).toEqual([404, expect.stringContaining('/graphql')]);
  const root = await fetch(origin, { redirect: 'manual' });
  expect([root.status, root.headers.get('location')]).toEqual([302, '/graphql']);
});

const hosts = ['[', 'a b', 'x:99999', 'x:y', '256.1.1.1', '[::1', 'a%zz', 'a<b'];

test.each(hosts)('G10 a header host that is none (%s) is the fault of who sends it', async (host) => {
  const token = await signToken(person('acme', 'Ana', 'admin'));
  for (const alias of ['first', 'first', `of${hosts.indexOf(host)}`]) {
    const body = JSON.stringify({ query: `{ ${alias}: viewer { role } }` });
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\n` +
        `Connection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await once(socket, 'close');
    const answer = Buffer.concat(chunks).toString();
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('BAD_REQUEST');
    expect(answer).not.toMatch(/node_modules|file:|\bat /);
  }
});

describe('health', () => {
  test('is up while the process is, and ready while database and events answer', async () => {
    const up = await fetch(`${origin}/healthz`);
    expect([up.status, await up.json()]).toEqual([200, { status: 'up' }]);
    const ready = await fetch(`${origin}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true, database: 'up', events: 'up' }]);
    expect(ready.headers.get('cache-control')).toBe('no-store');
  });

  test('is not ready while the database refuses connections, and is ready again after it', async () => {
    const own = new URL(await createTestDatabase());
    const other = await startServer({ databaseUrl: own.href });
    const readyz = async () => {
      const response = await fetch(`${new URL(other.url).origin}/readyz`);
      return [response.status, await response.json()];
    };
    const name = own.pathname.slice(1);
    expect(await readyz()).toEqual([200, { ready: true, database: 'up', events: 'up' }]);
    await administer(databaseUrl, `ALTER DATABASE ${name} ALLOW_CONNECTIONS false`);
    await administer(databaseUrl, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}'`);
    expect(await readyz()).toEqual([503, { ready: false, database: 'down', events: 'up' }]);
    await administer(databaseUrl, `ALTER DATABASE ${name} ALLOW_CONNECTIONS true`);
    expect(await readyz()).toEqual([200, { ready: true, database: 'up', events: 'up' }]);
    await expect(ana.query('{ serverTime }')).resolves.toMatchObject({ status: 200 });
  });
});
