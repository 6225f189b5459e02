import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { reapAtExit } from './reaping.ts';

/** A user of this machine to run a program as; absent: as ourselves. */
export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

/** How to run a server program in the foreground. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** The thrown-away folder that holds its data; its log goes there too. */
  readonly folder: string;
  readonly runAs: RunAs | undefined;
  /** Ends it at once with all its children, from any state. */
  readonly killSignal: NodeJS.Signals;
  /** @throws while it does not answer. */
  answers(): Promise<void>;
}

/** A server program that runs for the tests. */
export interface Service {
  /** Sends the signal and waits for the end. Nothing where it does not run. */
  end(signal: NodeJS.Signals): Promise<void>;
  /** Starts it (again, after ending it, where it runs), on the same port and data, and waits until it answers. */
  start(): Promise<void>;
  /** Ends it and removes its folder. */
  discard(): Promise<void>;
}

const startTimeoutMs = 30_000;
const pollMs = 20;

/** Prepares a service; it runs after `start()`. It ends with this process at the latest, even if that is killed. */
export function service(program: Program): Service {
  let child: ChildProcess | undefined;
  const reaping = reapAtExit(program.folder);

  async function end(signal: NodeJS.Signals): Promise<void> {
    const running = child;
    if (!running || hasEnded(running)) return;
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill(signal);
    await ended;
    reaping.ended();
  }

  return {
    end,
    async start() {
      await end(program.killSignal);
      child = await launch(program);
      if (child.pid !== undefined) reaping.started(child.pid, program.killSignal);
      await untilItAnswers(program, child);
    },
    async discard() {
      await end(program.killSignal);
      await rm(program.folder, { recursive: true, force: true, maxRetries: 5 });
      reaping.discarded();
    },
  };
}

async function launch({ command, args, folder, runAs }: Program): Promise<ChildProcess> {
  const log = await open(path.join(folder, 'log'), 'a');
  try {
    const child = spawn(command, args, {
      cwd: folder,
      stdio: ['ignore', log.fd, log.fd],
      // A group of its own: an interrupt from the keyboard reaches the test run, which then ends its services in order.
      detached: true,
      ...runAs,
    });
    await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

async function untilItAnswers(program: Program, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + startTimeoutMs;
  for (;;) {
    try {
      return await program.answers();
    } catch (error) {
      if (!hasEnded(child) && Date.now() < deadline) {
        await delay(pollMs);
        continue;
      }
      const log = await readFile(path.join(program.folder, 'log'), 'utf8');
      throw new Error(`${program.command} does not answer:\n${log.slice(-2000)}`, { cause: error });
    }
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** A new folder, owned by the user that the program will run as. */
export async function temporaryFolder(name: string, runAs: RunAs | undefined): Promise<string> {
  // Root's own temporary folder may be closed to the other user; /tmp is not.
  const folder = await mkdtemp(path.join(runAs ? '/tmp' : tmpdir(), `prosa-${name}-`));
  if (runAs) await chown(folder, runAs.uid, runAs.gid);
  return folder;
}

/**
 * A port of 127.0.0.1 that nothing listens on. It lies below the range from which outgoing connections take theirs
 * (32768 and up on Linux): otherwise one of those could hold it just when a service restarts.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
