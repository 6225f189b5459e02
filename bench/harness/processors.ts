import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The processors that this program may use, by their numbers. */
function ownProcessors(): number[] {
  const list = /Cpus_allowed_list:\s+(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/**
 * Gives servers one processor and those who load them another one, as if they were on machines of their own.
 * @param pids of processes that have all their threads by then.
 * @returns what gives all of them every processor again; null where there is one only, or no `taskset`.
 */
export function keepApart(pids: { readonly servers: readonly number[]; readonly loaders: readonly number[] }) {
  const all = ownProcessors();
  const [first, second] = all;
  const everywhere = () => {
    for (const pid of [...pids.servers, ...pids.loaders]) run(pid, all);
  };
  if (first === undefined || second === undefined || !isThere()) return null;
  for (const pid of pids.servers) run(pid, [first]);
  for (const pid of pids.loaders) run(pid, [second]);
  return everywhere;
}

function isThere(): boolean {
  try {
    execFileSync('taskset', ['--version'], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

function run(pid: number, processors: readonly number[]): void {
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', processors.join(), String(pid)], { stdio: 'pipe' });
}
