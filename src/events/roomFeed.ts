import { setTimeout as delay } from 'node:timers/promises';
import type { TenantQueries } from '../db/sql.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Bus } from './bus.ts';
import { type ReadEvent, type RoomEvent, type RoomHint, roomChannel } from './catalogue.ts';
import type { DeliveredEvent } from './delivered.ts';
import { decodeHint } from './hints.ts';
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
/** Up to so many listeners get an event at once: one turn more is dearer than that each takes it twice. */
const few = 16;

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
  const origin = { tenantId: db.tenantId, roomId };
  const listeners = new Set<FeedListener>();
  let version: bigint | null = null;
  /** The highest version known to exist: ahead of `version` while a gap is being closed. */
  let reached = 0n;
  let catchingUp = false;
  let closed = false;
  /** What is still to be handed to all listeners but `first`, who has got it. */
  let following: (DeliveredEvent | ReadEvent)[] = [];
  let first: FeedListener | null = null;
  let starting: Promise<bigint> | null = null;
  /** A hint came that could not be read, and the version has not been asked for since. */
  let unread = false;
  let lookingUp = false;
  let unsubscribe: () => void = () => undefined;

  /**
   * Of many listeners one gets an event at once, the others when that turn of the event loop ends: by then the first has
   * had it executed, most often, and a thousand others go through all their stages once, not before and again after that.
   */
  function hand(event: RoomEvent | ReadEvent): void {
    const delivered = event.type === 'READ' ? event : { ...event, cursor: roomPosition(roomId, event.version) };
    if (following.length === 0) {
      if (listeners.size <= few) {
        for (const listener of listeners) give(listener, delivered);
        return;
      }
      [first = null] = listeners;
    }
    if (following.push(delivered) === 1) setImmediate(handOn);
    // Where the first has left meanwhile, nobody takes its place: who is next has not got what is to follow.
    if (first !== null && listeners.has(first)) give(first, delivered);
  }

  function handOn(): void {
    const [events, ahead] = [following, first];
    following = [];
    first = null;
    for (const event of events) {
      for (const listener of listeners) if (listener !== ahead) give(listener, event);
    }
  }

  function give(listener: FeedListener, event: DeliveredEvent | ReadEvent): void {
    try {
      listener.take(event);
    } catch (error) {
      // The others are to get it all the same: this version will not come again.
      log.error({ err: error }, 'an event could not be handed to a subscriber');
      remove(listener);
      listener.fail(error);
    }
  }

  function onPayload(payload: string): void {
    let hint: RoomHint;
    try {
      hint = decodeHint(payload, origin);
    } catch (error) {
      void lookUp(error);
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

  /**
   * Something has happened: while a new version of Prosa takes the place of another, the log has to say what. Once for all
   * that comes meanwhile.
   */
  async function lookUp(reason: unknown): Promise<void> {
    unread = true;
    if (lookingUp) return;
    lookingUp = true;
    log.warn({ err: reason }, 'a hint could not be read: are processes of different versions on one Redis?');
    try {
      while (unread && !closed) {
        unread = false;
        reach(await readVersion());
      }
    } catch (error) {
      log.warn({ err: error }, 'the version of a room could not be read; it is compared later');
    }
    lookingUp = false;
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
