import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jwtVerify } from 'jose';
import pg from 'pg';

// A page of messages as JSON, by node:http and pg alone: the least that a server on Node.js has to do for it.

pg.types.setTypeParser(pg.types.builtins.INT8, Number);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
const secret = new TextEncoder().encode(process.env.SECRET);
const viewers = new Map<string, Promise<string>>();

async function verified(token: string): Promise<string> {
  const { payload } = await jwtVerify(token, secret);
  const { rows } = await pool.query('SELECT id FROM actors WHERE subject = $1', [payload.sub]);
  return rows[0].id;
}

const text = `
  SELECT m.id, m.seq, m.body, m.created_at AS "createdAt",
    a.id AS "authorId", a.name AS "authorName", a.picture_url AS "authorPicture"
  FROM messages m JOIN actors a ON a.tenant_id = m.tenant_id AND a.id = m.author_id
  WHERE m.tenant_id = $1 AND m.room_id = $2 AND m.seq < $3 AND m.deleted_at IS NULL
    AND EXISTS (SELECT FROM members WHERE tenant_id = $1 AND room_id = $2 AND actor_id = $4)
  ORDER BY m.seq DESC LIMIT 50`;

const server = createServer(async (request, response) => {
  try {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const viewer = viewers.get(token) ?? verified(token);
    viewers.set(token, viewer);
    const { searchParams } = new URL(request.url ?? '', 'http://localhost');
    const values = [process.env.TENANT_ID, searchParams.get('roomId'), searchParams.get('before'), await viewer];
    const { rows } = await pool.query({ name: 'page', text, values });
    const messages = rows.map(({ authorId, authorName, authorPicture, ...message }) => ({
      ...message,
      author: { id: authorId, name: authorName, pictureUrl: authorPicture },
    }));
    const body = JSON.stringify({ data: { messages: messages.reverse() } });
    response
      .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
      .end(body);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
