import type { Database } from '../../db/database.ts';
import type { Purge } from '../../db/generated/client.ts';
import type { PageRequest } from '../../db/pages.ts';
import { sql, type TenantQueries, type TenantTransaction } from '../../db/sql.ts';
import { newId } from '../../kernel/ids.ts';

export type { Purge };

const purgeColumns = `
  p.tenant_id AS "tenantId", p.id, p.key, p.creator_id AS "creatorId", p.room_id AS "roomId", p.mode, p.before, p.status,
  p.estimate, p.rows, p.restored, p.at_room_id AS "atRoomId", p.at_created_at AS "atCreatedAt", p.at_seq AS "atSeq",
  p.at_rows AS "atRows", p.failures, p.failure, p.created_at AS "createdAt", p.queued_at AS "queuedAt",
  p.started_at AS "startedAt", p.finished_at AS "finishedAt", p.touched_at AS "touchedAt"`;

const insert = sql<Purge>(
  'purges.insert',
  `INSERT INTO purges AS p (tenant_id, id, key, creator_id, room_id, mode, before, created_at, queued_at, touched_at)
   VALUES ($1, $2, $3, $4, $5, $6::purge_mode, $7, clock_timestamp(), clock_timestamp(), clock_timestamp())
   ON CONFLICT (tenant_id, key) DO NOTHING RETURNING ${purgeColumns}`,
);

/** Writes a new purge, to run after those before it; null when there is one with that key. */
export async function insertPurge(
  tx: TenantTransaction,
  purge: Pick<Purge, 'key' | 'creatorId' | 'roomId' | 'mode' | 'before'>,
): Promise<Purge | null> {
  const { key, creatorId, roomId, mode, before } = purge;
  return (await tx.query(insert, newId(), key, creatorId, roomId, mode, before))[0] ?? null;
}

const byKey = sql<Purge>('purges.byKey', `SELECT ${purgeColumns} FROM purges p WHERE p.tenant_id = $1 AND p.key = $2`);

export async function findPurgeByKey(db: TenantQueries, key: string): Promise<Purge | null> {
  return (await db.query(byKey, key))[0] ?? null;
}

const byIds = sql<Purge>(
  'purges.byIds',
  `SELECT ${purgeColumns} FROM purges p WHERE p.tenant_id = $1 AND p.id = ANY($2::uuid[])`,
);

export async function findPurges(db: TenantQueries, ids: readonly string[]): Promise<Purge[]> {
  return db.query(byIds, ids);
}

const lock = sql<Purge>(
  'purges.lock',
  `SELECT ${purgeColumns} FROM purges p WHERE p.tenant_id = $1 AND p.id = $2 FOR UPDATE`,
);

/** Takes the lock under which a purge gets on, or changes its state. */
export async function lockPurge(tx: TenantTransaction, id: string): Promise<Purge | null> {
  return (await tx.query(lock, id))[0] ?? null;
}

const save = sql<never>(
  'purges.save',
  `UPDATE purges SET status = $3::purge_status, rows = $4, restored = $5, at_room_id = $6, at_created_at = $7, at_seq = $8,
     at_rows = $9, failures = $10, failure = $11, queued_at = $12, started_at = $13, finished_at = $14,
     touched_at = clock_timestamp()
   WHERE tenant_id = $1 AND id = $2`,
);

/** Writes how far a purge is; its estimate apart. The caller holds its lock. */
export async function savePurge(tx: TenantTransaction, p: Purge): Promise<void> {
  const at = [p.atRoomId, p.atCreatedAt, p.atSeq, p.atRows] as const;
  const times = [p.queuedAt, p.startedAt, p.finishedAt] as const;
  await tx.query(save, p.id, p.status, p.rows, p.restored, ...at, p.failures, p.failure, ...times);
}

const saveEstimate = sql<never>(
  'purges.saveEstimate',
  'UPDATE purges SET estimate = $3, touched_at = clock_timestamp() WHERE tenant_id = $1 AND id = $2',
);

