import { readFileSync, writeFileSync } from 'node:fs';

const setting = '/proc/sys/vm/nr_hugepages';

/**
 * Has Linux set memory aside in pages of 2 MiB, as PostgreSQL's manual tells operators to: it takes them where there are
 * enough of them when it starts.
 * @returns what gives them back; null where there is no right to that, or too little memory.
 */
export function reserveHugePages(bytes: number): (() => void) | null {
  try {
    const before = Number(readFileSync(setting, 'utf8'));
    const wanted = before + Math.ceil(bytes / (2 * 1024 * 1024));
    const giveBack = () => writeFileSync(setting, String(before));
    writeFileSync(setting, String(wanted));
    if (Number(readFileSync(setting, 'utf8')) === wanted) return giveBack;
    giveBack();
  } catch {
    // Then without.
  }
  return null;
}
