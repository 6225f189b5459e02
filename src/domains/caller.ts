import type { TenantDb } from '../db/database.ts';
import type { AuditedBy, AuditTrail } from '../events/auditTrail.ts';
import type { Bus } from '../events/bus.ts';
import type { LiveDelivery } from '../events/live.ts';
import type { RoomLog } from '../events/roomLog.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Origin } from '../kernel/origin.ts';
import type { TenantRoles } from './identity/roles.types.ts';
import type { ShownActors } from './identity/shownActors.types.ts';
import type { JobQueue } from './job.ts';
import type { Presence, Typing } from './presence/presence.types.ts';
import type { RoomViews } from './rooms/rooms.types.ts';

/** Who calls a use case, and with what it works: everything in it belongs to the caller's tenant. */
export interface Caller {
  readonly actor: Actor;
  readonly origin: Origin;
  readonly db: TenantDb;
  readonly bus: Bus;
  readonly roomLog: RoomLog;
  readonly live: LiveDelivery;
  /** How people have rooms, looked up for many at once. */
  readonly roomViews: RoomViews;
  /** Who is shown beside what they did. */
  readonly shownActors: ShownActors;
  /** What the roles grant in the tenant. */
  readonly roles: TenantRoles;
  /** Where critical actions are recorded, in the transaction that does them. */
  readonly audit: AuditTrail;
  /** Work for the background, added in the transaction that it belongs to. */
  readonly jobs: JobQueue;
  readonly presence: Presence;
  readonly typing: Typing;
}

/** What all callers of a process work with. */
export interface Surroundings extends Omit<Caller, 'actor' | 'origin' | 'db' | 'audit'> {
  readonly forTenant: (tenantId: string) => TenantDb;
  readonly auditBy: (by: AuditedBy) => AuditTrail;
}

/** @returns somebody who calls from somewhere, with the grants of each moment. */
export function callerIn(surroundings: Surroundings, actor: Actor, origin: Origin): Caller {
  return new ProcessCaller(surroundings, surroundings.roles.follow(actor), origin);
}

/** A class, as each open subscription keeps one: what is the same for all stands in one place. */
class ProcessCaller implements Caller {
  readonly actor: Actor;
  readonly origin: Origin;
  readonly db: TenantDb;
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings, actor: Actor, origin: Origin) {
    this.actor = actor;
    this.origin = origin;
    this.db = surroundings.forTenant(actor.tenantId);
    this.#surroundings = surroundings;
  }

  get audit() {
    return this.#surroundings.auditBy(this);
  }

  get bus() {
    return this.#surroundings.bus;
  }

  get roomLog() {
    return this.#surroundings.roomLog;
  }

  get live() {
    return this.#surroundings.live;
  }

  get roomViews() {
    return this.#surroundings.roomViews;
  }

  get shownActors() {
    return this.#surroundings.shownActors;
  }

  get roles() {
    return this.#surroundings.roles;
  }

  get jobs() {
    return this.#surroundings.jobs;
  }

  get presence() {
    return this.#surroundings.presence;
  }

  get typing() {
    return this.#surroundings.typing;
  }
}