export async function setEstimate(db: TenantQueries, id: string, estimate: bigint): Promise<void> {
  await db.query(saveEstimate, id, estimate);
}

const unfinished = `status IN ('QUEUED', 'RUNNING', 'UNDOING')`;

const current = sql<Purge>(
  'purges.current',
  `SELECT ${purgeColumns} FROM purges p WHERE p.tenant_id = $1 AND p.${unfinished} ORDER BY p.queued_at, p.id LIMIT 1`,
);

/** The tenant's purge whose turn it is: they run one after another. */
export async function findCurrentPurge(db: TenantQueries): Promise<Purge | null> {
  return (await db.query(current))[0] ?? null;
}

const waiting = sql<{ tenantId: string }>(
  'purges.waiting',
  `SELECT DISTINCT tenant_id AS "tenantId" FROM purges WHERE ${unfinished} AND touched_at < $1`,
);

/** The tenants with purges that have not got on since a time. */
export async function findTenantsWaiting(database: Database, since: Date): Promise<string[]> {
  return (await database.engine.run(waiting, [since])).map((row) => row.tenantId);
}

export interface PurgePosition {
  readonly createdAt: Date;
  readonly id: string;
}

const page = (direction: 'ASC' | 'DESC') => `
  SELECT ${purgeColumns} FROM purges p
  WHERE p.tenant_id = $1 AND ($2::timestamptz IS NULL OR (p.created_at, p.id) < ($2, $3::uuid))
    AND ($4::timestamptz IS NULL OR (p.created_at, p.id) > ($4, $5::uuid))
  ORDER BY p.created_at ${direction}, p.id ${direction} LIMIT $6`;

const newestFirst = sql<Purge>('purges.forward', page('DESC'));
const oldestFirst = sql<Purge>('purges.backward', page('ASC'));

/** The tenant's purges, the newest first: one more than the page holds, in its own direction. */
export async function readPurges(
  db: TenantQueries,
  { after, before, backward, size }: PageRequest<PurgePosition>,
): Promise<Purge[]> {
  const bounds = [after?.createdAt ?? null, after?.id ?? null, before?.createdAt ?? null, before?.id ?? null];
  return db.query(backward ? oldestFirst : newestFirst, ...bounds, size + 1);
}

/** Which messages are meant: of which rooms, and up to which age. */
export interface Scope {
  /** Null for all rooms of the tenant. */
  readonly roomId: string | null;
  readonly mode: 'SOFT' | 'PERMANENT';
  readonly before: Date;
  /** The time from which the retention of each room is reckoned; null where `before` holds for all. */
  readonly retentionAt: Date | null;
  /** Whether rooms under a legal hold are meant too. */
  readonly heldToo?: boolean;
}

// Each room with the time before which its messages go. With retention the shorter of the tenant's and the room's holds,
// with its mode; of two as long the PERMANENT one. Rooms under a legal hold have none, and those without retention: that
// null must not get into a `least`, which would pass over it.
const rooms = `
  rooms r
  LEFT JOIN tenant_policies t ON t.tenant_id = $1
  LEFT JOIN room_policies p ON p.tenant_id = $1 AND p.room_id = r.id
  LEFT JOIN LATERAL (
    SELECT v.days, v.mode
    FROM (VALUES (t.retention_days, t.retention_mode), (p.retention_days, p.retention_mode)) AS v(days, mode)
    WHERE v.days IS NOT NULL ORDER BY v.days, v.mode DESC LIMIT 1
  ) AS kept ON true
  CROSS JOIN LATERAL (
    SELECT CASE
      WHEN (p.held_at IS NOT NULL OR t.held_at IS NOT NULL) AND NOT $7::boolean THEN NULL
      WHEN $5::timestamptz IS NULL THEN $4::timestamptz
      WHEN kept.mode = $6::purge_mode THEN least($4::timestamptz, $5::timestamptz - make_interval(days => kept.days))
    END AS at
  ) AS cutoff`;

