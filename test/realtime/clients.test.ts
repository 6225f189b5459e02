import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { stripTypeScriptTypes } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { openCuttableNetwork } from '../support/cuttable.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

// The clients of docs/realtime.md, as somebody would copy them.

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = await readFile(`${root}/docs/realtime.md`, 'utf8');
// Where modules find node_modules, and the checks of the code do not look.
await mkdir(`${root}/node_modules/.cache`, { recursive: true });
const folder = await mkdtemp(`${root}/node_modules/.cache/prosa-clients-`);
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Following {
  readonly url: string;
  readonly token: () => Promise<string>;
  readonly room: string;
  readonly cursor: string;
  readonly onMessage: (message: { readonly id: string; readonly body: string }, cursor: string) => Promise<void>;
  readonly onResync: () => Promise<string>;
  readonly signal: AbortSignal;
}

type Follow = (following: Following) => Promise<void>;

/** The module that all blocks of this name make up. */
async function load(name: string): Promise<Record<string, unknown>> {
  const blocks = [...page.matchAll(new RegExp(`^\`\`\`ts ${name}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, code = '']) => code,
  );
  expect(blocks).not.toEqual([]);
  await writeFile(`${folder}/${name}.ts`, blocks.join('\n'));
  await writeFile(`${folder}/${name}.mjs`, stripTypeScriptTypes(blocks.join('\n')));
  return import(pathToFileURL(`${folder}/${name}.mjs`).href);
}

const [graphqlWs, urql, sse] = await Promise.all(['graphql-ws', 'urql', 'sse'].map(load));

interface UrqlModule {
  createResumingClient(url: string, token: () => Promise<string>): unknown;
  followMessages(
    client: unknown,
    from: { readonly room: string; readonly cursor: string },
    on: {
      readonly message: Following['onMessage'];
      readonly resync: Following['onResync'];
      readonly end: (error?: Error) => void;
    },
  ): { unsubscribe(): void };
}

/** urql's subscription as a function that ends with it. */
const followWithUrql: Follow = ({ url, token, room, cursor, onMessage, onResync, signal }) =>
  new Promise((resolve, reject) => {
    const { createResumingClient, followMessages } = urql as unknown as UrqlModule;
    const end = (error?: Error) => (error ? reject(error) : resolve());
    const client = createResumingClient(url, token);
    const following = followMessages(client, { room, cursor }, { message: onMessage, resync: onResync, end });
    signal.addEventListener('abort', () => {
      following.unsubscribe();
      resolve();
    });
  });

const clients: Record<string, Follow> = {
  'graphql-ws': graphqlWs?.follow as Follow,
  urql: followWithUrql,
  'server-sent events': sse?.follow as Follow,
};

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const [here, there] = await Promise.all([
  startServer({ databaseUrl, redisUrl, redisPrefix }),
  startServer({ databaseUrl, redisUrl, redisPrefix }),
]);
const ana = await here.signIn(person('acme', 'Ana', 'admin'));
const brunoPerson = person('acme', 'Bruno');
const bruno = await there.signIn(brunoPerson);
const network = await openCuttableNetwork(there.url);

const readDocument = `query Read($room: ID!, $after: String) {
  room(id: $room) { cursor messages(first: 100, after: $after) { pageInfo { hasNextPage endCursor } nodes { id } } }
}`;

/** All messages of the room, in its order, as the database has them. */
async function idsOf(room: string): Promise<unknown[]> {
  const ids: unknown[] = [];
  for (let after: unknown = null, more = true; more; ) {
    const { data } = await bruno.query(readDocument, { room, after });
    ids.push(...listAt(data, 'room.messages.nodes').map((node) => at(node, 'id')));
    more = at(data, 'room.messages.pageInfo.hasNextPage') === true;
    after = at(data, 'room.messages.pageInfo.endCursor');
  }
  return ids;
}

async function cursorOf(room: string): Promise<string> {
  return textAt((await bruno.query(readDocument, { room })).data, 'room.cursor');
}

/** Bruno at a client of the page, through the network. */
async function followAsBruno(follow: Follow, overriding: Partial<Following> = {}) {
  const room = await createRoom(ana, { kind: 'GROUP', name: 'followed', memberIds: [bruno.id] });
  const before = await idsOf(room);
  const ending = new AbortController();
  const received: string[] = [];
  const cursors: string[] = [];
  let ended = false;
  const done = follow({
    url: network.url,
    token: () => signToken(brunoPerson),
    room,
    cursor: await cursorOf(room),
    onMessage: async ({ id }, cursor) => {
      received.push(id);
      cursors.push(cursor);
    },
    onResync: () => cursorOf(room),
    signal: ending.signal,
    ...overriding,
  }).finally(() => {
    ended = true;
  });
  return {
    room,
    before,
    received,
    cursors,
    done,
    get ended() {
      return ended;
    },
    async stop() {
      ending.abort();
      await done;
    },
  };
}

test('the clients of the page are right by their types', async () => {
  const options = ['--noEmit', '--strict', '--noUncheckedIndexedAccess', '--skipLibCheck', '--target', 'es2024'];
  const modules = ['--module', 'nodenext', '--moduleResolution', 'nodenext', '--types', 'node'];
  const files = ['graphql-ws', 'urql', 'sse'].map((name) => `${folder}/${name}.ts`);
  const tsc = `${root}/node_modules/.bin/tsc`;
  const { stdout } = await promisify(execFile)(tsc, [...options, ...modules, '--ignoreConfig', ...files]).catch(
    (error) => error,
  );
  expect(stdout).toBe('');
});

test('the page names the limits of live delivery with their defaults', async () => {
  const source = await readFile(`${root}/src/config.ts`, 'utf8');
  const settings = [...source.matchAll(/^ {2}((?:WS|LIVE)_\w+): .*\.default\(([\d_]+)\)/gm)];
  const named = [...page.matchAll(/^\| `((?:WS|LIVE)_\w+)` +\| (\d+) /gm)];
  expect(named.map(([, name, value]) => `${name}=${value}`)).toEqual(
    settings.map(([, name, value = '']) => `${name}=${value.replaceAll('_', '')}`),
  );
});

describe.each(Object.entries(clients))('R5 the client for %s', (_name, follow) => {
  test('has every message once and in order, though its connection is cut while messages are sent', async () => {
    const following = await followAsBruno(follow);
    const sent = new Set<string>();
    const sending = Promise.all(
      [ana, bruno].map(async (author) => {
        for (let index = 0; index < 150; index++) sent.add((await send(author, following.room, `message ${index}`)).id);
      }),
    );
    let cuts = 0;
    let stopped = false;
    const cutting = (async () => {
      for (let seen = 0; !stopped; seen = following.received.length) {
        await waitFor('something new', () => following.received.length > seen + 10 || stopped);
        network.cut();
        cuts++;
      }
    })();
    await sending;
    await waitFor(
      () => `all messages; so far ${following.received.length}`,
      () => following.received.length >= sent.size,
    );
    stopped = true;
    await cutting;
    expect(following.received).toEqual((await idsOf(following.room)).slice(following.before.length));
    expect(new Set(following.received)).toEqual(sent);
    expect(cuts).toBeGreaterThan(2);
    await following.stop();
  });

  test('goes on with a new token when the old one has expired', async () => {
    let asked = 0;
    const following = await followAsBruno(follow, {
      token: () => signToken(brunoPerson, asked++ === 0 ? { expiresAt: new Date(Date.now() + 1_500) } : {}),
    });
    await send(ana, following.room, 'before');
    await waitFor('the first', () => following.received.length === 1);
    await waitFor('the second token', () => asked > 1);
    await send(ana, following.room, 'after');
    await waitFor('the second', () => following.received.length === 2);
    expect(following.received).toEqual((await idsOf(following.room)).slice(following.before.length));
    await following.stop();
  });

  test('misses nothing when the server could not show an event', async () => {
    // Somebody whom the process of the followers has never shown: it has to look them up.
    const carla = await here.signIn(person('acme', `Carla ${randomUUID()}`));
    const room = await createRoom(ana, { kind: 'GROUP', name: 'followed', memberIds: [bruno.id, carla.id] });
    const following = await followAsBruno(follow, { room, cursor: await cursorOf(room) });
    const { id } = await send(ana, room, 'before');
    await waitFor('the first', () => following.received.length === 1);
    const database = new pg.Client({ connectionString: databaseUrl });
    await database.connect();
    const faults = () => there.log.lines.filter(({ msg }) => msg === 'an operation failed').length;
    const before = faults();
    // The author of the next message cannot be read for a while.
    await database.query('ALTER TABLE actors RENAME COLUMN picture_url TO gone');
    const sent = [id];
    try {
      sent.push((await send(carla, room, 'during')).id);
      await waitFor('the fault', () => faults() > before);
    } finally {
      await database.query('ALTER TABLE actors RENAME COLUMN gone TO picture_url');
      await database.end();
    }
    sent.push((await send(ana, room, 'after')).id);
    await waitFor('all of them', () => following.received.length >= 3);
    expect(following.received).toEqual(sent);
    await following.stop();
  });

  test('reads the room afresh when its cursor is too old, and goes on', async () => {
    const room = await createRoom(ana, { kind: 'GROUP', name: 'long ago', memberIds: [bruno.id] });
    const cursor = await cursorOf(room);
    await send(ana, room, 'missed');
    const database = new pg.Client({ connectionString: databaseUrl });
    await database.connect();
    await database.query("UPDATE rooms SET log_floor = version WHERE name = 'long ago'");
    await database.end();
    let resyncs = 0;
    const read: unknown[] = [];
    const following = await followAsBruno(follow, {
      room,
      cursor,
      onResync: async () => {
        const now = await cursorOf(room);
        read.splice(0, read.length, ...(await idsOf(room)));
        resyncs++;
        return now;
      },
    });
    await waitFor('the resync', () => resyncs === 1);
    await send(ana, room, 'news');
    await waitFor('the news', () => following.received.length === 1);
    expect([...read, ...following.received]).toEqual(await idsOf(room));
    await following.stop();
  });

  test('ends when the viewer is removed, and says so when it may not begin', async () => {
    const following = await followAsBruno(follow);
    await send(ana, following.room, 'hello');
    await waitFor('the message', () => following.received.length === 1);
    await act(ana, 'removeMember', { roomId: following.room, userId: bruno.id });
    await following.done;
    const refused = followAsBruno(follow, { room: following.room, cursor: following.cursors[0] ?? '' });
    await expect((await refused).done).rejects.toBeDefined();
  });
});
