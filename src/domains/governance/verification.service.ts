import type { TenantQueries } from '../../db/sql.ts';
import { hashOfLink } from '../../events/auditTrail.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { type AuditProblem, auditRules, type ChainHead, createChainCheck, type NotedEntry } from './audit.rules.ts';
import * as store from './audit.store.ts';

/** What a check of a tenant's audit trail found. */
export interface AuditVerification {
  readonly head: ChainHead;
  /** How many entries were checked. */
  readonly entries: number;
  /** The first thing that is wrong; null for a chain that is whole. */
  readonly problem: AuditProblem | null;
}

/** Checks the audit trail of the caller's tenant. @throws ForbiddenError */
export async function verifyOwnAuditTrail(caller: Caller): Promise<AuditVerification> {
  requireInTenant(caller.actor, auditRules.read);
  return verifyAuditTrail(caller.db);
}

/**
 * Checks every entry of a tenant's audit trail against the entry before it, and the last one against the head.
 * @param noted what an earlier check gave as the last entry: the trail has to lead there too.
 */
export async function verifyAuditTrail(db: TenantQueries, noted: NotedEntry | null = null): Promise<AuditVerification> {
  for (;;) {
    const head = await store.readHead(db);
    const { entries, problem } = await checkChain(db, head, noted);
    // A purge in the meantime takes away what was being read: then it has to be read again.
    if (problem && (await store.readHead(db)).cutNumber !== head.cutNumber) continue;
    return { head, entries, problem };
  }
}

const partSize = 1_000;

async function checkChain(
  db: TenantQueries,
  head: ChainHead,
  noted: NotedEntry | null,
): Promise<Pick<AuditVerification, 'entries' | 'problem'>> {
  const check = createChainCheck(head, noted);
  let entries = 0;
  let after = head.cutNumber;
  for (;;) {
    const part = await store.readChain(db, after, head.number, partSize);
    for (const entry of part) {
      const computedHash = hashOfLink(db.tenantId, entry);
      const problem = check.take({ ...entry, computedHash });
      if (problem) return { entries, problem };
      entries++;
      after = entry.number;
    }
    if (part.length < partSize) break;
  }
  const problem = check.end();
  if (problem) return { entries, problem };
  const stray = await store.findStray(db);
  return { entries, problem: stray === null ? null : { number: stray, kind: 'INSERTED' } };
}
