import type { TenantTransaction } from '../../db/sql.ts';
import { recordAudit } from '../../events/auditTrail.ts';
import type { Bus } from '../../events/bus.ts';
import type { RoomLog } from '../../events/roomLog.ts';
import { ownOrigin } from '../../kernel/origin.ts';
import type { JobDeps } from '../job.ts';
import * as erasing from './erasing.store.ts';
import * as policies from './policies.store.ts';
import { isUnfinished } from './purge.rules.ts';
import * as store from './purge.store.ts';

// A purge gets on by batches, each a short transaction that holds the room's lock and stores how far the purge is: it can
// be left at any time, and goes on where it was, in any process. Two processes at the same purge take turns by its lock.
// The purges of a tenant run one after another, so that none goes through what another is in the middle of.

/**
 * Messages looked at in one transaction. The room's lock is held for some 20 ms: a send that comes just then is not
 * noticeably later.
 */
const batchSize = 500;
/** Errors in a row after which a purge is given up. */
const maxFailures = 20;

/** Before every message. */
const start: erasing.Place = { createdAt: new Date('0001-01-01T00:00:00Z'), seq: -1n };

/** The transaction in which something is done, and the log in which it is told. */
interface Writing {
  readonly roomLog: RoomLog;
  readonly tx: TenantTransaction;
}

type Batch = Writing & { readonly size: number };

type Deps = Pick<JobDeps, 'database' | 'bus' | 'roomLog' | 'log'>;

/** The bus channel on which a purge is said to have got on. */
export function purgeChannel(tenantId: string, purgeId: string): string {
  return `purge:${tenantId}:${purgeId}`;
}

/** Says, once the transaction is committed, that a purge got on. */
export function announcePurge(bus: Bus, tx: TenantTransaction, purgeId: string): void {
  tx.afterCommit(() => bus.publish(purgeChannel(tx.tenantId, purgeId), ''));
}

/** What a purge means, for the statements that find it. */
function scopeOf(purge: store.Purge): store.Scope {
  const { roomId, mode, before, creatorId, createdAt } = purge;
  return { roomId, mode, before, retentionAt: creatorId === null ? createdAt : null };
}

/**
 * One batch of the tenant's purge whose turn it is.
 * @param size how many messages to look at.
 * @returns false when there is none.
 */
export async function purgeBatch(deps: Deps, tenantId: string, size = batchSize): Promise<boolean> {
  const db = deps.database.forTenant(tenantId);
  const current = await store.findCurrentPurge(db);
  if (!current) return false;
  try {
    if (current.status === 'QUEUED') await estimate(deps, current);
    await db.transaction(async (tx) => {
      await policies.keepHolds(tx);
      const purge = await store.lockPurge(tx, current.id);
      if (!purge || !isUnfinished(purge.status)) return;
      const started = { ...purge, status: purge.status === 'QUEUED' ? ('RUNNING' as const) : purge.status };
      const next = await advance(
        { roomLog: deps.roomLog, tx, size },
        {
          ...started,
          startedAt: purge.startedAt ?? new Date(),
          failures: 0,
        },
      );
      await store.savePurge(tx, next);
      announcePurge(deps.bus, tx, purge.id);
    });
  } catch (error) {
    deps.log.warn({ err: error, purge: current.id }, 'a batch of a purge failed');
    await countFailure(deps, current);
    throw error;
  }
  return true;
}

/**
 * Counts what there is to do, for the progress to be seen: a purge works without it. The database's time for a statement
 * bounds it; a longer one would keep the purge, and those that wait for it, from beginning.
 */
async function estimate({ database, log }: Deps, purge: store.Purge): Promise<void> {
  const db = database.forTenant(purge.tenantId);
  try {
    const { messages } = await store.countMessages(db, scopeOf(purge));
    await store.setEstimate(db, purge.id, messages);
  } catch (error) {
    log.warn({ err: error, purge: purge.id }, 'what there is to purge could not be counted');
  }
}

async function countFailure({ database, roomLog, bus }: Deps, { tenantId, id }: store.Purge): Promise<void> {
  await database.forTenant(tenantId).transaction(async (tx) => {
    const purge = await store.lockPurge(tx, id);
    if (!purge || !isUnfinished(purge.status)) return;
    const counted = { ...purge, failures: purge.failures + 1 };
    const givenUp = counted.failures >= maxFailures;
    await store.savePurge(tx, givenUp ? await finishPurge({ roomLog, tx }, counted, 'FAILED', 'ERROR') : counted);
    announcePurge(bus, tx, id);
  });
}

