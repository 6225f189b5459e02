import { beforeAll, describe, expect, test } from 'vitest';
import { sql } from '../../src/db/sql.ts';
import { listRooms, roomCursor } from '../../src/domains/rooms/rooms.service.ts';
import { createTestDatabase } from '../services/database.ts';
import { openHouse } from '../support/house.ts';
import { backward, forward, type List } from '../support/paging.ts';
import { person } from '../support/people.ts';
import { createRandom } from '../support/random.ts';

const house = await openHouse({ databaseUrl: await createTestDatabase(), poolSize: 5 });
const [everywhere, often, seldom, hardly] = await Promise.all(
  ['Everywhere', 'Often', 'Seldom', 'Hardly'].map((name) => house.callerOf(person('acme', name))),
);
if (!everywhere || !often || !seldom || !hardly) throw new Error('nobody is there');

const rooms = 900;

// A third is spread over hours, a third over seconds, and a third was active in the same ten seconds of one minute; many to
// the very second. `n` goes through them in no order of time.
const fill = sql<never>(
  'test.fill',
  `WITH room AS (
     INSERT INTO rooms (tenant_id, id, kind, name, last_activity_at, archived_at)
     SELECT $1, gen_random_uuid(), 'GROUP', n, moment - CASE n % 3
         WHEN 0 THEN make_interval(mins => n * 7919 % 600)
         WHEN 1 THEN make_interval(secs => n * 7919 % 1200)
         ELSE make_interval(mins => 15, secs => n * 7919 % 10) END,
       CASE WHEN n % 11 = 0 THEN now() END
     FROM generate_series(1, ${rooms}) AS n, date_trunc('minute', now()) AS moment
     RETURNING id, name
   )
   INSERT INTO members (tenant_id, room_id, actor_id, role)
   SELECT $1, room.id, viewer.id, 'MEMBER'
   FROM room, unnest($2::uuid[], $3::int[]) AS viewer(id, every) WHERE name::int % every = 0`,
);
const own = sql<{ id: string }>(
  'test.own',
  `SELECT r.id FROM rooms r JOIN members m ON m.tenant_id = $1 AND m.room_id = r.id AND m.actor_id = $2
   WHERE r.tenant_id = $1 AND ($3 OR r.archived_at IS NULL) ORDER BY r.last_activity_at DESC, r.id DESC`,
);

beforeAll(async () => {
  const viewers = [everywhere, often, seldom, hardly].map(({ actor }) => actor.id);
  await everywhere.db.query(fill, viewers, [1, 2, 7, 100]);
});

describe('T5 the rooms of somebody, of the many that a tenant has', () => {
  test.for([
    ['all of them', everywhere],
    ['half of them', often],
    ['every seventh', seldom],
    ['hardly any', hardly],
  ] as const)('%s: each once and in order, in both directions, in pages of any size', async ([name, caller]) => {
    const random = createRandom(`rooms of somebody in ${name}`);
    for (const includeArchived of [true, false]) {
      const list: List<Awaited<ReturnType<typeof listRooms>>['rows'][number]> = {
        page: (args) => listRooms(caller, { list: 'OWN', includeArchived, previews: random.integer(2) === 0 }, args),
        cursor: (view) => roomCursor(view.room),
        key: (view) => view.room.id,
      };
      const size = () => 1 + random.integer(80);
      const ids = (await caller.db.query(own, caller.actor.id, includeArchived)).map(({ id }) => id);
      expect(ids.length).toBeGreaterThan(7);
      expect(await forward(list, size)).toEqual(ids);
      expect(await backward(list, size)).toEqual(ids);
    }
  });

  test('also between two cursors', async () => {
    const random = createRandom('rooms of somebody between two cursors');
    const asked = { list: 'OWN', includeArchived: true, previews: false } as const;
    const read = async (args: Parameters<typeof listRooms>[2]) => (await listRooms(everywhere, asked, args)).rows;
    const all = (await everywhere.db.query(own, everywhere.actor.id, true)).map(({ id }) => id);
    const cursors: string[] = [];
    for (let after: string | undefined; cursors.length < rooms; after = cursors.at(-1)) {
      cursors.push(...(await read({ first: 100, after })).map(({ room }) => roomCursor(room)));
    }
    for (let round = 0; round < 30; round++) {
      const from = random.integer(rooms);
      const to = Math.min(rooms - 1, from + 1 + random.integer(120));
      const between = { after: cursors[from], before: cursors[to] };
      const ids = all.slice(from + 1, to);
      const idsOf = (views: Awaited<ReturnType<typeof read>>) => views.map(({ room }) => room.id);
      expect(idsOf(await read({ first: 50, ...between }))).toEqual(ids.slice(0, 50));
      expect(idsOf(await read({ last: 50, ...between }))).toEqual(ids.slice(-50));
    }
  });
});
