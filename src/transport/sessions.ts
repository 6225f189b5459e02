import type { Database } from '../db/database.ts';
import { sql } from '../db/sql.ts';
import { revocationChannel } from '../domains/identity/identity.rules.ts';
import type { Bus } from '../events/bus.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Logger } from '../kernel/logger.ts';

/** One socket or stream of an actor. */
interface Session {
  /** The actor has a newer token: it ends with that one, as `expiresAt` says now. */
  renew(): void;
  /** It has ended by itself: nothing is called any more. */
  forget(): void;
}

/** What stays open for an actor in this process: sockets, and streams of server-sent events. */
export interface Sessions {
  /**
   * Keeps `end` to be called when the token expires or the actor is deactivated, with the reason; or when the process
   * stops, with null.
   */
  open(actor: Actor, end: End): Session;
  /** How many are open for an actor. */
  count(actor: Actor): number;
  /** Ends those that are still open, and whatever is opened later. */
  close(): void;
}

type End = (reason: string | null) => void;

/** How often deactivations are looked up, in case the bus has lost one. */
const checkEvery = 5_000;
/** A longer wait than a timer can hold; such a token outlives any process. */
const longestWait = 2 ** 31 - 1;

/** @param onRevoked called for a deactivated actor before its sessions end. */
export function createSessions(deps: {
  database: Database;
  bus: Bus;
  log: Logger;
  onRevoked: (actorId: string) => void;
}): Sessions {
  const { database, bus, log, onRevoked } = deps;
  const sessions = new Map<string, { readonly actor: Actor; readonly ends: Set<End> }>();
  let closed = false;

  function revoke(actorId: string): void {
    onRevoked(actorId);
    for (const end of sessions.get(actorId)?.ends ?? []) end('the account is deactivated');
  }

  async function check(): Promise<void> {
    if (sessions.size === 0) return;
    const actors = [...sessions.values()].map(({ actor }) => actor);
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

  return {
    open(actor, end) {
      if (closed) queueMicrotask(() => end(null));
      const session = sessions.get(actor.id) ?? { actor, ends: new Set<End>() };
      sessions.set(actor.id, session);
      session.ends.add(end);
      let expiry: NodeJS.Timeout | undefined;
      const renew = () => {
        clearTimeout(expiry);
        // A newer token is verified in a while, in which the session may have ended.
        if (!session.ends.has(end)) return;
        const wait = Math.min(actor.expiresAt.getTime() - Date.now(), longestWait);
        expiry = setTimeout(() => end('the token has expired'), wait);
        expiry.unref();
      };
      renew();
      return {
        renew,
        forget() {
          clearTimeout(expiry);
          session.ends.delete(end);
          if (session.ends.size === 0 && sessions.get(actor.id) === session) sessions.delete(actor.id);
        },
      };
    },
    count: (actor) => sessions.get(actor.id)?.ends.size ?? 0,
    close() {
      closed = true;
      clearInterval(timer);
      for (const { ends } of sessions.values()) for (const end of ends) end(null);
      void unsubscribe.then((stop) => stop()).catch(() => undefined);
    },
  };
}

const deactivatedAmong = sql<{ id: string }>(
  'sessions.deactivatedAmong',
  `SELECT a.id FROM unnest($1::uuid[], $2::uuid[]) AS open(tenant_id, id)
   JOIN actors a ON a.tenant_id = open.tenant_id AND a.id = open.id WHERE a.deactivated_at IS NOT NULL`,
);
