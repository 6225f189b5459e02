import type { Database } from '../db/database.ts';
import { sql } from '../db/sql.ts';
import { together } from '../db/together.ts';
import { type DeliveredEvent, keyOf } from './delivered.ts';
import { roomPosition } from './position.ts';
import { readRoomLog } from './roomLog.ts';

/** What a subscriber missed of a room, or a part of it. */
interface ReplayPage {
  /** Oldest first. Subscribers who missed the same get the very same objects. */
  readonly events: readonly DeliveredEvent[];
  /** The last version that the page covers; null for an empty one. */
  readonly last: bigint | null;
  /** Whether the log ends here. */
  readonly complete: boolean;
}

/** Reads what subscribers missed, once for all who come back to a room at the same time, wherever they left it. */
export interface Replays {
  /** The room's log after a version, as it is now; null where it does not reach back that far. */
  read(tenantId: string, roomId: string, after: bigint): Promise<ReplayPage | null>;
}

const replayPage = 200;

interface Asked {
  readonly tenantId: string;
  readonly roomId: string;
  readonly after: bigint;
}

export function createReplays(database: Database): Replays {
  const load = together(readAll);

  async function readAll(all: readonly Asked[]): Promise<(ReplayPage | null | Error)[]> {
    const rooms = new Map(all.map((asked) => [keyOf(asked.tenantId, asked.roomId), asked]));
    const floors = await database.engine.run(logFloors, [
      [...rooms.values()].map(({ tenantId }) => tenantId),
      [...rooms.values()].map(({ roomId }) => roomId),
    ]);
    const floorOf = new Map(floors.map((row) => [keyOf(row.tenantId, row.roomId), row.floor]));
    const results = new Map<Asked, ReplayPage | null | Error>();
    const byRoom = Map.groupBy(all, ({ tenantId, roomId }) => keyOf(tenantId, roomId));
    await Promise.all([...byRoom].map(([key, asked]) => readRoom(asked, floorOf.get(key), results)));
    return all.map((asked) => results.get(asked) ?? null);
  }

  /** From the oldest place that is asked for: what follows is a part of it, as far as a page reaches. */
  async function readRoom(
    asked: readonly Asked[],
    floor: bigint | undefined,
    results: Map<Asked, ReplayPage | null | Error>,
  ) {
    let page: ReplayPage | null = null;
    for (const place of asked.toSorted((a, b) => Number(a.after - b.after))) {
      if (floor === undefined || place.after < floor) {
        results.set(place, null);
        continue;
      }
      try {
        if (!page || !reaches(page, place.after)) page = await readPage(place);
        results.set(place, partOf(page, place.after));
      } catch (error) {
        results.set(place, error instanceof Error ? error : new Error(String(error)));
      }
    }
  }

  async function readPage({ tenantId, roomId, after }: Asked): Promise<ReplayPage> {
    const { events, last, complete } = await readRoomLog(database.forTenant(tenantId), roomId, after, replayPage);
    const delivered = events.map((event) => ({
      ...event,
      cursor: roomPosition(roomId, event.version),
      replayed: true as const,
    }));
    return { events: delivered, last, complete };
  }

  return { read: (tenantId, roomId, after) => load({ tenantId, roomId, after }) };
}

/** Whether what follows a later place is in the page. */
function reaches({ last, complete }: ReplayPage, after: bigint): boolean {
  return complete || (last !== null && after < last);
}

function partOf(page: ReplayPage, after: bigint): ReplayPage {
  const [first] = page.events;
  if (!first || first.version > after) return page;
  return { ...page, events: page.events.filter((event) => event.version > after) };
}

const logFloors = sql<{ tenantId: string; roomId: string; floor: bigint }>(
  'replays.logFloors',
  `SELECT r.tenant_id AS "tenantId", r.id AS "roomId", r.log_floor AS floor
   FROM unnest($1::uuid[], $2::uuid[]) AS asked(tenant_id, id)
   JOIN rooms r ON r.tenant_id = asked.tenant_id AND r.id = asked.id`,
);
