import { decodeCursor, encodeCursor } from '../db/cursors.ts';
import { ValidationError } from '../kernel/errors.ts';

/**
 * Where a subscription to all of a viewer's rooms stands, in bounded size however many rooms there are: everything that
 * the snapshot saw has been delivered, and the rooms in `since` up to a version beyond it. Rooms change under their row
 * lock, so that what a snapshot sees of a room is always a beginning of its log.
 */
export interface ViewerPosition {
  /** As PostgreSQL writes a `pg_snapshot`. */
  readonly snapshot: string;
  readonly since: ReadonlyMap<string, bigint>;
  /**
   * While missed events are replayed room by room, in the order of the rooms' ids: rooms before `roomId` stand at this
   * later snapshot already, and this room at `version`.
   */
  readonly sweep: { readonly snapshot: string; readonly roomId: string; readonly version: bigint } | null;
}

/** More rooms than this beyond the snapshot ask for a new snapshot; the cursor has some hundred bytes. */
export const sinceWanted = 16;
/** As many as this and the subscriber is told to resync: rather an honest gap than a cursor that outgrows its event. */
export const sinceLimit = 256;

const kind = 'viewer';

export function encodeViewerPosition({ snapshot, since, sweep }: ViewerPosition): string {
  const places = [...since].map(([roomId, version]) => `${roomId}=${version}`).join(',');
  const sweepValues = sweep ? [sweep.snapshot, `${sweep.roomId}=${sweep.version}`] : ['', ''];
  return encodeCursor(kind, [snapshot, places, ...sweepValues]);
}

/** @throws ValidationError naming `field` */
export function decodeViewerPosition(cursor: string, field: string): ViewerPosition {
  const shapes = ['snapshot', 'places', 'snapshot', 'places'] as const;
  const [snapshot, places, sweepSnapshot, sweepPlace] = decodeCursor(kind, shapes, cursor, field);
  const since = parsePlaces(places);
  const [place] = parsePlaces(sweepPlace);
  if (!isSnapshot(snapshot) || since.size > sinceLimit) throw new ValidationError(field, 'not a cursor of this list');
  if (!place || !isSnapshot(sweepSnapshot)) return { snapshot, since, sweep: null };
  return { snapshot, since, sweep: { snapshot: sweepSnapshot, roomId: place[0], version: place[1] } };
}

function parsePlaces(text: string): Map<string, bigint> {
  const pairs = text === '' ? [] : text.split(',').map((place) => place.split('='));
  return new Map(pairs.map(([roomId = '', version = '0']) => [roomId, BigInt(version)]));
}

/** Whether PostgreSQL accepts it: `xmin:xmax:xip,…`, with the running transactions in order between the two. */
function isSnapshot(text: string): boolean {
  const [min = '', max = '', running = ''] = text.split(':');
  if (min === '' || max === '' || BigInt(min) < 1n || BigInt(max) < BigInt(min)) return false;
  const ids = running === '' ? [] : running.split(',').map(BigInt);
  return ids.every(
    (id, index) => id >= BigInt(min) && id < BigInt(max) && (index === 0 || id > (ids[index - 1] ?? 0n)),
  );
}

/** Whether the first snapshot was taken after the second, or sees the same: transactions only ever begin and end. */
export function isLater(snapshot: string, than: string): boolean {
  const [, max = '0', running = ''] = snapshot.split(':');
  const [, thanMax = '0', thanRunning = ''] = than.split(':');
  if (max !== thanMax) return BigInt(max) > BigInt(thanMax);
  const count = (ids: string) => (ids === '' ? 0 : ids.split(',').length);
  return count(running) <= count(thanRunning);
}
