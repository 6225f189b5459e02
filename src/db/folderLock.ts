import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** The data folder cannot be written, or another process has it: two would destroy the database in it. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}

/**
 * Makes this process the only one that uses a data folder. A lock that a dead process left behind is taken over.
 * @returns what releases it.
 * @throws DataFolderError
 */
export function lockFolder(folder: string): () => void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    throw unusable(folder, error);
  }
  const file = path.join(folder, 'prosa.pid');
  for (let attempt = 1; ; attempt++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw unusable(folder, error);
      const holder = holderOf(file);
      if (holder !== null || attempt > 3) {
        throw new DataFolderError(`the data folder ${folder} is in use by process ${holder}`);
      }
      rmSync(file, { force: true });
    }
  }
}

function unusable(folder: string, error: unknown): DataFolderError {
  const reason = error instanceof Error && 'code' in error ? error.code : error;
  return new DataFolderError(`DATA_DIR: the folder ${folder} cannot be used: ${reason}`);
}

/** The living process that holds the lock, or null. */
function holderOf(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    // The same number as ours: a container starts every process over at the same ones, and this is what is left of the last.
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return null;
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return isCode(error, 'EPERM') ? -1 : null;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
