import { messageColumnsInRoom } from '../../db/columns.ts';
import type { PageRequest } from '../../db/pages.ts';
import { sql, type TenantQueries } from '../../db/sql.ts';
import type { MessageRecord } from '../../events/catalogue.ts';
import { type RoomView, toView, type ViewRow, viewColumns } from './rooms.store.ts';

export interface RoomPosition {
  readonly lastActivityAt: Date;
  readonly id: string;
}

const keyset = `($4::timestamptz IS NULL OR (r.last_activity_at, r.id) < ($4, $5::uuid))
     AND ($6::timestamptz IS NULL OR (r.last_activity_at, r.id) > ($6, $7::uuid))
     AND ($8::boolean OR r.archived_at IS NULL)`;

type Direction = 'ASC' | 'DESC';

const order = (direction: Direction) => `ORDER BY r.last_activity_at ${direction}, r.id ${direction} LIMIT $3`;

// All rooms of the actor are sorted by what an index tells of them; only those of the page are read whole. The LIMITs keep
// the planner from joining the whole tables, and so the order of the page.
const sorted = (direction: Direction) => `
  SELECT r.id, r.last_activity_at FROM members m JOIN rooms r ON r.tenant_id = $1 AND r.id = m.room_id
  WHERE m.tenant_id = $1 AND m.actor_id = $2 AND ${keyset} ${order(direction)}`;

/** Whoever has so many rooms is worth a look at the tenant's; fewer are sorted in less time. */
const manyRooms = 100;
/** Rooms of the tenant that are looked at: enough for a page of 50 if the actor is in every fifth of them. */
const lookedAt = 256;

const minuteOf = (time: string) => `date_bin('1 minute', ${time}::timestamptz, timestamptz 'epoch')`;

const walks = {
  DESC: {
    from: `active_minute <= coalesce(${minuteOf('$4')}, 'infinity')`,
    end: '-infinity',
    last: 'min',
    within: '>',
  },
  ASC: { from: `active_minute >= coalesce(${minuteOf('$6')}, '-infinity')`, end: 'infinity', last: 'max', within: '<' },
} as const;

// Who is in most rooms of the tenant finds a page among those that were active last, however many there are: "walked" goes
// along the index of minutes, and sorts within each. It gives the whole page if that ends in a minute before the one of the
// first room beyond those that were looked at, or if there is none; if it does not, all rooms of the actor are sorted.
const ownPage = (direction: Direction) => {
  const { from, end, last, within } = walks[direction];
  const alongMinutes = `FROM rooms WHERE tenant_id = $1 AND ${from} ORDER BY active_minute ${direction}`;
  const beyond = `SELECT active_minute ${alongMinutes} OFFSET ${lookedAt} LIMIT 1`;
  return `
  WITH walked AS MATERIALIZED (
    SELECT r.id, r.last_activity_at, r.active_minute
    FROM (SELECT id, last_activity_at, active_minute, archived_at ${alongMinutes} LIMIT ${lookedAt}) AS r
    CROSS JOIN LATERAL (
      SELECT FROM members WHERE tenant_id = $1 AND room_id = r.id AND actor_id = $2 LIMIT 1
    ) AS m
    WHERE ${keyset} AND (
      SELECT count(*) > ${manyRooms}
      FROM (SELECT FROM members WHERE tenant_id = $1 AND actor_id = $2 LIMIT ${manyRooms + 1}) AS own
    )
    ORDER BY r.active_minute ${direction}, r.last_activity_at ${direction}, r.id ${direction} LIMIT $3
  ), whole AS MATERIALIZED (
    SELECT CASE found
        WHEN 0 THEN false
        WHEN $3 THEN outermost ${within} coalesce((${beyond}), '${end}')
        ELSE NOT EXISTS (${beyond})
      END AS yes
    FROM (SELECT count(*) AS found, ${last}(active_minute) AS outermost FROM walked) AS page
  )
  SELECT id, last_activity_at FROM walked WHERE (SELECT yes FROM whole)
  UNION ALL (SELECT * FROM (${sorted(direction)}) AS found WHERE NOT (SELECT yes FROM whole))`;
};