const inScope = `r.tenant_id = $1 AND r.id BETWEEN $2 AND $3 AND cutoff.at IS NOT NULL`;
const lowestId = '00000000-0000-0000-0000-000000000000';
const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

const scopeParams = ({ roomId, mode, before, retentionAt, heldToo = false }: Scope) =>
  [roomId ?? lowestId, roomId ?? highestId, before, retentionAt, mode, heldToo] as const;

const nextRoom = sql<{ roomId: string; before: Date }>(
  'purges.nextRoom',
  `SELECT r.id AS "roomId", cutoff.at AS before FROM ${rooms}
   WHERE ${inScope} AND r.id > $8
     AND EXISTS (SELECT FROM messages m WHERE m.tenant_id = $1 AND m.room_id = r.id AND m.created_at < cutoff.at)
   ORDER BY r.id LIMIT 1`,
);

/** The next room, by id, in which there are messages of that age. @param after the room before it, or null. */
export async function findNextRoom(
  db: TenantQueries,
  scope: Scope,
  after: string | null,
): Promise<{ readonly roomId: string; readonly before: Date } | null> {
  return (await db.query(nextRoom, ...scopeParams(scope), after ?? lowestId))[0] ?? null;
}

const cutoffOf = sql<{ before: Date }>('purges.cutoffOf', `SELECT cutoff.at AS before FROM ${rooms} WHERE ${inScope}`);

/** The time before which messages of this room go, as it is now; null if none do. */
export async function findCutoff(db: TenantQueries, scope: Scope, roomId: string): Promise<Date | null> {
  return (await db.query(cutoffOf, ...scopeParams({ ...scope, roomId })))[0]?.before ?? null;
}

const count = sql<{ messages: bigint; rooms: bigint }>(
  'purges.count',
  `SELECT coalesce(sum(old.count), 0)::bigint AS messages, count(*) FILTER (WHERE old.count > 0) AS rooms
   FROM ${rooms} CROSS JOIN LATERAL (
     SELECT count(*) FROM messages m WHERE m.tenant_id = $1 AND m.room_id = r.id AND m.created_at < cutoff.at
       AND ($6::purge_mode = 'PERMANENT' OR m.deleted_at IS NULL)
   ) AS old
   WHERE ${inScope}`,
);

/** How many messages are meant, and in how many rooms. */
export async function countMessages(
  db: TenantQueries,
  scope: Scope,
): Promise<{ readonly messages: bigint; readonly rooms: bigint }> {
  return (await db.query(count, ...scopeParams(scope)))[0] ?? { messages: 0n, rooms: 0n };
}

const heldRooms = sql<{ rooms: bigint }>(
  'purges.heldRooms',
  'SELECT count(*) AS rooms FROM room_policies WHERE tenant_id = $1 AND held_at IS NOT NULL',
);

/** How many rooms of the tenant are under a legal hold of their own. */
export async function countHeldRooms(db: TenantQueries): Promise<bigint> {
  return (await db.query(heldRooms))[0]?.rooms ?? 0n;
}

const lockRoomStatement = sql<{ id: string }>(
  'purges.lockRoom',
  'SELECT id FROM rooms WHERE tenant_id = $1 AND id = $2 FOR UPDATE',
);

/** Takes the lock that every durable change of a room holds. */
export async function lockRoom(tx: TenantTransaction, roomId: string): Promise<void> {
  await tx.query(lockRoomStatement, roomId);
}

const roomExists = sql<{ id: string }>('purges.room', 'SELECT id FROM rooms WHERE tenant_id = $1 AND id = $2');

export async function existsRoom(db: TenantQueries, roomId: string): Promise<boolean> {
  return (await db.query(roomExists, roomId)).length > 0;
}
