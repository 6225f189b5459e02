import type { Database } from '../db/database.ts';
import { sql } from '../db/sql.ts';
import { revocationChannel } from '../domains/identity/identity.rules.ts';
import type { Bus } from '../events/bus.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Logger } from '../kernel/logger.ts';

/** One socket or stream of an actor. */
export interface Session {
  /** Whose it is and, with `expiresAt`, until when; may say something else after `renewed`. */
  readonly actor: Actor | null;
  /**
   * The token has expired or the actor is deactivated, as the reason says; null: the process stops. May be called again
   * while it is still held.
   */
  end(reason: string | null): void;
}

/** What stays open for an actor in this process: sockets, and streams of server-sent events. */
export interface Sessions {
  /** Ends this session when it has to end, until it is forgotten. */
  hold(actor: Actor, session: Session): void;
  /** The actor of a session that is held has a newer token. */
  renewed(actor: Actor): void;
  /** It has ended by itself: nothing is called any more. */
  forget(actor: Actor, session: Session): void;
  /** Holds one of which there is nothing but how to end it. */
  open(actor: Actor, end: Session['end']): { forget: () => void };
  /** How many are open for an actor. */
  count(actor: Actor): number;
  /** Ends those that are still open, and whatever is opened later. */
  close(): void;
}

/** How often deactivations are looked up, in case the bus has lost one. */
const checkEvery = 5_000;
/** A longer wait than a timer can hold; such a token outlives any process. */
const longestWait = 2 ** 31 - 1;
/** Tokens that end within this time of each other are ended together: looking for them means going through all sessions. */
const expireTogether = 100;

/** @param onRevoked called for a deactivated actor before its sessions end. */
export function createSessions(deps: {
  database: Database;
  bus: Bus;
  log: Logger;
  onRevoked: (actorId: string) => void;
}): Sessions {
  const { database, bus, log, onRevoked } = deps;
  // Of most actors there is one: a list of one takes a third of a set. A list is not changed, as it may be gone through.
  const sessions = new Map<string, readonly Session[]>();
  let closed = false;
  /** When the timer looks for tokens that have ended. */
  let expiryAt = Number.POSITIVE_INFINITY;
  let expiryTimer: NodeJS.Timeout | undefined;

  function revoke(actorId: string): void {
    onRevoked(actorId);
    for (const session of sessions.get(actorId) ?? []) session.end('the account is deactivated');
  }

  function expectExpiry(at: number): void {
    if (at >= expiryAt) return;
    clearTimeout(expiryTimer);
    expiryAt = at;
    expiryTimer = setTimeout(expire, Math.min(Math.max(at - Date.now(), 0) + 1, longestWait));
    expiryTimer.unref();
  }

  function expire(): void {
    expiryAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const session of [...sessions.values()].flat()) {
      const expiresAt = session.actor?.expiresAt ?? Number.POSITIVE_INFINITY;
      if (expiresAt <= now) session.end('the token has expired');
      else next = Math.min(next, expiresAt);
    }
    if (Number.isFinite(next)) expectExpiry(Math.max(next, now + expireTogether));
  }

  async function check(): Promise<void> {
    if (sessions.size === 0) return;
    const actors = [...sessions.values()].flatMap(([session]) => session?.actor ?? []);
    const rows = await database.engine.run(deactivatedAmong, [
      actors.map((actor) => actor.tenantId),
      actors.map((actor) => actor.id),
    ]);
    for (const row of rows) revoke(row.id);
  }

  const checkAndLog = () =>
    check().catch((error: unknown) => log.warn({ err: error }, 'deactivations could not be looked up'));
  const timer = setInterval(checkAndLog, checkEvery);
  timer.unref();
  bus.onReconnect(() => void checkAndLog());
  const unsubscribe = bus.subscribe(revocationChannel, revoke);
  unsubscribe.catch((error: unknown) => log.warn({ err: error }, 'deactivations cannot be heard'));

  function hold(actor: Actor, session: Session): void {
    if (closed) queueMicrotask(() => session.end(null));
    const own = sessions.get(actor.id);
    sessions.set(actor.id, own ? [...own, session] : [session]);
    expectExpiry(actor.expiresAt);
  }

  function forget(actor: Actor, session: Session): void {
    const own = sessions.get(actor.id);
    if (!own?.includes(session)) return;
    if (own.length === 1) sessions.delete(actor.id);
    else {
      sessions.set(
        actor.id,
        own.filter((each) => each !== session),
      );
    }
  }

  return {
    hold,
    renewed: (actor) => expectExpiry(actor.expiresAt),
    forget,
    open(actor, end) {
      const session = { actor, end };
      hold(actor, session);
      return { forget: () => forget(actor, session) };
    },
    count: (actor) => sessions.get(actor.id)?.length ?? 0,
    close() {
      closed = true;
      clearInterval(timer);
      clearTimeout(expiryTimer);
      for (const session of [...sessions.values()].flat()) session.end(null);
      void unsubscribe.then((stop) => stop()).catch(() => undefined);
    },
  };
}

const deactivatedAmong = sql<{ id: string }>(
  'sessions.deactivatedAmong',
  `SELECT a.id FROM unnest($1::uuid[], $2::uuid[]) AS open(tenant_id, id)
   JOIN actors a ON a.tenant_id = open.tenant_id AND a.id = open.id WHERE a.deactivated_at IS NOT NULL`,
);