async function advance(batch: Batch, purge: store.Purge): Promise<store.Purge> {
  const { tx } = batch;
  const undoing = purge.status === 'UNDOING';
  const hold = undoing ? null : await policies.findHold(tx, purge.roomId);
  if (hold?.tenant || hold?.room) return finishPurge(batch, purge, 'FAILED', 'LEGAL_HOLD');
  if (undoing && purge.restored >= purge.rows) return finishPurge(batch, purge, 'UNDONE', null);
  if (purge.atRoomId === null || purge.atCreatedAt === null || purge.atSeq === null) {
    const room = await store.findNextRoom(tx, movingScope(purge), purge.atRoomId);
    if (!room) return finishPurge(batch, purge, undoing ? 'UNDONE' : 'DONE', null);
    return inRoom(batch, { ...purge, atRoomId: room.roomId, atRows: 0n }, room, start);
  }
  const before = await store.findCutoff(tx, movingScope(purge), purge.atRoomId);
  // Held, or kept longer, since the last batch.
  if (!before) return leaveRoom(batch, purge, null);
  const room = { roomId: purge.atRoomId, before };
  return inRoom(batch, purge, room, { createdAt: purge.atCreatedAt, seq: purge.atSeq });
}

/** Bringing back goes through the same rooms; a hold does not stand in its way. */
function movingScope(purge: store.Purge): store.Scope {
  const scope = scopeOf(purge);
  return purge.status === 'UNDOING' ? { ...scope, retentionAt: null, heldToo: true } : scope;
}

async function inRoom(
  batch: Batch,
  purge: store.Purge,
  room: { readonly roomId: string; readonly before: Date },
  after: erasing.Place,
): Promise<store.Purge> {
  const { tx, size } = batch;
  await store.lockRoom(tx, room.roomId);
  const candidates = await erasing.readCandidates(tx, room.roomId, after, room.before, size);
  const last = candidates.at(-1) ?? after;
  const done = await apply(batch, purge, room.roomId, candidates);
  // A thread longer than a batch: its replies were let go first.
  if (done === null) return { ...purge, atCreatedAt: after.createdAt, atSeq: after.seq };
  const undoing = purge.status === 'UNDOING';
  const next = {
    ...purge,
    rows: purge.rows + (undoing ? 0n : done),
    restored: purge.restored + (undoing ? done : 0n),
    atRows: purge.atRows + done,
    atCreatedAt: last.createdAt,
    atSeq: last.seq,
  };
  return candidates.length < size ? leaveRoom(batch, next, room.before) : next;
}

/** @returns how many messages it changed; null when they were not got ready yet. */
async function apply(
  { tx, size }: Batch,
  purge: store.Purge,
  roomId: string,
  candidates: readonly erasing.Candidate[],
): Promise<bigint | null> {
  const chosen = candidates.filter((message) => {
    if (purge.status === 'UNDOING') return message.purgeId === purge.id;
    return purge.mode === 'PERMANENT' || !message.deleted;
  });
  if (chosen.length === 0) return 0n;
  if (purge.status === 'UNDOING') {
    await erasing.restoreMessages(tx, roomId, chosen);
  } else {
    if (purge.mode === 'SOFT') await erasing.hideMessages(tx, roomId, purge.id, chosen);
    else if (!(await erasing.removeMessages(tx, roomId, chosen, size))) return null;
    await erasing.settlePreview(tx, roomId, chosen);
  }
  return BigInt(chosen.length);
}

/**
 * Tells the room's subscribers, in its log, what became of it. Once for a room and not once for a batch: a client has
 * one thing to do, and the log does not grow by what is taken out of the room.
 * @param through everything before it is done; null when the room is left on the way.
 */
async function leaveRoom({ roomLog, tx }: Writing, purge: store.Purge, through: Date | null): Promise<store.Purge> {
  if (purge.atRoomId !== null && purge.atRows > 0n) {
    const actorId = purge.creatorId;
    const before = through ?? purge.before;
    if (purge.status === 'UNDOING') {
      await roomLog.addChange(tx, purge.atRoomId, { kind: 'MESSAGES_RESTORED', actorId, before });
    } else {
      const { mode } = purge;
      const complete = through !== null;
      await roomLog.addChange(tx, purge.atRoomId, { kind: 'MESSAGES_PURGED', actorId, before, mode, complete });
    }
  }
  return { ...purge, atCreatedAt: null, atSeq: null, atRows: 0n };
}

/** Ends a purge wherever it is. The caller holds its lock, and writes what is returned. */
export async function finishPurge(
  writing: Writing,
  purge: store.Purge,
  status: 'DONE' | 'UNDONE' | 'CANCELLED' | 'FAILED',
  failure: 'LEGAL_HOLD' | 'ERROR' | null,
): Promise<store.Purge> {
  const left = await leaveRoom(writing, purge, null);
  recordAudit(
    writing.tx,
    { actor: null, origin: ownOrigin() },
    {
      action: 'purge.finish',
      targetType: 'Purge',
      targetId: purge.id,
      metadata: { status, failure, rows: Number(purge.rows), restored: Number(purge.restored) },
    },
  );
  return { ...left, status, failure, finishedAt: new Date() };
}
