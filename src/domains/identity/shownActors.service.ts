import type { Database } from '../../db/database.ts';
import type { Bus } from '../../events/bus.ts';
import type { Logger } from '../../kernel/logger.ts';
import * as store from './identity.store.ts';
import type { ShownActors } from './shownActors.types.ts';

/** The bus channel on which all processes hear the id of an actor who is shown in another way now. */
const channel = 'actors';
/** Milliseconds for which an actor is kept, in case the bus has lost a change. */
const freshFor = 5_000;
/** Actors that one process keeps; those read longest ago go first. */
const keptAtMost = 20_000;

export function createShownActors(deps: { database: Database; bus: Bus; log: Logger }): ShownActors {
  const { database, bus, log } = deps;
  // Two halves that take turns, so that nobody has to look at a clock: a page asks for an author fifty times.
  let newer = new Map<string, store.ActorRow>();
  let older = new Map<string, store.ActorRow>();
  /** Changes heard so far: what was read before one of them may be older than it, and is not kept. */
  let changes = 0;

  function age(): void {
    older = newer;
    newer = new Map();
  }

  function forget(id: string): void {
    changes++;
    newer.delete(id);
    older.delete(id);
  }

  function keep(actor: store.ActorRow): void {
    if (newer.size >= keptAtMost / 2) age();
    // What is shown of one that cannot change is made once (graphql/completion.ts). A copy: who asked for this one may still
    // have it marked with its type, as nodes are.
    newer.set(actor.id, Object.freeze({ ...actor }));
  }

  const aging = setInterval(age, freshFor / 2).unref();
  bus.onReconnect(() => {
    changes++;
    age();
    age();
  });
  const subscription = bus.subscribe(channel, forget);
  subscription.catch((error: unknown) => log.warn({ err: error }, 'changes of actors cannot be heard'));

  return {
    find(tenantId, id) {
      const known = newer.get(id) ?? older.get(id);
      return known?.tenantId === tenantId ? known : null;
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
      clearInterval(aging);
      void subscription.then((stop) => stop()).catch(() => undefined);
    },
  };
}
