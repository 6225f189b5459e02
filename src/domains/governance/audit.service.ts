import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import { auditActions } from '../../events/auditActions.ts';
import { ValidationError } from '../../kernel/errors.ts';
import { decodeId } from '../../kernel/ids.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import { auditRules, checkTime } from './audit.rules.ts';
import * as store from './audit.store.ts';

export type { AuditEntry } from './audit.store.ts';

/** What to show of the audit trail; what is absent is not asked for. */
export interface AuditFilter {
  /** The public id of the actor. */
  readonly actorId?: string | null | undefined;
  readonly action?: string | null | undefined;
  /** The id of the target as the trail shows it. */
  readonly targetId?: string | null | undefined;
  readonly from?: Date | null | undefined;
  readonly to?: Date | null | undefined;
}

/** The tenant's audit trail, newest first. @throws ForbiddenError, ValidationError */
export async function listAuditLog(
  caller: Caller,
  filter: AuditFilter,
  args: PageArgs,
): Promise<Page<store.AuditEntry>> {
  requireInTenant(caller.actor, auditRules.read);
  const request = parsePage(args, (cursor, field) => BigInt(decodeCursor('audit', ['integer'], cursor, field)[0]));
  return toPage(request, await store.readAuditLog(caller.db, parseFilter(filter), request));
}

function parseFilter({ actorId, action, targetId, from, to }: AuditFilter): store.AuditFilter {
  const actor = actorId == null ? null : decodeId(actorId);
  if (actorId != null && actor?.type !== 'User' && actor?.type !== 'ServiceAccount') {
    throw new ValidationError('filter.actorId', 'expected the id of a User or ServiceAccount');
  }
  if (action != null && !Object.hasOwn(auditActions, action)) {
    throw new ValidationError('filter.action', 'there is no such action');
  }
  if (targetId != null && !/^[\w:-]{1,100}$/.test(targetId)) {
    throw new ValidationError('filter.targetId', 'expected the id of a target');
  }
  if (from) checkTime('filter.from', from);
  if (to) checkTime('filter.to', to);
  return {
    actorId: actor?.uuid ?? null,
    action: action ?? null,
    targetId: targetId == null ? null : (decodeId(targetId)?.uuid ?? targetId),
    from: from ?? null,
    to: to ?? null,
  };
}

export function auditCursor(entry: store.AuditEntry): string {
  return encodeCursor('audit', [entry.number]);
}

/** Entries that one statement deletes. */
const batch = 5_000;

/**
 * Takes entries made before a time out of the audit trail. An entry of its own says who did it and holds the hash and
 * the number at which the chain now begins; without it the database would not let them go.
 * @returns how many went.
 * @throws ForbiddenError, ValidationError
 */
export async function purgeAuditLog(caller: Caller, before: Date): Promise<number> {
  requireInTenant(caller.actor, auditRules.purge);
  const { keepDays } = caller.audit;
  const latest = Date.now() - keepDays * 24 * 60 * 60 * 1000;
  if (before.getTime() > latest) {
    throw new ValidationError('input.before', keepDays > 0 ? `entries are kept for ${keepDays} days` : 'is to come');
  }
  checkTime('input.before', before);
  await caller.db.transaction(async (tx) => {
    const head = await store.lockHead(tx);
    const last = await store.findLastBefore(tx, before);
    if (!head || !last || last.number <= head.cutNumber) return;
    caller.audit.record(tx, {
      action: 'audit.purge',
      targetType: 'AuditLog',
      targetId: null,
      metadata: {
        before: before.toISOString(),
        entries: Number(last.number - head.cutNumber),
        cutNumber: Number(last.number),
        cutHash: last.hash,
      },
    });
    // After the entry, which is written first of what is done before the commit.
    tx.beforeCommit(() => store.moveCut(tx, last.number, last.hash));
  });
  // Also what a purge that was interrupted has left.
  let removed = 0;
  for (;;) {
    const gone = await store.deletePurged(caller.db, batch);
    removed += gone;
    if (gone < batch) return removed;
  }
}
