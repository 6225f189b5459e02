import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openSlackExport } from '../../src/import/slack.export.ts';
import { createTestDatabase } from '../services/database.ts';
import { scratch, writeExport } from './world.ts';
import { zipOf } from './zipWriter.ts';

const postgresUrl = await createTestDatabase();
const program = fileURLToPath(new URL('../../src/import/cli/import.ts', import.meta.url));

function runImport(args: readonly string[], env: Record<string, string>) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      [program, ...args],
      { env: { PATH: process.env.PATH, ...env } },
      (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

const users = [{ id: 'U1', name: 'zoe' }];
const rooms = [{ id: 'C1', name: 'general', members: ['U1'] }];
const day = [{ type: 'message', user: 'U1', text: 'hi', ts: '1577836800.000100' }];
const good = { 'users.json': users, 'channels.json': rooms, 'general/2020-01-01.json': day };

test('T14 a file that is no export is refused in one line, and leaves no trace', async () => {
  const zip = zipOf({ 'users.json': '[]' });
  const bad: Record<string, [content: Buffer | null, reason: string]> = {
    'missing.zip': [null, 'is missing'],
    'empty.zip': [Buffer.alloc(0), 'cannot be read as a zip file'],
    'text.zip': [Buffer.from('not a zip'), 'cannot be read as a zip file'],
    'cut.zip': [zip.subarray(0, zip.length - 30), 'cannot be read as a zip file'],
    'garbled.zip': [Buffer.concat([zip.subarray(0, 45), Buffer.alloc(20), zip.subarray(65)]), 'cannot be read'],
    'users.zip': [zipOf({ 'channels.json': '[]' }), 'there is no users.json in it'],
    'json.zip': [zipOf({ 'users.json': '[{' }), 'users.json cannot be read: is not valid JSON'],
    'climbing.zip': [zipOf({ 'users.json': '[]', '../../etc/passwd': 'x' }), 'invalid relative path'],
    'absolute.zip': [zipOf({ 'users.json': '[]', '/etc/passwd': 'x' }), 'absolute path'],
  };
  await Promise.all(
    Object.entries(bad).map(async ([name, [content, reason]]) => {
      const file = scratch(name);
      if (content) writeFileSync(file, content);
      const folder = scratch(`data of ${name}`);
      const { code, out, err } = await runImport(['slack', file, '--tenant', 'acme'], { DATA_DIR: folder });
      expect({ name, code, out }).toEqual({ name, code: 1, out: '' });
      expect(err).toContain(reason);
      expect(err.trim().split('\n')).toHaveLength(1);
      expect(existsSync(folder)).toBe(false);
    }),
  );
});

test('T14 a wrong use, a wrong setting and a data folder in use are told in few words', async () => {
  const file = writeExport(good);
  const folder = scratch('in use');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'prosa.pid'), String(process.pid));
  const cases: [args: string[], env: Record<string, string>, reason: string][] = [
    [[], {}, 'usage:'],
    [['discord', file, '--tenant', 'acme'], {}, 'usage:'],
    [['slack', file], {}, '--tenant KEY is missing'],
    [['slack', file, '--tenant', 'acme'], { DATABASE_URL: 'mysql://x' }, 'DATABASE_URL: must be'],
    [['slack', file, '--tenant', 'acme'], { DATABASE_URL: 'postgresql://127.0.0.1:1/x' }, 'does not answer'],
    [['slack', file, '--tenant', 'acme'], { DATA_DIR: folder }, `in use by process ${process.pid}: stop the server`],
  ];
  await Promise.all(
    cases.map(async ([args, env, reason]) => {
      const { code, out, err } = await runImport(args, env);
      expect({ args, code, out }).toEqual({ args, code: 1, out: '' });
      expect(err).toContain(reason);
      expect(err).not.toContain('    at ');
    }),
  );
});

test('T14 the command loads on both databases, in production too, and prints what it did without drawing a bar', async () => {
  const file = writeExport({ ...good, 'general/2020-01-02.json': '[broken' });
  for (const env of [{ DATABASE_URL: postgresUrl, NODE_ENV: 'production' }, { DATA_DIR: scratch('data') }]) {
    const { code, out, err } = await runImport(['slack', file, '--tenant', 'acme'], env);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toContain('messages  1 added, 0 already there');
    expect(out).toContain('general/2020-01-02.json: is not valid JSON');
  }
});

test('T14 an entry that would unpack to too much, or to more than it claims, is left out and not unpacked', async () => {
  const file = scratch('bomb.zip');
  const contents = Object.fromEntries(Object.entries(good).map(([name, content]) => [name, JSON.stringify(content)]));
  const lies = { 'general/2020-01-01.json': { uncompressedSize: 3_000_000_000 } };
  writeFileSync(file, zipOf({ ...contents, 'general/2020-01-02.json': JSON.stringify(day) }, lies));
  const source = await openSlackExport(file);
  const problems: string[] = [];
  const onProblem = ({ file: name, reason }: { file: string; reason: string }) => problems.push(`${name} ${reason}`);
  const [listed] = await source.rooms(onProblem);
  if (!listed) throw new Error('the room is missing');
  const files = await Array.fromAsync(source.messages(listed.room, onProblem));
  source.close();
  expect(files.map((messages) => messages.length)).toEqual([0, 1]);
  expect(problems).toEqual([
    expect.stringMatching(/^general\/2020-01-01\.json unpacks to 3000000000 bytes, more than/),
  ]);
});

test('T14 an export that was zipped with its folder is read as well', async () => {
  const inside = Object.fromEntries(Object.entries(good).map(([name, content]) => [`acme export/${name}`, content]));
  const source = await openSlackExport(writeExport({ ...inside, '__MACOSX/users.json': 'x' }));
  const onProblem = () => undefined;
  const [listed] = await source.rooms(onProblem);
  if (!listed) throw new Error('the room is missing');
  const files = await Array.fromAsync(source.messages(listed.room, onProblem));
  source.close();
  expect([source.users.length, source.fileCount, files.flat().length]).toEqual([1, 1, 1]);
});
