import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { execPath } from 'node:process';

/** A server in a process of its own. */
export interface Program {
  /** Where it serves, as it has said itself. */
  readonly url: string;
  readonly pid: number;
  /** The time of the processor that it has used, user and system, in microseconds. */
  cpu(): number;
  /** Its resident memory in bytes. */
  memory(): number;
  stop(): Promise<void>;
}

/**
 * Runs a TypeScript program until it says, on a line of its output, where it serves: `{"url":"http://…"}`.
 * @param options.flags for Node.js itself.
 * @param options.serves false for a program that serves nothing, and is not waited for.
 * @throws with its output when it ends before.
 */
export async function startProgram(
  file: string,
  environment: Readonly<Record<string, string>>,
  options: { readonly flags?: readonly string[]; readonly serves?: boolean } = {},
): Promise<Program> {
  const { flags = [], serves = true } = options;
  const child = spawn(execPath, [...flags, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...environment },
  });
  const exited = once(child, 'exit');
  const said = urlSaid(child, file);
  const url = serves ? await said : '';
  said.catch(() => undefined);
  const pid = child.pid ?? 0;
  return {
    url,
    pid,
    cpu: () => cpuOf(pid).own,
    memory: () => memoryOf(pid),
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

function urlSaid(child: ChildProcess, file: string): Promise<string> {
  let output = '';
  let url = '';
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`${file} did not start: ${output}`)));
    // Read to the end: a server whose output nobody takes is not the one to be measured.
    child.stdout?.on('data', (chunk) => {
      if (url) return;
      output += String(chunk);
      url = /"url":"([^"]+)"/.exec(output)?.[1] ?? '';
      if (url) resolve(url);
    });
  });
}

/** A generator of load in a process of its own: takes one job and answers with what it has measured. */
export interface Loader<Job, Result> {
  readonly pid: number;
  run(job: Job): Promise<Result>;
  stop(): void;
}

/** @param file a program that answers each message of its parent with one message. */
export function startLoader<Job extends object, Result>(
  file: string,
  parse: (answer: unknown) => Result,
): Loader<Job, Result> {
  const child = fork(file, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return {
    pid: child.pid ?? 0,
    async run(job) {
      const ended = new AbortController();
      const answered = once(child, 'message', { signal: ended.signal });
      const failed = once(child, 'exit', { signal: ended.signal }).then(() => {
        throw new Error(`${file} has ended`);
      });
      child.send(job);
      try {
        const [answer] = await Promise.race([answered, failed]);
        return parse(answer);
      } finally {
        answered.catch(() => undefined);
        failed.catch(() => undefined);
        ended.abort();
      }
    },
    stop: () => void child.kill('SIGKILL'),
  };
}

/** The time that a process and all that it has started have used, in microseconds, such as PostgreSQL with its backends. */
export function cpuOfTree(pid: number): number {
  const { own, ofEnded } = cpuOf(pid);
  return childrenOf(pid).reduce((sum, child) => sum + cpuOf(child).own, own + ofEnded);
}

/** The process that has started another one. */
export function parentOf(pid: number): number {
  return Number(statOf(pid)[1]);
}

// As Linux counts: /proc/PID/stat holds ticks of a hundredth of a second, which is too coarse for a second of a server that is not busy.
const tick = 10_000;

function cpuOf(pid: number): { readonly own: number; readonly ofEnded: number } {
  const [user, system, endedUser, endedSystem] = statOf(pid).slice(11, 15).map(Number);
  return {
    own: cpuOfThreads(pid) ?? ((user ?? 0) + (system ?? 0)) * tick,
    ofEnded: ((endedUser ?? 0) + (endedSystem ?? 0)) * tick,
  };
}

/** What the scheduler has given the threads that there are, to the nanosecond; null where the kernel does not count that. */
function cpuOfThreads(pid: number): number | null {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    const times = threads.map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
    const sum = times.reduce((before, time) => before + Number(time), 0);
    return sum > 0 ? sum / 1_000 : null;
  } catch {
    return null;
  }
}

/** The fields after the name of the command, which may hold spaces; none for a process that has ended. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((each) => Number.isInteger(each) && parentOf(each) === pid);
}

function memoryOf(pid: number): number {
  const kilobytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) * 1024;
}
