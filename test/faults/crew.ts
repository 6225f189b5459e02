import { createRoom } from '../support/acting.ts';
import { type Client, createClient } from '../support/client.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import type { Random } from '../support/random.ts';
import { overServerSentEvents, overWebSocket, type Reader, startReader } from './reader.ts';
import type { World } from './world.ts';
import { createWriter, type Writer } from './writer.ts';

/** Everybody who takes part. */
export interface Crew {
  readonly world: World;
  readonly writers: readonly Writer[];
  readonly readers: readonly Reader[];
  /** @returns by name of the person the unread counts of the rooms, as the API gives them. */
  unreadCounts(): Promise<ReadonlyMap<string, readonly number[]>>;
}

const roomCount = 3;
const writerCount = 8;
/** People among whom the readers are divided; they send nothing. */
const audienceCount = 10;
const readerCount = 30;

/** Signs people in, puts them all into the rooms, and starts the readers from before the first message. */
export async function gatherCrew(urls: readonly string[], random: Random): Promise<Crew> {
  const names = [
    ...Array.from({ length: writerCount }, (_, index) => `writer-${index}`),
    ...Array.from({ length: audienceCount }, (_, index) => `audience-${index}`),
  ];
  const people = await Promise.all(names.map((name) => signIn(urls[0] ?? '', name)));
  const [first, ...others] = people;
  if (!first) throw new Error('nobody came');
  const memberIds = others.map((other) => other.id);
  const rooms: string[] = [];
  for (let index = 0; index < roomCount; index++) {
    rooms.push(await createRoom(first.client, { kind: 'GROUP', name: `room ${index}`, memberIds }));
  }
  const world: World = { urls, rooms, violations: [] };
  const writers = people.slice(0, writerCount).map(({ name, token }) => createWriter(world, name, token, random));
  const audience = people.slice(writerCount);
  const readers = await Promise.all(
    Array.from({ length: readerCount }, async (_, index) => {
      const reader = audience[index % audience.length];
      if (!reader) throw new Error('nobody reads');
      // Two in five follow one room over WebSocket, two in five one over server-sent events or all over WebSocket.
      const form = index % 5;
      const room = form === 2 || form === 4 ? null : index % roomCount;
      const connect = form === 3 ? overServerSentEvents : overWebSocket;
      const after = await cursorOf(reader.client, room === null ? null : (rooms[room] ?? ''));
      const kind = `${form === 3 ? 'server-sent events' : 'WebSocket'} of ${room === null ? 'all rooms' : `room ${room}`}`;
      return startReader(world, {
        name: `reader ${index} (${kind})`,
        connect,
        token: reader.token,
        room,
        after,
        random,
      });
    }),
  );
  return {
    world,
    writers,
    readers,
    async unreadCounts() {
      const counts = people.map(async ({ name, client }) => {
        const { data } = await client.query(
          'query Unread($ids: [ID!]!) { nodes(ids: $ids) { ... on Room { unreadCount } } }',
          {
            ids: rooms,
          },
        );
        return [name, rooms.map((_, index) => Number(at(data, `nodes.${index}.unreadCount`)))] as const;
      });
      return new Map(await Promise.all(counts));
    },
  };
}

async function signIn(url: string, name: string) {
  const expiresAt = new Date(Date.now() + 7 * 24 * 3_600_000);
  const role = name === 'writer-0' ? 'admin' : 'agent';
  const token = await signToken(person('acme', name, role), { expiresAt });
  const client = createClient(url, token);
  const { data } = await client.query('{ viewer { actor { id } } }');
  return { name, token, client, id: textAt(data, 'viewer.actor.id') };
}

/** Where a room stands, or (for null) all of the viewer's. */
async function cursorOf(client: Client, room: string | null): Promise<string> {
  if (room === null) return textAt((await client.query('{ viewer { cursor } }')).data, 'viewer.cursor');
  const { data } = await client.query('query Cursor($room: ID!) { room(id: $room) { cursor } }', { room });
  return textAt(data, 'room.cursor');
}
