import { setTimeout as delay } from 'node:timers/promises';
import { decodeCursor, encodeCursor } from '../../db/cursors.ts';
import { type Page, type PageArgs, parsePage, toPage } from '../../db/pages.ts';
import { endingWith } from '../../events/iterators.ts';
import { createQueue } from '../../events/queue.ts';
import { LegalHoldError, NotFoundError, PurgeStateError } from '../../kernel/errors.ts';
import { encodeId } from '../../kernel/ids.ts';
import { canInTenant } from '../../policy/can.ts';
import { requireInTenant } from '../../policy/require.ts';
import type { Caller } from '../caller.ts';
import * as policies from './policies.store.ts';
import { checkCutoff, isUnfinished, parsePurgeNonce, purgeQueue, purgeRules, undoableUntil } from './purge.rules.ts';
import * as store from './purge.store.ts';
import { announcePurge, finishPurge, purgeChannel } from './purging.service.ts';

export type { Purge } from './purge.store.ts';

/** What is to be purged. */
export interface PurgeInput {
  readonly before: Date;
  /** Null for all rooms of the tenant, also those that the caller is not in. */
  readonly roomId: string | null;
  readonly mode: 'SOFT' | 'PERMANENT';
}

/** What a purge would take away. */
export interface PurgePreview {
  readonly messages: bigint;
  readonly rooms: bigint;
  /** Rooms left out because they are under a legal hold. */
  readonly heldRooms: bigint;
}

/**
 * Counts what a purge would take away.
 * @throws ForbiddenError, ValidationError (a cutoff in the future), NotFoundError, LegalHoldError
 */
export async function previewPurge(caller: Caller, input: PurgeInput): Promise<PurgePreview> {
  await checkInput(caller, input);
  const counted = await store.countMessages(caller.db, { ...input, retentionAt: null });
  return { ...counted, heldRooms: input.roomId === null ? await store.countHeldRooms(caller.db) : 0n };
}

/**
 * Asks for a purge; a worker does it. The same nonce a second time gives the first purge.
 * @throws ForbiddenError, ValidationError (a cutoff in the future), NotFoundError, LegalHoldError
 */
export async function purgeMessages(
  caller: Caller,
  input: PurgeInput & { readonly nonce: string | undefined },
): Promise<store.Purge> {
  requireInTenant(caller.actor, purgeRules.purge);
  const nonce = input.nonce === undefined ? null : parsePurgeNonce(input.nonce);
  const key = nonce === null ? null : `${caller.actor.id}:${nonce}`;
  const first = key === null ? null : await store.findPurgeByKey(caller.db, key);
  if (first) return first;
  await checkInput(caller, input);
  const addJob = await caller.jobs.ready();
  const { before, roomId, mode } = input;
  const purge = await caller.db.transaction(async (tx) => {
    await policies.keepHolds(tx);
    await requireNoHold(tx, roomId);
    const inserted = await store.insertPurge(tx, { key, creatorId: caller.actor.id, roomId, mode, before });
    if (!inserted) return null;
    caller.audit.record(tx, {
      action: 'purge.create',
      targetType: 'Purge',
      targetId: inserted.id,
      metadata: { before: before.toISOString(), mode, room: roomId && encodeId('Room', roomId) },
    });
    await addJob(tx, purgeQueue, { tenantId: tx.tenantId });
    return inserted;
  });
  // Null: the same nonce at the same time.
  const found = purge ?? (key === null ? null : await store.findPurgeByKey(caller.db, key));
  if (!found) throw new Error('a purge was neither added nor found');
  return found;
}

async function checkInput(caller: Caller, { before, roomId }: PurgeInput): Promise<void> {
  requireInTenant(caller.actor, purgeRules.purge);
  checkCutoff(before, new Date());
  if (roomId !== null && !(await store.existsRoom(caller.db, roomId))) throw new NotFoundError('room', 'input.roomId');
  await requireNoHold(caller.db, roomId);
}

/** @throws LegalHoldError */
async function requireNoHold(db: Parameters<typeof policies.findHold>[0], roomId: string | null): Promise<void> {
  const hold = await policies.findHold(db, roomId);
  if (hold.tenant) throw new LegalHoldError('TENANT');
  if (hold.room) throw new LegalHoldError('ROOM');
}

/**
 * Stops a purge where it is: what is gone stays gone. Stopping a stopped one changes nothing.
 * @throws ForbiddenError, NotFoundError, PurgeStateError (it has ended otherwise, or is being undone)
 */
export async function cancelPurge(caller: Caller, id: string): Promise<store.Purge> {
  requireInTenant(caller.actor, purgeRules.purge);
  return changePurge(caller, id, async (tx, purge) => {
    if (purge.status === 'CANCELLED') return purge;
    if (purge.status !== 'QUEUED' && purge.status !== 'RUNNING') {
      throw new PurgeStateError(`the purge is ${purge.status}: there is nothing to cancel`);
    }
    caller.audit.record(tx, { action: 'purge.cancel', targetType: 'Purge', targetId: id, metadata: {} });
    return finishPurge({ roomLog: caller.roomLog, tx }, purge, 'CANCELLED', null);
  });
}

