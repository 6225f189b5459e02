import type { Database } from '../db/database.ts';
import type { TenantTransaction } from '../db/sql.ts';
import { openTenant } from '../domains/identity/identity.service.ts';
import { type AuditMetadata, recordAudit } from '../events/auditTrail.ts';
import { type Origin, ownOrigin } from '../kernel/origin.ts';
import { addProblem, count, emptyReport, type ImportReport } from './report.ts';
import type { ListedRoom, SlackExport } from './slack.export.ts';
import { loadPeople } from './slack.people.ts';
import { type RoomImport, readRoom } from './slack.rooms.ts';
import * as store from './slack.store.ts';

export interface ImportOptions {
  readonly source: SlackExport;
  /** `tenants.key`; the tenant is made where it does not exist. */
  readonly tenant: string;
  /** Everything counts as read by everybody. Absent: a member has read what he wrote himself. */
  readonly markRead?: boolean;
  /** Called whenever files of the export are done. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/**
 * Messages that one transaction adds. It holds the room's lock meanwhile, so a live room waits for no more than these.
 */
const batchSize = 1_000;

/**
 * Loads a Slack export into a tenant. Rows have ids made from Slack's: a second run, or one after a run that was killed,
 * adds what is missing and changes nothing that is there, however it was changed since. Messages that come to a room that
 * exists are added at its end, as its log demands, with their own times.
 * @throws whatever the database throws; what was committed by then stays, and the next run goes on from there.
 */
export async function importSlackExport(database: Database, options: ImportOptions): Promise<ImportReport> {
  const { source, onProgress } = options;
  const started = performance.now();
  const { id: tenantId } = await openTenant(database, options.tenant);
  const report = emptyReport(tenantId);
  const origin = ownOrigin();
  await audit(database, tenantId, origin, 'import.start', { from: 'slack', files: source.fileCount });
  for (const problem of source.userProblems) addProblem(report, problem);
  const people = await loadPeople(database, tenantId, source.users, report);
  await people.save();
  const rooms = uniqueRooms(await source.rooms((problem) => addProblem(report, problem)), report);
  let done = 0;
  // While a room is written the next one is read: two rooms are in memory, and neither this process nor the database waits.
  let writing = Promise.resolve();
  try {
    for (const listed of rooms) {
      let files = 0;
      const room = await readRoom(tenantId, listed, source, people, report, () => {
        files++;
      });
      await writing;
      await people.save();
      writing = writeRoom(database, room, report, options.markRead ?? false).then(() => {
        done += files;
        onProgress?.({ done, total: source.fileCount });
      });
      // It is awaited before the next one; until then a failure of it is no unhandled one.
      writing.catch(() => undefined);
    }
  } finally {
    await writing;
  }
  for (const file of source.strayFolders(rooms.map(({ room }) => room))) {
    addProblem(report, { file, index: null, reason: 'is the folder of no room that is listed' });
  }
  const { actors, messages } = report;
  const added = { users: actors.added, rooms: report.rooms.added, messages: messages.added };
  await audit(database, tenantId, origin, 'import.finish', { from: 'slack', ...added });
  report.seconds = (performance.now() - started) / 1000;
  return report;
}

/** An import is nobody's in the tenant: whoever runs it has the database. */
async function audit(
  database: Database,
  tenantId: string,
  origin: Origin,
  action: 'import.start' | 'import.finish',
  metadata: AuditMetadata,
): Promise<void> {
  await database.forTenant(tenantId).transaction(async (tx) => {
    recordAudit(tx, { actor: null, origin }, { action, targetType: 'Tenant', targetId: null, metadata });
  });
}

function uniqueRooms(rooms: readonly ListedRoom[], report: ImportReport): ListedRoom[] {
  const byId = new Map<string, ListedRoom>();
  for (const listed of rooms) {
    if (byId.has(listed.room.id)) count(report.remarks, 'rooms given twice');
    else byId.set(listed.room.id, listed);
  }
  return [...byId.values()];
}

async function writeRoom(database: Database, room: RoomImport, report: ImportReport, markRead: boolean): Promise<void> {
  const db = database.forTenant(report.tenantId);
  const existing = await store.findRoom(db, room.draft);
  let roomId = existing ?? room.draft.id;
  const there = existing === null ? new Set<string>() : await findAlready(db, roomId, room.messages);
  const missing = room.messages.filter((message) => !there.has(message.id));
  if (existing !== null && missing.length === 0) {
    report.rooms.existing++;
    report.members.existing += room.members.length;
    report.messages.existing += room.messages.length;
    return;
  }
  report.messages.existing += there.size;
  // The room and its members appear with the first messages: what is killed in between has not begun.
  for (let start = 0; start === 0 || start < missing.length; start += batchSize) {
    const batch = missing.slice(start, start + batchSize);
    const outcome = await db.transaction(async (tx) => {
      const placed = await placeRoom(tx, room);
      const written = await writeMessages(tx, placed.id, batch, room.missingParents);
      if (markRead && (placed.created || written.added > 0)) await store.markRead(tx, placed.id);
      return { ...placed, ...written };
    });
    roomId = outcome.id;
    if (start === 0) {
      report.rooms[outcome.created ? 'added' : 'existing']++;
      report.members[outcome.created ? 'added' : 'existing'] += room.members.length;
    }
    report.messages.added += outcome.added;
    report.messages.existing += batch.length - outcome.added;
    count(report.remarks, 'replies to a message that is not in the export', outcome.orphans);
  }
}

async function findAlready(
  db: Parameters<typeof store.findMessagesAmong>[0],
  roomId: string,
  messages: readonly store.MessageDraft[],
): Promise<Set<string>> {
  const found = new Set<string>();
  for (let start = 0; start < messages.length; start += batchSize) {
    const ids = messages.slice(start, start + batchSize).map((message) => message.id);
    for (const id of await store.findMessagesAmong(db, roomId, ids)) found.add(id);
  }
  return found;
}

/** The room under its lock, made with its members where it does not exist. */
async function placeRoom(tx: TenantTransaction, room: RoomImport): Promise<{ id: string; created: boolean }> {
  const { draft, members } = room;
  const existing = await store.findRoom(tx, draft);
  if (existing === null && (await store.insertRoom(tx, draft))) {
    await store.insertMembers(tx, draft.id, members);
    return { id: draft.id, created: true };
  }
  // Somebody opened the same direct room in the meantime; the insert waited for that commit.
  const id = existing ?? (await store.findRoom(tx, draft));
  if (id === null || !(await store.lockRoom(tx, id))) throw new Error('a room is neither new nor there');
  return { id, created: false };
}

/** Adds those messages of the batch that are not in the room; under its lock, so another import cannot add them too. */
async function writeMessages(
  tx: TenantTransaction,
  roomId: string,
  batch: readonly store.MessageDraft[],
  missingParents: RoomImport['missingParents'],
): Promise<{ added: number; orphans: number }> {
  const parents = batch.flatMap(({ id }) => missingParents.get(id) ?? []);
  const there = await store.findMessagesAmong(tx, roomId, [...batch.map(({ id }) => id), ...parents]);
  const missing = batch.filter(({ id }) => !there.has(id));
  let orphans = 0;
  const messages = missing.map((message) => {
    const parent = missingParents.get(message.id);
    if (parent === undefined) return message;
    // An earlier export may have brought it.
    if (parent !== null && there.has(parent)) return { ...message, replyToId: parent };
    orphans++;
    return message;
  });
  if (messages.length > 0) await store.insertMessages(tx, roomId, messages);
  return { added: messages.length, orphans };
}
