import { lastingSnapshot } from '../db/snapshot.ts';
import { sql, type TenantQueries } from '../db/sql.ts';
import type { ViewerPosition } from './viewerPosition.ts';

/** A membership, as streams need it. */
export interface ViewerRoom {
  readonly roomId: string;
  /** The room's version before the actor joined: what came earlier is not the actor's to see live. */
  readonly joinedVersion: bigint;
  /** The room's version as the database has it. */
  readonly version: bigint;
}

type MembershipRow = { readonly membershipVersion: bigint } & {
  readonly [Field in keyof ViewerRoom]: ViewerRoom[Field] | null;
};

const membershipsOf = sql<MembershipRow>(
  'viewerRooms.memberships',
  `SELECT a.membership_version AS "membershipVersion", m.room_id AS "roomId", m.joined_version AS "joinedVersion",
     r.version
   FROM actors a
   LEFT JOIN (members m JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id)
     ON m.tenant_id = $1 AND m.actor_id = a.id
   WHERE a.tenant_id = $1 AND a.id = $2`,
);

/** The actor's rooms, and the version of that list. */
export async function readMemberships(db: TenantQueries, actorId: string) {
  const rows = await db.query(membershipsOf, actorId);
  const rooms = rows.flatMap(({ roomId, joinedVersion, version }): ViewerRoom[] =>
    roomId === null || joinedVersion === null || version === null ? [] : [{ roomId, joinedVersion, version }],
  );
  return { version: rows[0]?.membershipVersion ?? 0n, rooms };
}

/** A room in which something happened after a position: from `base` (not included) to `version`. */
interface MissedRoom {
  readonly roomId: string;
  readonly base: bigint;
  readonly version: bigint;
  readonly floor: bigint;
}

/** The rooms with something to deliver, in the order of their ids, and the snapshot up to which it goes. */
export interface MissedRooms {
  readonly moment: string;
  readonly rooms: readonly MissedRoom[];
}

/**
 * The newest version of a room that a snapshot saw. What it saw is a beginning of the room's log, so this is found from
 * the end backwards, over what came after the snapshot and no further.
 */
const seenBy = (snapshot: string) => `greatest(
  (SELECT e.seq FROM messages e WHERE e.tenant_id = $1 AND e.room_id = r.id
     AND pg_visible_in_snapshot(e.xid, ${snapshot}) ORDER BY e.seq DESC LIMIT 1),
  (SELECT e.version FROM room_changes e WHERE e.tenant_id = $1 AND e.room_id = r.id
     AND pg_visible_in_snapshot(e.xid, ${snapshot}) ORDER BY e.version DESC LIMIT 1), 0)`;

const missed = sql<{ readonly [Field in keyof MissedRoom]: MissedRoom[Field] | null } & { readonly moment: string }>(
  'viewerRooms.missed',
  `SELECT coalesce($4::text, moment.snapshot) AS moment, room.id AS "roomId", room.base, room.version, room.floor
   FROM ${lastingSnapshot} AS moment LEFT JOIN LATERAL (
     SELECT r.id, r.log_floor AS floor,
       greatest(m.joined_version, coalesce(listed.version, ${seenBy('$3::pg_snapshot')})) AS base,
       CASE WHEN $4::text IS NULL THEN r.version ELSE ${seenBy('$4::pg_snapshot')} END AS version
     FROM members m JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id
     LEFT JOIN unnest($5::uuid[], $6::bigint[]) AS listed(id, version) ON listed.id = r.id
     WHERE m.tenant_id = $1 AND m.actor_id = $2 AND NOT pg_visible_in_snapshot(r.xid, $3::pg_snapshot)
       AND ($7::uuid IS NULL OR r.id >= $7)
   ) AS room ON true
   ORDER BY room.id`,
);

/** @param target the snapshot up to which to go, or null for now. */
export async function missedRooms(
  db: TenantQueries,
  actorId: string,
  from: ViewerPosition,
  target: string | null,
): Promise<MissedRooms> {
  const places = new Map(from.since);
  if (from.sweep) places.set(from.sweep.roomId, from.sweep.version);
  const listed = [[...places.keys()], [...places.values()]] as const;
  const rows = await db.query(missed, actorId, from.snapshot, target, ...listed, from.sweep?.roomId ?? null);
  const rooms = rows.flatMap(({ roomId, base, version, floor }): MissedRoom[] =>
    roomId === null || base === null || version === null || floor === null ? [] : [{ roomId, base, version, floor }],
  );
  return { moment: rows[0]?.moment ?? '', rooms: rooms.filter((room) => room.base < room.version) };
}

const currentSnapshot = sql<{ snapshot: string }>(
  'viewerRooms.snapshot',
  `SELECT moment.snapshot FROM ${lastingSnapshot} AS moment WHERE $1::uuid IS NOT NULL`,
);

/** What the database shows now, as a position: a stream from there on gives everything that is not visible as yet. */
export async function readSnapshot(db: TenantQueries): Promise<string> {
  return (await db.query(currentSnapshot))[0]?.snapshot ?? '';
}
