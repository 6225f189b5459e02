import { recordAudit } from '../../events/auditTrail.ts';
import { ownOrigin } from '../../kernel/origin.ts';
import type { JobDeps } from '../job.ts';
import { findHold, findTenantsWithRetention } from './policies.store.ts';
import { purgeQueue } from './purge.rules.ts';
import { findNextRoom, insertPurge } from './purge.store.ts';
import { countSilentRooms, findTenantsFallenSilent, lockSilence, saveSilenceNoted } from './silence.store.ts';

const day = 24 * 60 * 60 * 1000;

type Deps = Pick<JobDeps, 'database' | 'jobs'>;

/**
 * Asks for the purges that retention wants today: for each tenant at most one of each mode, and none where there is
 * nothing to do. A second run on the same day changes nothing.
 * @returns how many were asked for.
 */
export async function startRetention(deps: Deps, now = new Date()): Promise<number> {
  let started = 0;
  for (const tenantId of await findTenantsWithRetention(deps.database)) {
    for (const mode of ['SOFT', 'PERMANENT'] as const) {
      if (await startRun(deps, tenantId, mode, now)) started++;
    }
  }
  return started;
}

async function startRun(
  { database, jobs }: Deps,
  tenantId: string,
  mode: 'SOFT' | 'PERMANENT',
  now: Date,
): Promise<boolean> {
  const db = database.forTenant(tenantId);
  if ((await findHold(db, null)).tenant) return false;
  if (!(await findNextRoom(db, { roomId: null, mode, before: now, retentionAt: now }, null))) return false;
  const addJob = await jobs.ready();
  return db.transaction(async (tx) => {
    const key = `retention:${now.toISOString().slice(0, 10)}:${mode}`;
    const purge = await insertPurge(tx, { key, creatorId: null, roomId: null, mode, before: now });
    if (!purge) return false;
    const by = { actor: null, origin: ownOrigin() };
    const metadata = { retention: true, mode };
    recordAudit(tx, by, { action: 'purge.create', targetType: 'Purge', targetId: purge.id, metadata });
    await addJob(tx, purgeQueue, { tenantId });
    return true;
  });
}

/**
 * Notes, for the admins, how many rooms have fallen silent since that was last noted: in the log and in the audit trail,
 * until there are notifications. `silentRooms` lists them. A second run notes nothing again.
 * @returns how many tenants have some.
 */
export async function noteSilentRooms(deps: SilenceDeps, now = new Date()): Promise<number> {
  let noted = 0;
  for (const tenantId of await findTenantsFallenSilent(deps.database, now, deps.silentRoomDays)) {
    if (await noteTenant(deps, tenantId, now)) noted++;
  }
  return noted;
}

type SilenceDeps = Pick<JobDeps, 'database' | 'log' | 'silentRoomDays'>;

async function noteTenant({ database, log, silentRoomDays }: SilenceDeps, tenantId: string, now: Date) {
  return database.forTenant(tenantId).transaction(async (tx) => {
    const silence = await lockSilence(tx);
    const days = silence.days ?? silentRoomDays;
    const before = new Date(now.getTime() - days * day);
    // None: another process was at it at the same time.
    const rooms = await countSilentRooms(tx, before, silence.notedBefore);
    if (rooms === 0) return false;
    await saveSilenceNoted(tx, before);
    const metadata = { rooms, days };
    const what = { action: 'room.silent', targetType: 'Tenant', targetId: tenantId, metadata } as const;
    recordAudit(tx, { actor: null, origin: ownOrigin() }, what);
    tx.afterCommit(() => log.info({ tenant: tenantId, ...metadata }, 'rooms have fallen silent'));
    return true;
  });
}
