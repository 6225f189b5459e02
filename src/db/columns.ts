const columnsInRoom = {
  id: 'id',
  seq: 'seq',
  kind: 'kind',
  systemEvent: 'system_event',
  authorId: 'author_id',
  body: 'body',
  nonce: 'nonce',
  replyToId: 'reply_to_id',
  mentionsRoom: 'mentions_room',
  createdAt: 'created_at',
  editedAt: 'edited_at',
  deletedAt: 'deleted_at',
  purgeId: 'purge_id',
} as const;

/** The body of a deleted message stays in the database. */
export const shownBody = (m: string): string => `CASE WHEN ${m}.deleted_at IS NULL THEN ${m}.body ELSE '' END`;

/**
 * What a message is besides its tenant and room, under the names of Prisma's model.
 * @param prefix before each name, where there are other columns beside them.
 */
export function messageColumnsInRoom(m: string, prefix = ''): string {
  const shown = (column: string) => (column === 'body' ? shownBody(m) : `${m}.${column}`);
  return Object.entries(columnsInRoom)
    .map(([name, column]) => `${shown(column)} AS "${prefix}${name}"`)
    .join(', ');
}

/** The columns of a message under their names in Prisma's model. */
export const messageColumns = (m: string): string => `
  ${m}.tenant_id AS "tenantId", ${m}.room_id AS "roomId", ${messageColumnsInRoom(m)}`;
