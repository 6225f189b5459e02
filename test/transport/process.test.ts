import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createClient as createSocketClient } from 'graphql-ws';
import { afterAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createEmptyDatabase, createTestDatabase } from '../services/database.ts';
import { send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, secret, signToken } from '../support/people.ts';
import { program, startProgram as start } from '../support/program.ts';
import { waitFor } from '../support/waiting.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'prosa-process-'));
afterAll(() => {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

describe('P6 with nothing but Node', () => {
  const dataDir = path.join(folder, 'data');

  test('creates the schema, seeds the demo and prints where GraphiQL is, with three tokens that work', async () => {
    const server = start({ DATA_DIR: dataDir });
    const url = await server.url();
    await waitFor('the welcome', () => (server.output().match(/eyJ[\w.-]+/g) ?? []).length >= 3);
    expect(server.output()).toContain(`GraphiQL: ${url}`);
    const tokens = server.output().match(/eyJ[\w.-]+/g) ?? [];
    const roles: unknown[] = [];
    for (const token of tokens) {
      const client = createClient(url, token);
      const { data } = await client.query(
        '{ viewer { role } rooms { nodes { id kind messages(last: 100) { nodes { id } } } } }',
      );
      roles.push(at(data, 'viewer.role'));
      expect(listAt(data, 'rooms.nodes').length).toBeGreaterThan(1);
    }
    expect(roles).toEqual(['ADMIN', 'SUPERVISOR', 'AGENT']);
    const page = await fetch(url, { headers: { accept: 'text/html' } });
    expect(await page.text()).toContain('Prosa');

    // The whole path on the embedded database: write, and hear of it.
    const [ana, bruno] = [createClient(url, tokens[0] ?? ''), createClient(url, tokens[1] ?? '')];
    const rooms = await bruno.query('{ rooms { nodes { id cursor } } }');
    const [room, after] = [textAt(rooms.data, 'rooms.nodes.0.id'), textAt(rooms.data, 'rooms.nodes.0.cursor')];
    const follower = bruno.subscribe(
      'subscription Added($room: ID!, $after: String) { messageAdded(roomId: $room, after: $after) { ... on MessageAdded { message { body } } } }',
      { room, after },
    );
    await send(ana, room, 'it works');
    expect(await follower.next()).toEqual({ messageAdded: { message: { body: 'it works' } } });
    await follower.stop();

    // Another process on the same folder would destroy it.
    const second = start({ DATA_DIR: dataDir });
    expect(await second.exited).toBe(1);
    expect(second.errors()).toMatch(/^the data folder .* is in use by process \d+\n$/);

    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
    expect(server.errors()).toBe('');
  });

  test('a second start has everything, and seeds nothing again', async () => {
    const server = start({ DATA_DIR: dataDir });
    const url = await server.url();
    await waitFor('the welcome', () => /eyJ[\w.-]+/.test(server.output()));
    const token = server.output().match(/eyJ[\w.-]+/)?.[0] ?? '';
    const { data } = await createClient(url, token).query(
      '{ rooms { nodes { lastMessage { body } } } channels: rooms(list: CHANNELS) { nodes { name } } }',
    );
    expect(at(data, 'rooms.nodes.0.lastMessage.body')).toBe('it works');
    expect(listAt(data, 'channels.nodes')).toHaveLength(2);
    server.child.kill('SIGTERM');
    expect(await server.exited).toBe(0);
  });

  test('`npm start` passes SIGTERM on to the server, and leaves nothing running', async () => {
    const root = path.dirname(path.dirname(program));
    const server = start({ DATA_DIR: dataDir, HOME: folder }, ['npm', 'start', '--prefix', root]);
    await server.url();
    server.child.kill('SIGTERM');
    await server.exited;
    expect(server.output()).toContain('"msg":"stopped"');
  });
});

describe('a start that cannot go on', () => {
  test.each([
    ['a wrong setting', { PORT: 'nonsense' }, /^PORT: .*\n$/],
    [
      'production without keys',
      { NODE_ENV: 'production', DATABASE_URL: 'postgresql://x/y' },
      /^AUTH_JWT_SECRET: .*\n$/,
    ],
    [
      'a database that does not answer',
      { DATABASE_URL: 'postgresql://127.0.0.1:1/none' },
      /^DATABASE_URL: the database does not answer.*\n$/,
    ],
  ])('%s: ends with one line', async (_what, env, line) => {
    const server = start(env);
    expect(await server.exited).toBe(1);
    expect(server.errors()).toMatch(line);
  });

  test('a port that is taken: ends with one line', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const DATABASE_URL = await createTestDatabase();
    const server = start({ NODE_ENV: 'production', DATABASE_URL, AUTH_JWT_SECRET: secret, PORT: String(port) });
    expect(await server.exited).toBe(1);
    expect(server.errors()).toBe(`PORT: cannot listen on 127.0.0.1:${port}: EADDRINUSE\n`);
    other.close();
  });

  test('a database without the schema: says how to bring it there', async () => {
    const server = start({ DATABASE_URL: await createEmptyDatabase() });
    expect(await server.exited).toBe(1);
    expect(server.errors()).toMatch(/^DATABASE_URL: .*npm run db:migrate\n$/);
  });
});

test('SIGTERM lets requests finish, closes sockets as going away, and ends with 0', async () => {
  const databaseUrl = await createTestDatabase();
  const server = start({ NODE_ENV: 'production', DATABASE_URL: databaseUrl, AUTH_JWT_SECRET: secret });
  const url = await server.url();
  const token = await signToken(person('acme', 'Ana', 'admin'));
  const client = createClient(url, token);
  await client.query('{ viewer { role } }');
  let closeCode: unknown;
  let connected = false;
  const socket = createSocketClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    lazy: false,
    retryAttempts: 0,
    connectionParams: { token },
    onNonLazyError: () => undefined,
    on: {
      connected: () => {
        connected = true;
      },
      closed: (event) => {
        closeCode = at(event, 'code');
      },
    },
  });
  await waitFor('the socket', () => connected);
  const requests = Array.from({ length: 20 }, () => client.query('{ rooms { nodes { id } } users { nodes { id } } }'));
  // The first answer shows that the server is at them.
  await Promise.race(requests);
  server.child.kill('SIGTERM');
  const answers = await Promise.allSettled(requests);
  expect(await server.exited).toBe(0);
  expect(closeCode).toBe(1001);
  // Those that had not reached it may be refused; what was accepted is answered whole.
  for (const answer of answers) if (answer.status === 'fulfilled') expect(answer.value.errors).toEqual([]);
  expect(answers.some((answer) => answer.status === 'fulfilled')).toBe(true);
  await expect(client.query('{ serverTime }')).rejects.toThrow();
  await socket.dispose();
});
