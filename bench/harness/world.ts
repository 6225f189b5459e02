import pg from 'pg';
import { z } from 'zod';
import { decodeId, encodeId } from '../../src/kernel/ids.ts';
import { inBulk } from './bulk.ts';
import { ask, type Deployment } from './deployment.ts';

/** A tenant full of messages, and one of its people who is a member of every room. */
export interface World {
  readonly tenantId: string;
  /** The viewer's token, and id in the database. */
  readonly token: string;
  readonly viewerId: string;
  /** As the database and as the API know them; the room that was active last stands last. */
  readonly rooms: readonly { readonly uuid: string; readonly id: string }[];
}

export interface Size {
  readonly rooms: number;
  readonly messagesPerRoom: number;
}

const authors = 100;
const membersPerRoom = 10;
/** Messages written by one statement. */
const batch = 100_000;
/** How many write them at the same time. */
const writers = 2;

const viewer = z.object({ viewer: z.object({ actor: z.object({ id: z.string() }) }) });

const fillRooms = `
  WITH author AS (
    INSERT INTO actors (tenant_id, id, kind, subject, role, name, picture_url)
    SELECT $1::uuid, gen_random_uuid(), 'USER', 'author-' || n, 'AGENT', 'Author ' || n, 'https://pictures.example/' || n
    FROM generate_series(1, ${authors}) AS n RETURNING id, name
  ), room AS (
    INSERT INTO rooms (tenant_id, id, kind, name, version, message_count, last_message_seq, last_activity_at)
    SELECT $1, gen_random_uuid(), 'GROUP', 'room ' || n, $3::int, $3::int, $3::int, now() - ($4::int - n) * interval '1 s'
    FROM generate_series(1, $4::int) AS n RETURNING id, name
  ), viewer AS (
    INSERT INTO members (tenant_id, room_id, actor_id, role, read_count, last_read_seq)
    SELECT $1, id, $2::uuid, 'OWNER', $3 / 2, $3 / 2 FROM room
  ), member AS (
    INSERT INTO members (tenant_id, room_id, actor_id, role, read_count, last_read_seq)
    SELECT $1, room.id, author.id, 'MEMBER', $3 / 2, $3 / 2
    FROM (SELECT id, row_number() OVER () AS n FROM room) AS room
    JOIN (SELECT id, row_number() OVER () AS n FROM author) AS author ON (room.n + author.n) % (${authors / (membersPerRoom - 1)}) = 0
  )
  SELECT id FROM room ORDER BY substr(name, 6)::int`;

// Message by message over all rooms, as people write: the messages of one room lie scattered over the table.
const fillMessages = `
  INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, nonce, created_at)
  SELECT $1, (lpad(to_hex(1700000000000 + n), 12, '0') || '70008' || lpad(to_hex(room.no), 15, '0'))::uuid,
    room.id, n, 'TEXT', author.id, 'message number ' || n || ' of a room that has many of them, as rooms do',
    NULL, now() - ($4::int - n) * interval '1 minute'
  FROM generate_series($2::int, $3::int) AS n
  CROSS JOIN (SELECT id, row_number() OVER (ORDER BY last_activity_at) AS no FROM rooms WHERE tenant_id = $1) AS room
  JOIN (SELECT id, row_number() OVER (ORDER BY subject) AS no FROM actors WHERE tenant_id = $1 AND subject LIKE 'author-%') AS author
    ON author.no = (n * 7 + room.no) % ${authors} + 1
  ORDER BY n, room.no`;

/** Fills the tenant of the benchmarks, which has to be empty. */
export async function fill(deployment: Deployment, { rooms, messagesPerRoom }: Size): Promise<World> {
  const { api, databaseUrl } = deployment;
  const token = await deployment.token('ana', 'admin');
  const answer = viewer.parse(await ask(api.url, token, '{ viewer { actor { id } } }', {}));
  const viewerId = decodeId(answer.viewer.actor.id)?.uuid ?? '';
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const { rows: tenants } = await client.query<{ id: string }>('SELECT id FROM tenants');
    const tenantId = tenants[0]?.id ?? '';
    const made = await client.query<{ id: string }>(fillRooms, [tenantId, viewerId, messagesPerRoom, rooms]);
    const step = Math.max(1, Math.floor(batch / rooms));
    const writing = (start: number) => async (writer: pg.Client) => {
      for (let first = start; first <= messagesPerRoom; first += step * writers) {
        const last = Math.min(first + step - 1, messagesPerRoom);
        await writer.query(fillMessages, [tenantId, first, last, messagesPerRoom]);
      }
    };
    await inBulk(
      databaseUrl,
      'messages',
      Array.from({ length: writers }, (_, index) => writing(1 + index * step)),
    );
    await client.query('VACUUM ANALYZE');
    // What was filled in is on the disk before anything is measured.
    await client.query('CHECKPOINT');
    return { tenantId, token, viewerId, rooms: made.rows.map(({ id }) => ({ uuid: id, id: encodeId('Room', id) })) };
  } finally {
    await client.end();
  }
}
