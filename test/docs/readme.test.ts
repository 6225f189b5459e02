import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeAll, expect, test } from 'vitest';
import { createClient } from '../support/client.ts';
import { type Demo, startDemo } from '../support/demo.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { waitFor } from '../support/waiting.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const readme = await readFile(`${root}/README.md`, 'utf8');
const secret = 'the secret of the readme, 32 characters or more';

let demo: Demo;
let roomId: string;

beforeAll(async () => {
  demo = await startDemo({ secret });
});

/** The code of the README in a language, as somebody would copy it. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code = '']) => code);
}

/** The cells of the first column of the table under a heading, without their backticks. */
function firstColumn(heading: string): string[] {
  const section = readme.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell = '']) =>
    cell.replaceAll('`', '').trim().split(', '),
  );
}

test('the query, the mutation and the subscription of the README run as pasted', async () => {
  const ana = createClient(demo.url, demo.tokens.admin);
  const [query = '', mutation = '', subscription = '', ...more] = blocks('graphql');
  expect(more).toEqual([]);

  const rooms = await ana.query(query);
  expect(rooms.errors).toEqual([]);
  const general = listAt(rooms.data, 'rooms.nodes').find((room) => at(room, 'name') === 'general');
  roomId = textAt(general, 'id');

  const follower = ana.subscribe(subscription, { room: roomId });
  const carla = createClient(demo.url, demo.tokens.agent);
  await waitFor('the message of the mutation in the subscription', async () => {
    const sent = await carla.query(mutation, { room: roomId });
    expect(sent.errors).toEqual([]);
    expect(textAt(sent.data, 'sendMessage.message.body')).toBe('Hello, **everybody**!');
    return follower.received.length > 0;
  });
  expect(textAt(await follower.next(), 'messageAdded.message.author.name')).toBe('Carla Mendes');
  await follower.stop();
});

test('a token made as the README shows is let in', async () => {
  const [code = ''] = blocks('js');
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code], {
    cwd: root,
    env: { ...process.env, AUTH_JWT_SECRET: secret },
  });
  const { data } = await createClient(demo.url, stdout.trim()).query('{ viewer { role actor { name } } }');
  expect(data).toEqual({ viewer: { role: 'AGENT', actor: { name: 'Ana Souza' } } });
});

test('the README lists exactly the settings that there are', async () => {
  const source = await readFile(`${root}/src/config.ts`, 'utf8');
  const settings = [...source.matchAll(/^ {2}([A-Z][A-Z0-9_]+): /gm)].map(([, name]) => name);
  expect(settings).toContain('PORT');
  expect(firstColumn('Settings').sort()).toEqual(settings.sort());
});

test('the README lists every code that an error of ours can have', async () => {
  const source = await readFile(`${root}/src/kernel/errors.ts`, 'utf8');
  const codes = [...source.matchAll(/ code = '([A-Z_]+)'/g)].map(([, code]) => code);
  expect(codes).toContain('NOT_FOUND');
  expect(firstColumn('When something is refused')).toEqual(expect.arrayContaining(codes));
});

test('the files and the npm scripts that the README names exist', async () => {
  const links = [...readme.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, target = '']) => target);
  expect(links).toContain('docs/decisions.md');
  expect(links.filter((target) => !existsSync(`${root}/${target}`))).toEqual([]);
  const { scripts } = JSON.parse(await readFile(`${root}/package.json`, 'utf8'));
  const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map(([, script = '']) => script);
  expect(named.filter((script) => !(script in scripts))).toEqual([]);
  expect(named).toContain('check');
});
