import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { waitFor } from './waiting.ts';

/** What starts the server, as `node` takes it. */
export const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

/** Starts the real program, with nothing set but this; it ends with the test file at the latest. */
export function startProgram(env: Readonly<Record<string, string>>, command = [process.execPath, program]) {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    child,
    exited,
    output: () => output,
    errors: () => errors,
    /** Waits until it serves. @returns where GraphQL is. */
    async url() {
      const found = () => /"url":"([^"]+)"/.exec(output)?.[1];
      await waitFor(
        () => `the server to start: ${output}${errors}`,
        () => found() !== undefined || child.exitCode !== null,
      );
      const url = found();
      if (!url) throw new Error(`the server ended: ${output}${errors}`);
      return url;
    },
  };
}
