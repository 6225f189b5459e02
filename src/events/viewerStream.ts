import type { TenantQueries } from '../db/sql.ts';
import type { Bus } from './bus.ts';
import { actorChannel, type ReadEvent, type RoomEvent } from './catalogue.ts';
import { type Checkpoint, type Delivered, keyOf } from './delivered.ts';
import { endingWith } from './iterators.ts';
import { createQueue } from './queue.ts';
import type { FeedListener, LiveSources } from './roomFeed.ts';
import { replay } from './roomStream.ts';
import { type LiveStream, toLive } from './stream.ts';
import { encodeViewerPosition, isLater, sinceLimit, sinceWanted, type ViewerPosition } from './viewerPosition.ts';
import { type MissedRooms, missedRooms, readMemberships, readSnapshot, type ViewerRoom } from './viewerRooms.ts';

/** One subscriber of all the rooms of an actor. */
export interface ViewerStream {
  readonly tenantId: string;
  readonly actorId: string;
  readonly events: LiveStream<Delivered>;
  /** The process has compared its rooms with the database. */
  checkpoint(checkpoint: Checkpoint): void;
  /** The actor's memberships have this version in the database. */
  reachMemberships(version: bigint): void;
}

type Item = RoomEvent | ReadEvent | { readonly type: 'MEMBERSHIPS' } | { readonly type: 'CHECKPOINT'; at: Checkpoint };

/**
 * Invariants: `delivered` has for each attached room the newest version handed to the subscriber, each change once and
 * in the room's order; `snapshot` and `since` together say the same of all rooms, in bounded size (see ViewerPosition).
 */
