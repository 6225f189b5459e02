import type { TenantDb } from '../db/database.ts';
import type { AuditTrail } from '../events/auditTrail.ts';
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
