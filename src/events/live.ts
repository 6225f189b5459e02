import DataLoader from 'dataloader';
import type { Database } from '../db/database.ts';
import { lastingSnapshot } from '../db/snapshot.ts';
import { sql } from '../db/sql.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Bus } from './bus.ts';
import { type Checkpoint, type Delivered, keyOf } from './delivered.ts';
import { createReplays } from './replays.ts';
import { createRoomFeed, type LiveSources, type RoomFeed } from './roomFeed.ts';
import { createRoomStream, type RoomSources } from './roomStream.ts';
import type { LiveStream } from './stream.ts';
import type { ViewerPosition } from './viewerPosition.ts';
import { createViewerStream, type ViewerStream } from './viewerStream.ts';

export interface LiveDelivery {
  /**
   * Every durable change of a room after a version, each once and in order, and then those to come, with read markers
   * in between: subscribes first, replays from the log, then goes live.
   * @param after null starts with what comes next.
   */
  room(tenantId: string, roomId: string, after: bigint | null): LiveStream<Delivered>;
  /** The same for all rooms in which an actor is a member, also those joined later; in order within each room. */
  viewer(tenantId: string, actorId: string, after: ViewerPosition | null): LiveStream<Delivered>;
  /** Compares every served room with the database; what the bus lost is delivered from the log. */
  compare(): Promise<Checkpoint>;
  close(): void;
}

/** How often all served rooms are compared with the database: bounds the delay of an event whose hint got lost. */
const compareEvery = 5_000;

/** @param deps.queueEvents how many events may wait for one subscriber. */
export function createLiveDelivery(deps: {
  database: Database;
  bus: Bus;
  log: Logger;
  queueEvents: number;
}): LiveDelivery {
  const { database, bus, log, queueEvents } = deps;
  const feeds = new Map<string, RoomFeed>();
  const viewerStreams = new Set<ViewerStream>();
  const replays = createReplays(database);

  // A viewer's stream starts the feeds of all its rooms at once: their versions are read in one statement.
  const versions = new DataLoader<{ tenantId: string; roomId: string }, bigint, string>(
    async (rooms) => {
      const found = await readVersions(database, rooms);
      return rooms.map((room) => found.versions.get(keyOf(room.tenantId, room.roomId)) ?? 0n);
    },
    { cache: false, maxBatchSize: 1_000 },
  );

  function feedOf(tenantId: string, roomId: string): RoomFeed {
    const key = keyOf(tenantId, roomId);
    let feed = feeds.get(key);
    if (!feed) {
      feed = createRoomFeed({
        bus,
        db: database.forTenant(tenantId),
        roomId,
        log,
        readVersion: () => versions.load({ tenantId, roomId }),
        onIdle: () => feeds.delete(key),
      });
      feeds.set(key, feed);
    }
    return feed;
  }

  async function compare(): Promise<Checkpoint> {
    const served = [...feeds.values()];
    const checkpoint = await readVersions(database, served);
    for (const feed of served) feed.reach(checkpoint.versions.get(keyOf(feed.tenantId, feed.roomId)) ?? 0n);
    await compareMemberships(checkpoint);
    return checkpoint;
  }

  /**
   * The memberships are read after the checkpoint and told before it: a stream that counts it knows all rooms of which it
   * saw anything, also where the bus has lost that one was joined.
   */
  async function compareMemberships(checkpoint: Checkpoint): Promise<void> {
    const streams = [...viewerStreams];
    if (streams.length === 0) return;
    const rows = await database.engine.run(membershipVersions, [
      streams.map((stream) => stream.tenantId),
      streams.map((stream) => stream.actorId),
    ]);
    const current = new Map(rows.map((row) => [keyOf(row.tenantId, row.actorId), row.version]));
    for (const stream of streams) {
      stream.reachMemberships(current.get(keyOf(stream.tenantId, stream.actorId)) ?? 0n);
      stream.checkpoint(checkpoint);
    }
  }

  let comparing = false;
  let again = false;

  /** One comparison at a time; what is asked for meanwhile is one more after it. */
  function requestCheckpoint(): void {
    if (comparing) {
      again = true;
      return;
    }
    comparing = true;
    void compare()
      .catch((error: unknown) => log.warn({ err: error }, 'served rooms could not be compared with the database'))
      .finally(() => {
        comparing = false;
        if (again) {
          again = false;
          requestCheckpoint();
        }
      });
  }

  const timer = setInterval(() => {
    if (feeds.size > 0 || viewerStreams.size > 0) requestCheckpoint();
  }, compareEvery);
  timer.unref();
  bus.onReconnect(requestCheckpoint);
  const rooms: RoomSources = { feedOf, replays, queueEvents };
  const sources: LiveSources = { feedOf, requestCheckpoint };

  return {
    room: (tenantId, roomId, after) => createRoomStream(rooms, tenantId, roomId, after),
    viewer(tenantId, actorId, after) {
      const onEnd = () => viewerStreams.delete(stream);
      const stream = createViewerStream({
        sources,
        bus,
        db: database.forTenant(tenantId),
        actorId,
        after,
        queueEvents,
        onEnd,
      });
      viewerStreams.add(stream);
      return stream.events;
    },
    compare,
    close() {
      clearInterval(timer);
      for (const feed of feeds.values()) feed.close();
    },
  };
}

async function readVersions(
  database: Database,
  rooms: readonly { readonly tenantId: string; readonly roomId: string }[],
): Promise<Checkpoint> {
  const rows = await database.engine.run(currentVersions, [
    rooms.map((room) => room.tenantId),
    rooms.map((room) => room.roomId),
  ]);
  return {
    snapshot: rows[0]?.snapshot ?? '',
    versions: new Map(
      rows.flatMap((row) => (row.version === null ? [] : [[keyOf(row.tenantId, row.roomId), row.version] as const])),
    ),
  };
}

// One statement, so one snapshot: the versions are those that this very snapshot saw. A row even without any room.
const currentVersions = sql<{ snapshot: string; tenantId: string; roomId: string; version: bigint | null }>(
  'live.currentVersions',
  `SELECT moment.snapshot, served.tenant_id AS "tenantId", served.id AS "roomId", r.version
   FROM ${lastingSnapshot} AS moment
   LEFT JOIN unnest($1::uuid[], $2::uuid[]) AS served(tenant_id, id) ON true
   LEFT JOIN rooms r ON r.tenant_id = served.tenant_id AND r.id = served.id`,
);

const membershipVersions = sql<{ tenantId: string; actorId: string; version: bigint }>(
  'live.membershipVersions',
  `SELECT a.tenant_id AS "tenantId", a.id AS "actorId", a.membership_version AS version
   FROM unnest($1::uuid[], $2::uuid[]) AS served(tenant_id, id)
   JOIN actors a ON a.tenant_id = served.tenant_id AND a.id = served.id`,
);
