import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';

const lines = 40_000;
const addressOf = (file: string) => JSON.stringify(new URL(`../../src/${file}`, import.meta.url).href);

/** A program that logs more than any pipe holds, a part of it at a time, and then exits with 3. */
const program = `
  const { createLogger } = await import(${addressOf('kernel/logger.ts')});
  const { createLogOutput } = await import(${addressOf('transport/logOutput.ts')});
  const output = createLogOutput();
  process.once('exit', () => output.finish());
  const log = createLogger('info', output);
  let line = 0;
  const saying = setInterval(() => {
    for (let count = 0; count < 1_000; count++) log.info({ line: line++ }, 'said – ü');
    if (line < ${lines}) return;
    clearInterval(saying);
    process.exit(3);
  }, 1);
`;
const command = [process.execPath, '--input-type=module', '-e', program];

/** The system fails in this way, in the calls that the condition says. */
const failing = (call: 'writeSync' | 'openSync', code: string, condition: string) => `
  const fs = process.getBuiltinModule('node:fs');
  const real = fs.${call};
  let calls = 0;
  fs.${call} = (...args) => {
    calls++;
    if (${condition}) throw Object.assign(new Error(), { code: '${code}' });
    return real(...args);
  };
  process.getBuiltinModule('node:module').syncBuiltinESMExports();
`;

/**
 * @param redirection as the shell has it.
 * @param before what the program does first.
 */
function runInShell(redirection: string, before = '') {
  const [file = '', ...options] = command.slice(0, -1);
  const child = spawn('bash', ['-c', `"$@" ${redirection}`, 'bash', file, ...options, before + program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { stdout: child.stdout, exited: exitOf(child) };
}

/** Its output is a socket to this process. */
function run() {
  const [file = '', ...args] = command;
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return { stdout: child.stdout, exited: exitOf(child) };
}

async function exitOf(child: ReturnType<typeof spawn>): Promise<unknown> {
  const [code] = await once(child, 'exit');
  return code;
}

function expectAll(output: Buffer) {
  const said: { line: number }[] = output
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(said.map(({ line }) => line)).toEqual(Array.from({ length: lines }, (_, line) => line));
  expect(said.at(-1)).toMatchObject({ level: 30, msg: 'said – ü' });
}

describe('G8 the log', () => {
  test.each([
    ['a pipe', () => runInShell('> >(cat)')],
    ['a socket', run],
  ])('comes over %s whole and in order, also what is said right before the end', async (_kind, start) => {
    const { stdout, exited } = start();
    const [output, code] = await Promise.all([buffer(stdout), exited]);
    expect(code).toBe(3);
    expectAll(output);
  });

  test('is whole in a file', async () => {
    const file = path.join(await mkdtemp(path.join(tmpdir(), 'prosa-log-')), 'log');
    expect(await runInShell(`> ${file}`).exited).toBe(3);
    expectAll(await readFile(file));
  });

  test('waits for no reader who has stopped, neither at work nor at the end', async () => {
    const { stdout, exited } = run();
    stdout.pause();
    expect(await exited).toBe(3);
    stdout.destroy();
    expect(await runInShell('> >(exec sleep 25 > /dev/null 2>&1)').exited).toBe(3);
  });

  test('goes on where a disk has been full', async () => {
    const file = path.join(await mkdtemp(path.join(tmpdir(), 'prosa-log-')), 'log');
    expect(await runInShell(`> ${file}`, failing('writeSync', 'ENOSPC', 'calls <= 5')).exited).toBe(3);
    expectAll(await readFile(file));
  });

  test('waits for no reader either whose pipe it may not open once more', async () => {
    const refused = failing('openSync', 'EACCES', 'args[0] === "/proc/self/fd/1"');
    expect(await runInShell('> >(exec sleep 40 > /dev/null 2>&1)', refused).exited).toBe(3);
    const { stdout, exited } = runInShell('> >(cat)', refused);
    const [output, code] = await Promise.all([buffer(stdout), exited]);
    expect(code).toBe(3);
    expectAll(output);
  });

  test('does without a reader who has gone', async () => {
    const { stdout, exited } = run();
    await once(stdout, 'data');
    stdout.destroy();
    expect(await exited).toBe(3);
    expect(await runInShell('> >(head -c 100)').exited).toBe(3);
  });
});
