import { ValidationError } from '../../kernel/errors.ts';

export const auditRules = {
  read: { permission: 'audit:read' },
  purge: { permission: 'audit:purge' },
} as const;

/** What is wrong with a chain, at the first number where anything is. */
export interface AuditProblem {
  readonly number: bigint;
  readonly kind: 'ALTERED' | 'REMOVED' | 'INSERTED';
}

/** What a chain is checked against: its head, as the table of heads has it. */
export interface ChainHead {
  readonly number: bigint;
  readonly hash: string;
  readonly cutNumber: bigint;
  readonly cutHash: string;
}

/** The last entry as somebody noted it earlier, outside the database. */
export interface NotedEntry {
  readonly number: bigint;
  readonly hash: string;
}

/** An entry as stored, with the hash that its fields give now. */
export interface CheckedLink {
  readonly number: bigint;
  readonly action: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly previousHash: string;
  readonly hash: string;
  readonly computedHash: string;
}

/**
 * Follows a chain from its cut to its head, one entry after the other in the order of their numbers.
 * @param noted has to be in the chain, unless it was purged: whoever rewrites a chain to its head is found by it.
 */
export function createChainCheck(head: ChainHead, noted: NotedEntry | null) {
  let number = head.cutNumber;
  let hash = head.cutHash;
  let cutIsExplained = head.cutNumber === 0n;

  return {
    /** Takes the next entry. @returns what is wrong, if anything is; then nothing after it says more. */
    take(link: CheckedLink): AuditProblem | null {
      const expected = number + 1n;
      if (link.number > expected) return { number: expected, kind: 'REMOVED' };
      if (link.hash !== link.computedHash || link.previousHash !== hash) return { number: expected, kind: 'ALTERED' };
      const { cutNumber, cutHash } = link.metadata;
      if (link.action === 'audit.purge' && cutNumber === Number(head.cutNumber) && cutHash === head.cutHash) {
        cutIsExplained = true;
      }
      number = link.number;
      hash = link.hash;
      return number === noted?.number && hash !== noted.hash ? { number, kind: 'ALTERED' } : null;
    },
    /** After the last entry. @returns what is wrong, if anything is. */
    end(): AuditProblem | null {
      if (number < head.number) return { number: number + 1n, kind: 'REMOVED' };
      if (hash !== head.hash) return { number, kind: 'ALTERED' };
      if (noted && noted.number > number) return { number: number + 1n, kind: 'REMOVED' };
      // Entries are gone, and no entry says who purged them.
      return cutIsExplained ? null : { number: head.cutNumber, kind: 'REMOVED' };
    },
  };
}

/** @throws ValidationError naming `field` for a time in a year that PostgreSQL reads in another way than it is written here. */
export function checkTime(field: string, time: Date): void {
  const year = time.getUTCFullYear();
  if (year < 1 || year > 9999) throw new ValidationError(field, 'has to be in a year from 1 to 9999');
}
