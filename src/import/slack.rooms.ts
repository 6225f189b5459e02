import { maxNameLength, maxTopicLength } from '../domains/rooms/rooms.rules.ts';
import { derivedId } from '../kernel/ids.ts';
import { addProblem, count, type ImportReport, type SkipReason } from './report.ts';
import type { ListedRoom, SlackExport } from './slack.export.ts';
import { type SlackMessage, type SlackRoom, toDate, toMicros } from './slack.format.ts';
import { authorKey, convertMessage, isEmpty } from './slack.messages.ts';
import type { People, Person } from './slack.people.ts';
import type { MemberDraft, MessageDraft, RoomDraft } from './slack.store.ts';
import { clean, convertText, cut } from './slack.text.ts';

/** One room of the export, ready to be written. */
export interface RoomImport {
  readonly draft: RoomDraft;
  readonly members: readonly MemberDraft[];
  /** In the order of Slack's times, oldest first; each once. */
  readonly messages: readonly MessageDraft[];
  /** Replies whose parent is not among the messages: the id that it has if an earlier run brought it, else null. */
  readonly missingParents: ReadonlyMap<string, string | null>;
}

interface Placed {
  readonly micros: bigint;
  readonly message: SlackMessage;
  readonly draft: MessageDraft;
}

/** Reads a room with all its messages, which is what is held in memory at a time. */
export async function readRoom(
  tenantId: string,
  { kind, room }: ListedRoom,
  source: SlackExport,
  people: People,
  report: ImportReport,
  onFile: () => void,
): Promise<RoomImport> {
  const skip = (reason: SkipReason) => count(report.skipped, reason);
  const idOf = (micros: bigint, ts: string, author: string) =>
    derivedId(toDate(micros), `slack:${tenantId}:message:${room.id}:${ts}:${author}`);
  const placed = new Map<string, Placed>();
  const times: RoomTimes = { joined: new Map(), archived: null, last: null };
  const files = source.messages(room, (problem) => {
    if (problem.index !== null) skip('broken');
    addProblem(report, problem);
  });
  for await (const messages of files) {
    onFile();
    for (const message of messages) {
      const micros = toMicros(message.ts);
      if (micros === null || (message.type && message.type !== 'message')) {
        skip('not a message');
        continue;
      }
      const id = idOf(micros, message.ts, authorKey(message));
      if (placed.has(id)) {
        skip('duplicate');
        continue;
      }
      const content = isEmpty(message) ? null : convertMessage(message, people);
      if (!content?.body) {
        skip('empty');
        continue;
      }
      if (content.cut) count(report.remarks, 'bodies cut at the limit');
      if (!content.authorKnown) count(report.remarks, 'messages without an author');
      const { author, kind: messageKind, systemEvent, body, mentionsRoom, mentionedIds } = content;
      const edited = toMicros(message.edited?.ts);
      const createdAt = toDate(micros);
      const editedAt = edited === null ? null : toDate(edited);
      const draft: MessageDraft = {
        ...{ id, kind: messageKind, systemEvent, authorId: author.id, body, replyToId: null },
        ...{ mentionsRoom, mentionedIds, createdAt, editedAt },
      };
      placed.set(id, { micros, message, draft });
      noteTimes(times, draft);
    }
  }
  const ordered = [...placed.values()].sort(byTime);
  return { ...describeRoom(tenantId, kind, room, people, times), ...linkThreads(ordered, idOf) };
}

/** Slack's own order; what has the same time is told apart by its id, so that every run has it the same way. */
function byTime(a: Placed, b: Placed): number {
  if (a.micros !== b.micros) return a.micros < b.micros ? -1 : 1;
  return a.draft.id < b.draft.id ? -1 : 1;
}

function linkThreads(ordered: readonly Placed[], idOf: (micros: bigint, ts: string, author: string) => string) {
  const byMicros = new Map<bigint, string>();
  for (const { micros, draft } of ordered) if (!byMicros.has(micros)) byMicros.set(micros, draft.id);
  const missingParents = new Map<string, string | null>();
  const messages = ordered.map(({ micros, message, draft }): MessageDraft => {
    const { thread_ts: thread, parent_user_id: parentUser } = message;
    if (!thread || thread === message.ts) return draft;
    const parent = toMicros(thread);
    // A reply is written after what it answers; a parent that is newer is none.
    const replyToId = parent !== null && parent < micros ? byMicros.get(parent) : undefined;
    if (replyToId !== undefined) return { ...draft, replyToId };
    missingParents.set(draft.id, parent !== null && parentUser ? idOf(parent, thread, parentUser) : null);
    return draft;
  });
  return { messages, missingParents };
}

interface RoomTimes {
  readonly joined: Map<string, Date>;
  archived: Date | null;
  last: Date | null;
}

function noteTimes(times: RoomTimes, { systemEvent, authorId, createdAt }: MessageDraft): void {
  if (times.last === null || createdAt > times.last) times.last = createdAt;
  if (systemEvent === 'ROOM_ARCHIVED' && (times.archived === null || createdAt > times.archived)) {
    times.archived = createdAt;
  }
  if (systemEvent === 'MEMBER_JOINED') {
    const before = times.joined.get(authorId);
    if (!before || createdAt > before) times.joined.set(authorId, createdAt);
  }
}

/**
 * The room and its members: those that the export lists. Who wrote there and is not listed has left, and does not become
 * a member again.
 */
function describeRoom(
  tenantId: string,
  listedKind: ListedRoom['kind'],
  room: SlackRoom,
  people: People,
  times: RoomTimes,
): Pick<RoomImport, 'draft' | 'members'> {
  const listed = [...new Map((room.members ?? []).map((id) => people.user(id)).map((one) => [one.id, one])).values()];
  // A direct room has two sides: notes to oneself, or a list cut short, are a group of those that are there.
  const kind = listedKind === 'DIRECT' && listed.length !== 2 ? 'GROUP' : listedKind;
  const createdAt = new Date((room.created ?? 0) * 1000);
  const creatorId = kind === 'DIRECT' || !room.creator ? null : people.user(room.creator).id;
  const draft: RoomDraft = {
    id: derivedId(createdAt, `slack:${tenantId}:room:${room.id}`),
    kind,
    name: kind === 'DIRECT' ? null : nameOf(room, listed),
    topic: kind === 'DIRECT' ? null : topicOf(room, people),
    creatorId,
    directKey:
      kind === 'DIRECT'
        ? listed
            .map((member) => member.id)
            .sort()
            .join(':')
        : null,
    createdAt,
    archivedAt: room.is_archived ? (times.archived ?? times.last ?? createdAt) : null,
  };
  const members = listed.map(({ id }) => ({
    actorId: id,
    role: id === creatorId ? ('OWNER' as const) : ('MEMBER' as const),
    joinedAt: times.joined.get(id) ?? createdAt,
  }));
  return { draft, members };
}

/** Direct rooms of several have made-up names (`mpdm-zoe--max-1`): theirs are their members. */
function nameOf(room: SlackRoom, members: readonly Person[]): string {
  const given = room.name && !room.name.startsWith('mpdm-') ? room.name : members.map(({ name }) => name).join(', ');
  const line = (text: string) =>
    clean(text)
      .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim();
  return cut(line(given) || line(room.name ?? '') || line(room.id), maxNameLength);
}

function topicOf(room: SlackRoom, people: People): string | null {
  const text = room.topic?.value?.trim() || room.purpose?.value?.trim() || '';
  const plain = convertText(text, { mention: (id) => `@${people.user(id).name}`, room: () => '@everybody' }).trim();
  return plain === '' ? null : cut(plain, maxTopicLength);
}