/**
 * Brings back what a SOFT purge hid, and nothing else; a worker does it.
 * @throws ForbiddenError, NotFoundError, PurgeStateError (a PERMANENT one, one under way, or too long ago)
 */
export async function undoPurge(caller: Caller, id: string): Promise<store.Purge> {
  requireInTenant(caller.actor, purgeRules.purge);
  const addJob = await caller.jobs.ready();
  return changePurge(caller, id, async (tx, purge) => {
    if (purge.status === 'UNDOING' || purge.status === 'UNDONE') return purge;
    if (purge.mode === 'PERMANENT') throw new PurgeStateError('nothing is left of what a PERMANENT purge removed');
    const until = undoableUntil(purge);
    if (!until) throw new PurgeStateError('the purge is under way: cancel it first');
    if (until < new Date()) throw new PurgeStateError(`a purge can be undone until ${until.toISOString()}`);
    caller.audit.record(tx, { action: 'purge.undo', targetType: 'Purge', targetId: id, metadata: {} });
    await addJob(tx, purgeQueue, { tenantId: tx.tenantId });
    const place = { atRoomId: null, atCreatedAt: null, atSeq: null, atRows: 0n };
    // After those that are waiting: one purge must not go through what another is in the middle of.
    return { ...purge, ...place, status: 'UNDOING', failure: null, queuedAt: new Date(), finishedAt: null };
  });
}

async function changePurge(
  caller: Caller,
  id: string,
  change: (tx: Parameters<typeof store.savePurge>[0], purge: store.Purge) => Promise<store.Purge>,
): Promise<store.Purge> {
  return caller.db.transaction(async (tx) => {
    const purge = await store.lockPurge(tx, id);
    if (!purge) throw new NotFoundError('purge', 'input.id');
    const changed = await change(tx, purge);
    if (changed !== purge) {
      await store.savePurge(tx, changed);
      announcePurge(caller.bus, tx, id);
    }
    return changed;
  });
}

/** The purges with these ids in their order; null for one that does not exist, or for a caller who may not purge. */
export async function loadPurges(caller: Caller, ids: readonly string[]): Promise<(store.Purge | null)[]> {
  if (!canInTenant(caller.actor, purgeRules.purge.permission)) return ids.map(() => null);
  const byId = new Map((await store.findPurges(caller.db, ids)).map((purge) => [purge.id, purge]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** The tenant's purges, the newest first. @throws ForbiddenError, ValidationError */
export async function listPurges(caller: Caller, args: PageArgs): Promise<Page<store.Purge>> {
  requireInTenant(caller.actor, purgeRules.purge);
  const request = parsePage(args, (cursor, field) => {
    const [time, id] = decodeCursor('purges', ['time', 'uuid'], cursor, field);
    return { createdAt: new Date(Number(time)), id };
  });
  return toPage(request, await store.readPurges(caller.db, request));
}

export function purgeCursor(purge: store.Purge): string {
  return encodeCursor('purges', [purge.createdAt.getTime(), purge.id]);
}

/** At most so often is a purge shown that gets on: a bar that moves, and no flood. Milliseconds. */
const showEvery = 200;
/** How often it is looked up though nothing was heard of it: a hint may get lost. Milliseconds. */
const lookEvery = 2_000;

/**
 * A purge as it is, and then whenever it has got on, until it has ended.
 * @throws ForbiddenError, NotFoundError
 */
export async function watchPurge(caller: Caller, id: string): Promise<AsyncIterableIterator<store.Purge>> {
  requireInTenant(caller.actor, purgeRules.purge);
  const [found] = await store.findPurges(caller.db, [id]);
  if (!found) throw new NotFoundError('purge', 'id');
  let stop: () => void = () => undefined;
  // One hint is as good as many: what it says is read anew.
  const hints = createQueue<'changed'>(1, () => stop());
  const timer = setInterval(() => hints.push('changed'), lookEvery);
  stop = () => clearInterval(timer);

  async function* states(): AsyncGenerator<store.Purge, void> {
    try {
      // Heard from before it is looked at: what happens in between is not missed.
      const unsubscribe = await caller.bus.subscribe(purgeChannel(caller.db.tenantId, id), () => hints.push('changed'));
      stop = () => {
        clearInterval(timer);
        unsubscribe();
      };
      let shown = '';
      for (;;) {
        const [purge] = await store.findPurges(caller.db, [id]);
        if (!purge) return;
        const state = `${purge.status} ${purge.estimate} ${purge.rows} ${purge.restored}`;
        if (state !== shown) yield purge;
        shown = state;
        if (!isUnfinished(purge.status)) return;
        await delay(showEvery);
        if ((await hints.next()).done) return;
      }
    } finally {
      hints.end(true);
      stop();
    }
  }
  return endingWith(states(), () => hints.end(true));
}
