import type { ActorRow } from './identity.store.ts';

/**
 * Actors as they are shown beside what they wrote or did. The same few are shown again and again: a process keeps them,
 * and drops who changes, anywhere, as soon as it hears of it. What is decided about somebody is decided from the database.
 */
export interface ShownActors {
  /** The actor, if this process has it; then it may be older than the database by what a lost message costs: 5 seconds. */
  find(tenantId: string, id: string): ActorRow | null;
  /** Those actors in the order of the ids, from the database; null for one that does not exist in the tenant. */
  load(tenantId: string, ids: readonly string[]): Promise<(ActorRow | null)[]>;
  /** Tells all processes, this one at once, that there is something new about an actor. */
  changed(id: string): void;
  close(): void;
}
