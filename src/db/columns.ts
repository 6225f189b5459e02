/** What a message is besides its tenant and room, under the names of Prisma's model; the body of a deleted one stays in the database. */
export const messageColumnsInRoom = (m: string): string => `
  ${m}.id, ${m}.seq, ${m}.kind, ${m}.system_event AS "systemEvent", ${m}.author_id AS "authorId",
  CASE WHEN ${m}.deleted_at IS NULL THEN ${m}.body ELSE '' END AS body, ${m}.nonce, ${m}.reply_to_id AS "replyToId",
  ${m}.mentions_room AS "mentionsRoom", ${m}.created_at AS "createdAt", ${m}.edited_at AS "editedAt",
  ${m}.deleted_at AS "deletedAt", ${m}.purge_id AS "purgeId"`;

/** The columns of a message under their names in Prisma's model. */
export const messageColumns = (m: string): string => `
  ${m}.tenant_id AS "tenantId", ${m}.room_id AS "roomId", ${messageColumnsInRoom(m)}`;
