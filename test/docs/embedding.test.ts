import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { Client } from 'graphql-ws';
import { afterAll, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { createRoom, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { at, textAt } from '../support/json.ts';
import { person, secret } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

// The code of docs/embedding.md, as somebody would copy it.

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = await readFile(`${root}/docs/embedding.md`, 'utf8');
await mkdir(`${root}/node_modules/.cache`, { recursive: true });
const folder = await mkdtemp(`${root}/node_modules/.cache/prosa-embedding-`);
afterAll(() => rm(folder, { recursive: true, force: true }));

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const server = await startServer({ databaseUrl, redisUrl, redisPrefix });

function blocks(name: string): string[] {
  const found = [...page.matchAll(new RegExp(`^\`\`\`${name}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code = '']) => code);
  expect(found).not.toEqual([]);
  return found;
}

async function load<Module>(name: string): Promise<Module> {
  await writeFile(`${folder}/${name}.mjs`, stripTypeScriptTypes(blocks(`ts ${name}`).join('\n')));
  return import(pathToFileURL(`${folder}/${name}.mjs`).href);
}

const host = await load<{ tokenFor(user: object, secret: string, life?: string): Promise<string> }>('host');
const front = await load<{ createLastingClient(url: string, token: () => Promise<string>): Client }>('client');
const ana = { id: 'ana', customer: 'acme', role: 'admin', name: 'Ana Souza' };

test('G9 a token made as the page shows lives for five minutes', async () => {
  const token = await host.tokenFor(ana, secret);
  const { data } = await createClient(server.url, token).query('{ viewer { tokenExpiresAt actor { name } } }');
  expect(at(data, 'viewer.actor.name')).toBe('Ana Souza');
  const life = Date.parse(textAt(data, 'viewer.tokenExpiresAt')) - Date.now();
  expect(life).toBeGreaterThan(280_000);
  expect(life).toBeLessThanOrEqual(300_000);
});

test('G9, R7 the client of the page outlives several tokens on one socket, and its subscription misses nothing', async () => {
  const admin = await server.signIn(person('acme', 'Otto', 'admin'));
  const member = await createClient(server.url, await host.tokenFor(ana, secret)).query('{ viewer { actor { id } } }');
  const room = await createRoom(admin, {
    kind: 'GROUP',
    name: 'long',
    memberIds: [textAt(member.data, 'viewer.actor.id')],
  });
  const { cursor: after } = await send(admin, room, 'before');
  let tokens = 0;
  let connections = 0;
  const client = front.createLastingClient(server.url.replace('http', 'ws'), () => {
    tokens++;
    return host.tokenFor(ana, secret, '3s');
  });
  client.on('connected', () => connections++);
  const bodies: unknown[] = [];
  const stop = client.subscribe(
    {
      query:
        'subscription Follow($room: ID!, $after: String) { messageAdded(roomId: $room, after: $after) { ... on MessageAdded { message { body } } } }',
      variables: { room, after },
    },
    {
      next: (result) => bodies.push(at(result, 'data.messageAdded.message.body')),
      error: (error) => bodies.push(error),
      complete: () => bodies.push('complete'),
    },
  );
  const sent: string[] = [];
  for (let wanted = 1; wanted <= 4; wanted++) {
    await waitFor(`token ${wanted}`, () => tokens >= wanted);
    sent.push(`with token ${wanted}`);
    await send(admin, room, `with token ${wanted}`);
    await waitFor('what was sent', () => bodies.length >= sent.length);
  }
  expect(bodies).toEqual(sent);
  expect(connections).toBe(1);
  stop();
  await client.dispose();
});

test('G9 the operations of the page are valid, and say what the page says', async () => {
  const client = createClient(server.url, await host.tokenFor(ana, secret));
  const [embed = '', plan = '', ...more] = blocks('graphql');
  expect(more).toEqual([]);
  expect((await client.query(embed)).data).toEqual({
    setEmbedding: { tenant: { key: 'acme', frameAncestors: ['https://app.acme.example', 'https://*.acme.example'] } },
  });
  expect((await client.query(plan)).errors).toEqual([]);
});

test('G9 the commands of the page work as pasted', async () => {
  const [commands = ''] = blocks('sh');
  const lines = commands.trim().split('\n');
  let output = '';
  for (const line of lines) {
    const [npm, run, script, dashes, ...args] = line.split(' ');
    expect([npm, run, script, dashes]).toEqual(['npm', 'run', 'tenant', '--']);
    const program = `${root}/src/domains/identity/cli/tenant.ts`;
    const env = { ...process.env, DATABASE_URL: databaseUrl };
    output = (await promisify(execFile)(process.execPath, [program, ...args], { env })).stdout;
  }
  expect(output).toContain('channels: off');
  expect(output).toContain('max-users: none');
  expect(output).toContain('max-rooms: 500');
  expect(output).toContain('max-members-per-room: 50');
});
