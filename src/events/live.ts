import type { Database } from '../db/database.ts';
import { sql } from '../db/sql.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Bus } from './bus.ts';
import type { ReadEvent, RoomEvent } from './catalogue.ts';
import { endingWith } from './iterators.ts';
import { createQueue } from './queue.ts';
import { createRoomFeed, type RoomFeed } from './roomFeed.ts';
import { readRoomLog, roomLogState } from './roomLog.ts';

/** The log does not reach back to the subscriber's cursor: it has to read the room afresh and go on from `version`. */
export interface Resync {
  readonly type: 'RESYNC';
  readonly roomId: string;
  readonly version: bigint;
  readonly reason: 'CURSOR_TOO_OLD' | 'TOO_SLOW';
}

export type Delivered = RoomEvent | ReadEvent | Resync;

export interface LiveDelivery {
  /**
   * Every durable change of a room after a version, each once and in order, and then those to come, with read markers
   * in between: subscribes first, replays from the log, then goes live.
   * @param after null starts with what comes next.
   */
  room(tenantId: string, roomId: string, after: bigint | null): AsyncIterableIterator<Delivered>;
  /** Compares every served room with the database; what the bus lost is delivered from the log. */
  compare(): Promise<void>;
  close(): void;
}

/** How often all served rooms are compared with the database: bounds the delay of an event whose hint got lost. */
const compareEvery = 5_000;

/** Events that wait for one slow subscriber before it is told to resync: a few pages, some hundred kilobytes. */
const queueCapacity = 1_000;

const replayPage = 200;

export function createLiveDelivery(deps: { database: Database; bus: Bus; log: Logger }): LiveDelivery {
  const { database, bus, log } = deps;
  const feeds = new Map<string, RoomFeed>();

  function feedOf(tenantId: string, roomId: string): RoomFeed {
    const key = `${tenantId}:${roomId}`;
    let feed = feeds.get(key);
    if (!feed) {
      const db = database.forTenant(tenantId);
      const created: RoomFeed = createRoomFeed({ bus, db, roomId, log, onIdle: () => feeds.delete(key) });
      feeds.set(key, created);
      feed = created;
    }
    return feed;
  }

  function room(tenantId: string, roomId: string, after: bigint | null): AsyncIterableIterator<Delivered> {
    const feed = feedOf(tenantId, roomId);
    let overflowed = false;
    const live = createQueue<RoomEvent | ReadEvent>(queueCapacity, () => feed.remove(listener));
    const listener = (event: RoomEvent | ReadEvent) => {
      if (live.push(event)) return;
      overflowed = true;
      live.end();
    };

    async function* deliver(): AsyncGenerator<Delivered, void> {
      try {
        const start = await feed.add(listener);
        let last = after ?? start;
        if (last < start) {
          const db = database.forTenant(tenantId);
          const [state] = await db.query(roomLogState, roomId);
          if (!state || last < state.floor) {
            yield { type: 'RESYNC', roomId, version: start, reason: 'CURSOR_TOO_OLD' };
            last = start;
          }
          for (let complete = false; !complete && last < start; ) {
            const page = await readRoomLog(db, roomId, last, replayPage);
            complete = page.complete;
            for (const event of page.events) {
              yield event;
              last = event.version;
            }
          }
        }
        for await (const event of live) {
          if ('version' in event) {
            if (event.version <= last) continue;
            last = event.version;
          }
          yield event;
        }
        if (overflowed) yield { type: 'RESYNC', roomId, version: last, reason: 'TOO_SLOW' };
      } finally {
        live.end(true);
      }
    }

    return endingWith(deliver(), () => live.end(true));
  }

  async function compare(): Promise<void> {
    const served = [...feeds.values()];
    if (served.length === 0) return;
    const rows = await database.engine.run(currentVersions, [
      served.map((feed) => feed.tenantId),
      served.map((feed) => feed.roomId),
    ]);
    for (const row of rows) feeds.get(`${row.tenantId}:${row.roomId}`)?.reach(row.version);
  }

  const compareAndLog = () =>
    compare().catch((error: unknown) =>
      log.warn({ err: error }, 'served rooms could not be compared with the database'),
    );
  const timer = setInterval(compareAndLog, compareEvery);
  timer.unref();
  bus.onReconnect(compareAndLog);

  return {
    room,
    compare,
    close() {
      clearInterval(timer);
      for (const feed of feeds.values()) feed.close();
    },
  };
}

const currentVersions = sql<{ tenantId: string; roomId: string; version: bigint }>(
  'live.currentVersions',
  `SELECT r.tenant_id AS "tenantId", r.id AS "roomId", r.version
   FROM unnest($1::uuid[], $2::uuid[]) AS served(tenant_id, id)
   JOIN rooms r ON r.tenant_id = served.tenant_id AND r.id = served.id`,
);