export function createViewerStream(deps: {
  sources: LiveSources;
  bus: Bus;
  db: TenantQueries;
  actorId: string;
  after: ViewerPosition | null;
  queueEvents: number;
  onEnd: () => void;
}): ViewerStream {
  const { sources, bus, db, actorId, after } = deps;
  const { tenantId } = db;
  const delivered = new Map<string, bigint>();
  let membershipVersion = 0n;
  let snapshot = '';
  let since = new Map<string, bigint>();
  /** A checkpoint that counts as soon as everything that it saw has been delivered. */
  let pending: { readonly at: Checkpoint; readonly lagging: Map<string, bigint> } | null = null;
  let overflowed = false;
  let ended = false;
  let unsubscribe: () => void = () => undefined;

  const queue = createQueue<Item>(deps.queueEvents, () => {
    ended = true;
    unsubscribe();
    for (const roomId of delivered.keys()) sources.feedOf(tenantId, roomId).remove(listener);
    deps.onEnd();
  });

  function push(item: Item): void {
    if (queue.push(item)) return;
    overflowed = true;
    queue.end();
  }

  const listener: FeedListener = {
    take: push,
    fail() {
      overflowed = true;
      queue.end();
    },
  };
  const cursor = (sweep: ViewerPosition['sweep'] = null) => encodeViewerPosition({ snapshot, since, sweep });

  /**
   * From its return on, everything in the room after the version that it gives reaches the queue. After the end nothing
   * does any more, and nobody would take the listener away again.
   */
  async function attach({ roomId, joinedVersion }: ViewerRoom): Promise<bigint> {
    delivered.set(roomId, joinedVersion);
    if (ended) return joinedVersion;
    return sources.feedOf(tenantId, roomId).add(listener);
  }

  function detach(roomId: string): void {
    if (!delivered.delete(roomId)) return;
    sources.feedOf(tenantId, roomId).remove(listener);
    since.delete(roomId);
    pending?.lagging.delete(roomId);
  }

  async function* deliver(): AsyncGenerator<Delivered, void> {
    try {
      unsubscribe = await bus.subscribe(actorChannel(tenantId, actorId), () => push({ type: 'MEMBERSHIPS' }));
      if (ended) return unsubscribe();
      // The snapshot comes before the feeds: what happens in between is caught up with like anything missed.
      const from = after ?? { snapshot: await readSnapshot(db), since: new Map(), sweep: null };
      const memberships = await readMemberships(db, actorId);
      membershipVersion = memberships.version;
      await Promise.all(
        memberships.rooms.map(async (room) => {
          const handed = await attach(room);
          // The feed may be behind what another process has delivered to this subscriber before. Whatever the database
          // has by now is either that, or caught up with below.
          const behind = room.version > handed;
          delivered.set(room.roomId, behind ? room.version : handed);
        }),
      );
      yield* catchUp(from);
      for await (const item of queue) {
        if (item.type === 'MEMBERSHIPS') yield* followMemberships();
        else if (item.type === 'CHECKPOINT') settle(item.at);
        else if (item.type === 'READ') {
          if (delivered.has(item.roomId)) yield item;
        } else yield* hand(item);
        // The cursor of what was just handed is still one that can be read.
        if (since.size >= sinceLimit) {
          overflowed = true;
          break;
        }
      }
      if (overflowed) yield { type: 'RESYNC', roomId: null, cursor: cursor(), reason: 'TOO_SLOW' };
    } finally {
      queue.end(true);
    }
  }

  /** Everything between a position and now. Afterwards the stream stands at one snapshot, with nothing beyond it. */
  async function* catchUp(from: ViewerPosition): AsyncGenerator<Delivered, void> {
    ({ snapshot, since } = { snapshot: from.snapshot, since: new Map(from.since) });
    // A sweep that was interrupted is finished first, towards the same snapshot: its cursor can only speak of one.
    if (from.sweep) yield* sweep(await missedRooms(db, actorId, from, from.sweep.snapshot));
    const missed = () => missedRooms(db, actorId, { snapshot, since, sweep: null }, null);
    let now = await missed();
    // Rooms that were joined after the memberships were read: a cursor of this moment would say that they were delivered.
    while (now.rooms.some(({ roomId }) => !delivered.has(roomId))) {
      yield* followMemberships();
      now = await missed();
    }
    yield* sweep(now);
  }

  async function* sweep({ moment, rooms }: MissedRooms): AsyncGenerator<Delivered, void> {
    for (const { roomId, base, version, floor } of rooms) {
      if (!delivered.has(roomId)) continue;
      const at = (reached: bigint) => cursor({ snapshot: moment, roomId, version: reached });
      if (base < floor) {
        yield { type: 'RESYNC', roomId, cursor: at(version), reason: 'CURSOR_TOO_OLD' };
      } else {
        for await (const event of replay(db, roomId, base, version)) {
          // What is newer than the snapshot comes from the feed, or the next sweep: this one's cursor cannot say it.
          if (event.version > version) break;
          yield { ...event, cursor: at(event.version), manyRooms: true };
        }
      }
      if (version > (delivered.get(roomId) ?? 0n)) delivered.set(roomId, version);
    }
    snapshot = moment;
    since = new Map();
  }

  async function* hand(event: RoomEvent): AsyncGenerator<Delivered, void> {
    const { roomId, version } = event;
    const last = delivered.get(roomId);
    if (last === undefined || version <= last) return;
    delivered.set(roomId, version);
    since.set(roomId, version);
    if (since.size > sinceWanted) sources.requestCheckpoint();
    const target = pending?.lagging.get(roomId);
    if (pending && target !== undefined && version >= target) {
      pending.lagging.delete(roomId);
      if (pending.lagging.size === 0) adopt(pending.at);
    }
    yield { ...event, cursor: cursor(), manyRooms: true };
    if (event.type !== 'MEMBER_REMOVED' || event.memberId !== actorId) return;
    // The actor may be a member again by the time that this is delivered. What came in between is not for them, and the
    // room is attached anew, from their return on.
    detach(roomId);
    push({ type: 'MEMBERSHIPS' });
  }

  function settle(at: Checkpoint): void {
    if (!isLater(at.snapshot, snapshot)) return;
    const lagging = new Map<string, bigint>();
    for (const [roomId, version] of delivered) {
      const seen = at.versions.get(keyOf(tenantId, roomId));
      // A room that came in between: what the checkpoint saw of it is not known.
      if (seen === undefined) return;
      if (seen > version) lagging.set(roomId, seen);
    }
    if (lagging.size === 0) adopt(at);
    else pending = { at, lagging };
  }

  function adopt(at: Checkpoint): void {
    pending = null;
    snapshot = at.snapshot;
    since = new Map(
      [...since].filter(([roomId, version]) => version > (at.versions.get(keyOf(tenantId, roomId)) ?? -1n)),
    );
  }

  async function* followMemberships(): AsyncGenerator<Delivered, void> {
    const now = await readMemberships(db, actorId);
    membershipVersion = now.version;
    const current = new Set(now.rooms.map((room) => room.roomId));
    for (const roomId of [...delivered.keys()].filter((id) => !current.has(id))) {
      yield* untilRemoval(roomId);
      detach(roomId);
    }
    for (const room of now.rooms.filter(({ roomId }) => !delivered.has(roomId))) {
      const version = await attach(room);
      for await (const event of replay(db, room.roomId, room.joinedVersion, version)) yield* hand(event);
    }
  }

  /** What the actor, no longer a member, was still to see: up to the removal. */
  async function* untilRemoval(roomId: string): AsyncGenerator<Delivered, void> {
    const missed: RoomEvent[] = [];
    const end = 2n ** 62n;
    for await (const event of replay(db, roomId, delivered.get(roomId) ?? 0n, end)) missed.push(event);
    const removal = missed.findLastIndex((event) => event.type === 'MEMBER_REMOVED' && event.memberId === actorId);
    for (const event of missed.slice(0, removal + 1)) yield* hand(event);
  }

  return {
    tenantId,
    actorId,
    events: toLive(endingWith(deliver(), () => queue.end(true))),
    checkpoint: (at) => push({ type: 'CHECKPOINT', at }),
    reachMemberships(version) {
      if (version > membershipVersion) push({ type: 'MEMBERSHIPS' });
    },
  };
}
