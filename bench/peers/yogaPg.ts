import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSchema, createYoga } from 'graphql-yoga';
import { jwtVerify } from 'jose';
import pg from 'pg';

// What a good engineer writes in a day with graphql-yoga and pg: one prepared statement of plain rows for each field,
// which also asks whether the viewer is a member, and tokens that are verified once.

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
const secret = new TextEncoder().encode(process.env.SECRET);
const viewers = new Map<string, Promise<string>>();

async function viewerOf(authorization: string | null): Promise<string> {
  const token = authorization?.replace('Bearer ', '') ?? '';
  const known = viewers.get(token) ?? verified(token);
  viewers.set(token, known);
  return known;
}

async function verified(token: string): Promise<string> {
  const { payload } = await jwtVerify(token, secret);
  const { rows } = await pool.query('SELECT id FROM actors WHERE subject = $1', [payload.sub]);
  return rows[0].id;
}

const run = async (name: string, text: string, values: unknown[]) => (await pool.query({ name, text, values })).rows;

const author = `a.id AS "authorId", a.name AS "authorName", a.picture_url AS "authorPicture"`;
const pageSql = `
  SELECT m.id, m.seq, m.body, m.created_at AS "createdAt", ${author}
  FROM messages m JOIN actors a ON a.tenant_id = m.tenant_id AND a.id = m.author_id
  WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.seq < $3 AND m.deleted_at IS NULL
    AND EXISTS (SELECT FROM members WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $4)
  ORDER BY m.seq DESC LIMIT 50`;
const roomsSql = `
  SELECT r.*, m.id AS "messageId", m.body, m.created_at AS "createdAt", ${author}
  FROM (
    SELECT r.id, name, last_activity_at AS "lastActivityAt", message_count - read_count AS "unreadCount", last_message_seq
    FROM members mine JOIN rooms r ON r.tenant_id = $1 AND r.id = mine.room_id
    WHERE mine.tenant_id = $1 AND mine.actor_id = $2 ORDER BY r.last_activity_at DESC, r.id DESC LIMIT 50
  ) AS r
  LEFT JOIN messages m ON m.tenant_id = $1 AND m.room_id = r.id AND m.seq = r.last_message_seq
  LEFT JOIN actors a ON a.tenant_id = $1 AND a.id = m.author_id
  ORDER BY "lastActivityAt" DESC, r.id DESC`;
const sendSql = `
  WITH room AS (
    UPDATE rooms SET version = version + 1, message_count = message_count + 1, last_message_seq = version + 1,
      last_activity_at = now()
    WHERE tenant_id = $1 AND id = $2
      AND EXISTS (SELECT FROM members WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $3) RETURNING version
  )
  INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, nonce)
  SELECT $1, gen_random_uuid(), $2, version, 'TEXT', $3, $4, $5 FROM room RETURNING id, seq, created_at AS "createdAt"`;

type Context = Readonly<Record<'viewer', string>>;
type Row = Readonly<Record<string, unknown>>;
const withAuthor = ({ authorId, authorName, authorPicture, ...row }: Row) => ({
  ...row,
  author: { id: authorId, name: authorName, pictureUrl: authorPicture },
});
const tenant = process.env.TENANT_ID;

const schema = createSchema<Context>({
  typeDefs: `
    type Actor { id: ID! name: String! pictureUrl: String }
    type Message { id: ID! seq: Int! body: String! createdAt: String! author: Actor! }
    type Room { id: ID! name: String unreadCount: Int! lastActivityAt: String! lastMessage: Message }
    type Sent { id: ID! seq: Int! createdAt: String! }
    type Query { messages(roomId: ID!, before: Int!): [Message!]! rooms: [Room!]! }
    type Mutation { send(roomId: ID!, body: String!, nonce: String!): Sent! }`,
  resolvers: {
    Message: { createdAt: ({ createdAt }: { createdAt: Date }) => createdAt.toISOString() },
    Room: { lastActivityAt: ({ lastActivityAt }: { lastActivityAt: Date }) => lastActivityAt.toISOString() },
    Sent: { createdAt: ({ createdAt }: { createdAt: Date }) => createdAt.toISOString() },
    Query: {
      messages: async (_, { roomId, before }, { viewer }) =>
        (await run('page', pageSql, [tenant, roomId, before, viewer])).map(withAuthor).reverse(),
      rooms: async (_, __, { viewer }) =>
        (await run('rooms', roomsSql, [tenant, viewer])).map(({ messageId, body, createdAt, ...room }) => {
          const message = withAuthor({ ...room, id: messageId, body, createdAt });
          return { ...room, lastMessage: messageId === null ? null : message };
        }),
    },
    Mutation: {
      send: async (_, { roomId, body, nonce }, { viewer }) =>
        (await run('send', sendSql, [tenant, roomId, viewer, body, nonce]))[0],
    },
  },
});
const yoga = createYoga<object, Context>({
  schema,
  logging: false,
  context: async ({ request }) => ({ viewer: await viewerOf(request.headers.get('authorization')) }),
});
const server = createServer(yoga).listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/graphql` }));
});
