import { setTimeout as delay } from 'node:timers/promises';
import type { TenantQueries } from '../db/sql.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Bus } from './bus.ts';
import { decodeHint, type ReadEvent, type RoomEvent, type RoomHint, roomChannel } from './catalogue.ts';
import type { DeliveredEvent } from './delivered.ts';
import { roomPosition } from './position.ts';
import { readRoomLog } from './roomLog.ts';

/** Who gets what happens in a room. */
export interface FeedListener {
  /** Each gets the very same object. */
  take(event: DeliveredEvent | ReadEvent): void;
  /** It threw, and gets nothing any more. */
  fail(error: unknown): void;
}

/** One room as this process serves it: one bus subscription, however many listeners. */
export interface RoomFeed {
  readonly tenantId: string;
  readonly roomId: string;
  /** Adds a listener, which gets everything after the version that is returned. */
  add(listener: FeedListener): Promise<bigint>;
  remove(listener: FeedListener): void;
  /** The room has reached this version: whatever has not been seen of it is read from the log. */
  reach(version: bigint): void;
  close(): void;
}

const catchUpPage = 200;
const retryAfter = 500;

/**
 * Invariant: `version` is the newest version handed to the listeners, each handed once and in order. A hint with the
 * next version is handed on as it is; any other gap is closed from the log.
 * @param onIdle called when the last listener has gone; the feed must not be used afterwards.
 */
export function createRoomFeed(deps: {
  bus: Bus;
  db: TenantQueries;
  roomId: string;
  log: Logger;
  readVersion: () => Promise<bigint>;
  onIdle: () => void;
}): RoomFeed {
  const { bus, db, roomId, log, readVersion, onIdle } = deps;
  const listeners = new Set<FeedListener>();
  let version: bigint | null = null;
  /** The highest version known to exist: ahead of `version` while a gap is being closed. */
  let reached = 0n;
  let catchingUp = false;
  let closed = false;
  let starting: Promise<bigint> | null = null;
  let unsubscribe: () => void = () => undefined;

  function hand(event: RoomEvent | ReadEvent): void {
    const delivered = event.type === 'READ' ? event : { ...event, cursor: roomPosition(roomId, event.version) };
    for (const listener of listeners) {
      try {
        listener.take(delivered);
      } catch (error) {
        // The others are to get it all the same: this version will not come again.
        log.error({ err: error }, 'an event could not be handed to a subscriber');
        remove(listener);
        listener.fail(error);
      }
    }
  }

  function onPayload(payload: string): void {
    let hint: RoomHint;
    try {
      hint = decodeHint(payload);
    } catch (error) {
      log.error({ err: error }, 'a hint could not be read: are processes of different versions on one Redis?');
      return;
    }
    if (hint.type === 'READ') {
      if (version !== null) hand(hint);
      return;
    }
    if (version !== null && !catchingUp && hint.version === version + 1n) {
      version = hint.version;
      hand(hint);
      return;
    }
    reach(hint.version);
  }

  function reach(seen: bigint): void {
    if (seen > reached) reached = seen;
    if (version !== null && reached > version && !catchingUp) void catchUp();
  }

  async function catchUp(): Promise<void> {
    catchingUp = true;
    while (!closed && version !== null && version < reached) {
      const target = reached;
      try {
        const page = await readRoomLog(db, roomId, version, catchUpPage);
        for (const event of page.events) {
          version = event.version;
          hand(event);
        }
        if (page.last !== null) version = page.last;
        // Entries whose message is gone for good are not in the log any more: there is nothing to hand on for them.
        if (page.complete && version < target) version = target;
      } catch (error) {
        log.warn({ err: error }, 'the log of a room could not be read; trying again');
        await delay(retryAfter, undefined, { ref: false });
      }
    }
    catchingUp = false;
  }

  async function start(): Promise<bigint> {
    // Subscribe before reading the version: what is published in between is found by its version.
    unsubscribe = await bus.subscribe(roomChannel(db.tenantId, roomId), onPayload);
    if (closed) unsubscribe();
    const current = await readVersion();
    version = current;
    reach(current);
    return current;
  }

  function close(): void {
    if (closed) return;
    closed = true;
    unsubscribe();
    listeners.clear();
    onIdle();
  }

  function remove(listener: FeedListener): void {
    listeners.delete(listener);
    if (listeners.size === 0) close();
  }

  return {
    tenantId: db.tenantId,
    roomId,
    async add(listener) {
      listeners.add(listener);
      starting ??= start();
      try {
        await starting;
      } catch (error) {
        close();
        throw error;
      }
      // No await between this and the listener's first event: everything after this version reaches it.
      return version ?? 0n;
    },
    remove,
    reach,
    close,
  };
}

/** What the streams need of the process: its feeds, and checkpoints. */
export interface LiveSources {
  feedOf(tenantId: string, roomId: string): RoomFeed;
  requestCheckpoint(): void;
}
