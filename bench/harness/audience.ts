import pg from 'pg';
import { z } from 'zod';
import { decodeId, encodeId } from '../../src/kernel/ids.ts';
import { ask, type Deployment } from './deployment.ts';

/** People who listen, each in one room, and one who is a member of all rooms and writes. */
export interface Audience {
  readonly tenantId: string;
  /** The writer's. */
  readonly token: string;
  /** Spread evenly: the room, as the API knows it, and the token of each. */
  readonly listeners: readonly { readonly room: string; readonly token: string }[];
}

const viewer = z.object({ viewer: z.object({ actor: z.object({ id: z.string() }) }) });

const gather = `
  WITH listener AS (
    INSERT INTO actors (tenant_id, id, kind, subject, role, name)
    SELECT $1::uuid, gen_random_uuid(), 'USER', 'listener-' || n, 'AGENT', 'listener-' || n
    FROM generate_series(0, $3::int - 1) AS n RETURNING id, substr(name, 10)::int AS n
  ), room AS (
    INSERT INTO rooms (tenant_id, id, kind, name)
    SELECT $1, gen_random_uuid(), 'GROUP', 'room ' || n FROM generate_series(0, $4::int - 1) AS n
    RETURNING id, substr(name, 6)::int AS n
  ), writer AS (
    INSERT INTO members (tenant_id, room_id, actor_id, role) SELECT $1, id, $2::uuid, 'OWNER' FROM room
  ), member AS (
    INSERT INTO members (tenant_id, room_id, actor_id, role)
    SELECT $1, room.id, listener.id, 'MEMBER' FROM listener JOIN room ON room.n = listener.n % $4
  )
  SELECT id FROM room ORDER BY n`;

/** Fills the tenant of the benchmarks, which has to be empty. */
export async function gatherAudience(
  deployment: Deployment,
  size: { readonly listeners: number; readonly rooms: number },
): Promise<Audience> {
  const token = await deployment.token('ana', 'admin');
  const answer = viewer.parse(await ask(deployment.api.url, token, '{ viewer { actor { id } } }', {}));
  const client = new pg.Client(deployment.databaseUrl);
  await client.connect();
  try {
    const { rows: tenants } = await client.query<{ id: string }>('SELECT id FROM tenants');
    const tenantId = tenants[0]?.id ?? '';
    const writer = decodeId(answer.viewer.actor.id)?.uuid;
    const { rows } = await client.query<{ id: string }>(gather, [tenantId, writer, size.listeners, size.rooms]);
    await client.query('VACUUM ANALYZE');
    const rooms = rows.map(({ id }) => encodeId('Room', id));
    const listeners = await Promise.all(
      Array.from({ length: size.listeners }, async (_, n) => ({
        room: rooms[n % rooms.length] ?? '',
        token: await deployment.token(`listener-${n}`),
      })),
    );
    return { tenantId, token, listeners };
  } finally {
    await client.end();
  }
}
