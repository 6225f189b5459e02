import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether this process may change to other users and install packages. */
export const isRoot = process.getuid?.() === 0;

/** Whether `file` is a program that can be started. */
export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** The path of the first of `names` that is on the PATH, or undefined. */
export async function onPath(...names: string[]): Promise<string | undefined> {
  for (const name of names) {
    for (const folder of (process.env.PATH ?? '').split(path.delimiter)) {
      const file = path.join(folder, name);
      if (path.isAbsolute(file) && (await isExecutable(file))) return file;
    }
  }
  return undefined;
}

/** What a program prints, trimmed, or undefined where it is missing or fails. */
export async function output(command: string, ...args: string[]): Promise<string | undefined> {
  return run(command, args).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

/**
 * Looks with `find`; where that gives nothing, installs the Debian package, if this process may, and looks again.
 * @throws Error of one sentence on what to install.
 */
export async function findOrInstall<T>(
  find: () => Promise<T | undefined>,
  { what, debian, setting }: { what: string; debian: string; setting: string },
): Promise<T> {
  const found = (await find()) ?? ((await installed(debian)) ? await find() : undefined);
  if (found !== undefined) return found;
  throw new Error(`The tests need ${what}: install it (on Debian: apt-get install ${debian}), or set ${setting}.`);
}

async function installed(debianPackage: string): Promise<boolean> {
  if (!isRoot || !(await onPath('apt-get'))) return false;
  console.log(`installing the Debian package ${debianPackage} for the tests`);
  // At run level 1 the package does not start a server of its own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    await run('apt-get', ['update'], { env });
    const wait = ['-o', 'DPkg::Lock::Timeout=120'];
    await run('apt-get', [...wait, 'install', '-y', '--no-install-recommends', debianPackage], { env });
    return true;
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return false;
  }
}
