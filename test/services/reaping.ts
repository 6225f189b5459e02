import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';

/** What to clean up after this process, kept up to date by whoever runs a service. */
export interface Reaping {
  started(pid: number, signal: NodeJS.Signals): void;
  ended(): void;
  discarded(): void;
}

/** One line to the reaper: the present state of what lives in a folder. */
export interface ReaperLine {
  readonly folder: string;
  readonly pid?: number;
  readonly signal?: NodeJS.Signals;
  readonly discarded?: true;
}

/**
 * Has the folder removed, and the process in it ended, when this process is gone for whatever reason, SIGKILL included:
 * a second process notices by the end of the pipe between the two.
 */
export function reapAtExit(folder: string): Reaping {
  reaper ??= startReaper();
  const { stdin } = reaper;
  const tell = (line: ReaperLine) => void stdin?.write(`${JSON.stringify(line)}\n`);
  tell({ folder });
  return {
    started: (pid, signal) => tell({ folder, pid, signal }),
    ended: () => tell({ folder }),
    discarded: () => tell({ folder, discarded: true }),
  };
}

let reaper: ChildProcess | undefined;

function startReaper(): ChildProcess {
  const file = fileURLToPath(new URL('reaper.ts', import.meta.url));
  const child = spawn(process.execPath, [file], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
  return child;
}