const ownRooms = (direction: Direction, preview = { columns: '', join: '' }) => `
  SELECT ${viewColumns}${preview.columns} FROM (${ownPage(direction)}) AS page
  CROSS JOIN LATERAL (SELECT * FROM rooms WHERE tenant_id = $1 AND id = page.id LIMIT 1) AS r
  CROSS JOIN LATERAL (
    SELECT * FROM members WHERE tenant_id = $1 AND room_id = page.id AND actor_id = $2 LIMIT 1
  ) AS m
  ${preview.join}
  ORDER BY page.last_activity_at ${direction}, page.id ${direction}`;

type Preview = Omit<MessageRecord, 'tenantId' | 'roomId'>;
type RowWithPreview = ViewRow & { readonly [Name in keyof Preview as `preview.${Name}`]: Preview[Name] | null };

// One more round trip for the last messages would cost as much as a third of the list.
const preview = {
  columns: `, ${messageColumnsInRoom('p', 'preview.')}`,
  join: `LEFT JOIN LATERAL (
    SELECT * FROM messages WHERE tenant_id = $1 AND room_id = page.id AND seq = r.last_message_seq LIMIT 1
  ) AS p ON true`,
};

const channels = (direction: Direction) => `
  SELECT ${viewColumns} FROM rooms r
  LEFT JOIN members m ON m.tenant_id = $1 AND m.room_id = r.id AND m.actor_id = $2
  WHERE r.tenant_id = $1 AND r.kind = 'CHANNEL' AND ${keyset} ${order(direction)}`;

const roomLists = {
  OWN: {
    forward: sql<ViewRow>('rooms.ownForward', ownRooms('DESC')),
    backward: sql<ViewRow>('rooms.ownBackward', ownRooms('ASC')),
  },
  CHANNELS: {
    forward: sql<ViewRow>('rooms.channelsForward', channels('DESC')),
    backward: sql<ViewRow>('rooms.channelsBackward', channels('ASC')),
  },
} as const;

const withPreviews = {
  forward: sql<RowWithPreview>('rooms.ownForwardWithPreviews', ownRooms('DESC', preview)),
  backward: sql<RowWithPreview>('rooms.ownBackwardWithPreviews', ownRooms('ASC', preview)),
} as const;

type RoomList = keyof typeof roomLists;

export interface RoomsAsked {
  readonly list: RoomList;
  readonly includeArchived: boolean;
  /** Whether the last messages are wanted too. They come with the actor's own rooms only. */
  readonly previews: boolean;
}

/** One room more than the page holds, in the page's own direction; the last active first. */
export async function readRooms(
  db: TenantQueries,
  actorId: string,
  { list, includeArchived, previews }: RoomsAsked,
  { after, before, backward, size }: PageRequest<RoomPosition>,
): Promise<RoomView[]> {
  const bounds = [after?.lastActivityAt ?? null, after?.id ?? null, before?.lastActivityAt ?? null, before?.id ?? null];
  const direction = backward ? 'backward' : 'forward';
  const params = [actorId, size + 1, ...bounds, includeArchived];
  const viewOf = (row: ViewRow) => toView(row, db.tenantId, actorId);
  if (previews && list === 'OWN') {
    const rows = await db.query(withPreviews[direction], ...params);
    return rows.map((row) => ({ ...viewOf(row), preview: previewOf(row, db.tenantId) }));
  }
  return (await db.query(roomLists[list][direction], ...params)).map(viewOf);
}

function previewOf(row: RowWithPreview, tenantId: string): MessageRecord | null {
  const { id: roomId } = row;
  const { 'preview.id': id, 'preview.seq': seq, 'preview.kind': kind, 'preview.authorId': authorId } = row;
  const { 'preview.body': body, 'preview.mentionsRoom': mentionsRoom, 'preview.createdAt': createdAt } = row;
  if (id === null || seq === null || kind === null || authorId === null) return null;
  if (body === null || mentionsRoom === null || createdAt === null) return null;
  return {
    ...{ tenantId, id, roomId, seq, kind, authorId, body, mentionsRoom, createdAt },
    systemEvent: row['preview.systemEvent'],
    nonce: row['preview.nonce'],
    replyToId: row['preview.replyToId'],
    editedAt: row['preview.editedAt'],
    deletedAt: row['preview.deletedAt'],
    purgeId: row['preview.purgeId'],
  };
}
