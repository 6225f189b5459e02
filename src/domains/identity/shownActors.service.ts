import type { Database } from '../../db/database.ts';
import type { Bus } from '../../events/bus.ts';
import type { Logger } from '../../kernel/logger.ts';
import * as store from './identity.store.ts';
import type { ShownActors } from './shownActors.types.ts';

/** The bus channel on which all processes hear the id of an actor who is shown in another way now. */
const channel = 'actors';
/** Milliseconds for which an actor is kept, in case the bus has lost a change. */
const freshFor = 5_000;
/** Actors that one process keeps; the one read longest ago goes first. */
const keptAtMost = 20_000;

export function createShownActors(deps: { database: Database; bus: Bus; log: Logger }): ShownActors {
  const { database, bus, log } = deps;
  const kept = new Map<string, { readonly actor: store.ActorRow; readonly until: number }>();
  /** Changes heard so far: what was read before one of them may be older than it, and is not kept. */
  let changes = 0;

  function forget(id: string): void {
    changes++;
    kept.delete(id);
  }

  function keep(actor: store.ActorRow): void {
    kept.delete(actor.id);
    kept.set(actor.id, { actor, until: performance.now() + freshFor });
    const oldest = kept.size > keptAtMost ? kept.keys().next().value : undefined;
    if (oldest !== undefined) kept.delete(oldest);
  }

  bus.onReconnect(() => {
    changes++;
    kept.clear();
  });
  const subscription = bus.subscribe(channel, forget);
  subscription.catch((error: unknown) => log.warn({ err: error }, 'changes of actors cannot be heard'));

  return {
    find(tenantId, id) {
      const known = kept.get(id);
      return known && known.actor.tenantId === tenantId && known.until > performance.now() ? known.actor : null;
    },
    async load(tenantId, ids) {
      const before = changes;
      const rows = await store.findActors(database.forTenant(tenantId), ids);
      if (changes === before) rows.forEach(keep);
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => byId.get(id) ?? null);
    },
    changed(id) {
      forget(id);
      bus.publish(channel, id);
    },
    close() {
      void subscription.then((stop) => stop()).catch(() => undefined);
    },
  };
}
