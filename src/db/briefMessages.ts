import { shownBody } from './columns.ts';
import type { Message, MessageKind, SystemEvent } from './generated/client.ts';

// A page has fifty messages and one more, most of them plain texts, and PostgreSQL sends what fits into 8 KiB at once. What
// is the same in plain texts stands in one column then: a page of them is so a third shorter.

/** A message of a room that is known. */
export interface BriefMessage extends Pick<Message, 'id' | 'seq' | 'authorId' | 'body' | 'nonce' | 'createdAt'> {
  /** Null in a plain text; otherwise what `wholeMessage` reads. */
  readonly rest: string | null;
}

const milliseconds = (time: string) => `(extract(epoch FROM ${time}) * 1000)::bigint`;

/** The columns that `wholeMessage` reads. */
// As a row `rest` takes PostgreSQL less than half of what JSON does. None of its values is ever quoted.
export const briefMessageColumns = (m: string): string => `
  ${m}.id, ${m}.seq, ${m}.author_id AS "authorId", ${shownBody(m)} AS body, ${m}.nonce, ${m}.created_at AS "createdAt",
  CASE WHEN ${m}.kind = 'TEXT' AND ${m}.system_event IS NULL AND ${m}.reply_to_id IS NULL AND NOT ${m}.mentions_room
      AND ${m}.edited_at IS NULL AND ${m}.deleted_at IS NULL AND ${m}.purge_id IS NULL THEN NULL
    ELSE ROW(${m}.kind, ${m}.system_event, ${m}.reply_to_id, ${m}.mentions_room, ${milliseconds(`${m}.edited_at`)},
      ${milliseconds(`${m}.deleted_at`)}, ${m}.purge_id)::text END AS rest`;

type Rest = Pick<Message, 'kind' | 'systemEvent' | 'replyToId' | 'mentionsRoom' | 'editedAt' | 'deletedAt' | 'purgeId'>;

const ofPlainText: Rest = {
  kind: 'TEXT',
  systemEvent: null,
  replyToId: null,
  mentionsRoom: false,
  editedAt: null,
  deletedAt: null,
  purgeId: null,
};

/** The message with all that a page has left out. */
export function wholeMessage(brief: BriefMessage, tenantId: string, roomId: string): Message {
  const rest = brief.rest === null ? ofPlainText : restOf(brief.rest);
  // All in one expression: put together of other objects, the fifty of a page take several times as long.
  return {
    tenantId,
    roomId,
    id: brief.id,
    seq: brief.seq,
    kind: rest.kind,
    systemEvent: rest.systemEvent,
    authorId: brief.authorId,
    body: brief.body,
    nonce: brief.nonce,
    replyToId: rest.replyToId,
    mentionsRoom: rest.mentionsRoom,
    createdAt: brief.createdAt,
    editedAt: rest.editedAt,
    deletedAt: rest.deletedAt,
    purgeId: rest.purgeId,
  };
}

/** @param text as PostgreSQL writes a row: `(MENTION,,,f,1764148800123,,)`. */
function restOf(text: string): Rest {
  const [kind, systemEvent, replyToId, mentionsRoom, editedAt, deletedAt, purgeId] = text.slice(1, -1).split(',');
  // Labels of a newer version are passed on, as from columns of their own: GraphQL refuses them where they are asked for.
  return {
    kind: kind as MessageKind,
    systemEvent: systemEvent ? (systemEvent as SystemEvent) : null,
    replyToId: replyToId || null,
    mentionsRoom: mentionsRoom === 't',
    editedAt: editedAt ? new Date(Number(editedAt)) : null,
    deletedAt: deletedAt ? new Date(Number(deletedAt)) : null,
    purgeId: purgeId || null,
  };
}
