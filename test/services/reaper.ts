import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReaperLine } from './reaping.ts';

// Runs beside a test process, and outlives it by the moment that it takes to clean up. See reaping.ts.
const left = new Map<string, ReaperLine>();
for await (const text of createInterface({ input: process.stdin })) {
  const line: ReaperLine = JSON.parse(text);
  if (line.discarded) left.delete(line.folder);
  else left.set(line.folder, line);
}
await Promise.all(
  [...left.values()].map(async ({ folder, pid, signal = 'SIGKILL' }) => {
    if (pid !== undefined) {
      send(pid, signal);
      for (let waitedMs = 0; send(pid, 0) && waitedMs < 5000; waitedMs += 50) await delay(50);
    }
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  }),
);

function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
