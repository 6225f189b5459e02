import { roomPosition } from '../../src/events/position.ts';
import { type Contender, compare, type Reading } from '../harness/contest.ts';
import { type Deployment, deploy } from '../harness/deployment.ts';
import { type Asked, inStep } from '../harness/inStep.ts';
import type { Program } from '../harness/processes.ts';
import { type Row, round, type Section } from '../harness/results.ts';
import { fill, type World } from '../harness/world.ts';

const rooms = 100;
const sizes = [10_000, 1_000_000, 10_000_000];
/** Of PostgreSQL, in gigabytes: all of the largest size. */
const buffers = 4;
const target = { most: 1.2 };
const unit = 'µs of processors a request';

/** What is done to every tenant; `of` gives the requests. */
interface Operation {
  readonly name: string;
  readonly seconds: number;
  /** Whether all sizes are asked at the same time, request by request, or one after the other. Only the former has a target. */
  readonly together: boolean;
  readonly expects: string;
  of(world: World, messagesPerRoom: number): readonly object[];
}

const pageSize = 50;
/**
 * Pages that are asked for, all over the history of every room: of the smallest size each message once, and as many
 * messages of the others.
 */
const pages = 200;

const page: Operation = {
  name: 'page of 50',
  seconds: 3,
  together: true,
  expects: '"message number',
  of: (world, messagesPerRoom) =>
    Array.from({ length: pages }, (_, index) => {
      const room = index % rooms;
      const { id, uuid } = world.rooms[room] ?? { id: '', uuid: '' };
      const places = messagesPerRoom / pageSize;
      const place = (room * 7919 + (Math.floor(index / rooms) * places * rooms) / pages) % places;
      const before = (place + 1) * pageSize + 1;
      return {
        query: `query Page($roomId: ID!, $before: String!) { room(id: $roomId) {
            messages(last: ${pageSize}, before: $before) { nodes { id cursor body createdAt author { id name pictureUrl } } } } }`,
        variables: { roomId: id, before: roomPosition(uuid, BigInt(before)) },
      };
    }),
};

const operations: readonly Operation[] = [
  page,
  { ...page, name: `${page.name}, one size after the other`, seconds: 1, together: false },
  {
    name: 'room list of 50',
    seconds: 2,
    together: true,
    expects: '"lastMessage":{',
    of: () => [
      {
        query: `query Rooms { rooms(first: 50) { nodes {
          id name unreadCount lastActivityAt lastMessage { id body createdAt author { id name pictureUrl } } } } }`,
      },
    ],
  },
  {
    name: 'unread of one room',
    seconds: 2,
    together: true,
    expects: '"unreadCount":',
    of: (world) =>
      world.rooms.map(({ id }) => ({
        query: 'query Unread($id: ID!) { room(id: $id) { unreadCount } }',
        variables: { id },
      })),
  },
  {
    name: 'send',
    seconds: 2,
    together: true,
    expects: '"SendMessagePayload"',
    of: (world) =>
      world.rooms.map(({ id }) => ({
        query: `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) {
          __typename ... on SendMessagePayload { cursor message { id createdAt } } } }`,
        variables: { input: { roomId: id, body: 'A message of the usual length', nonce: '{nonce}' } },
      })),
  },
];

/** Two starts of the same program differ by a tenth, which is no growth: so each size has several servers, which take turns. */
const starts = 3;

/** Rounds: what every server is at before it is measured, and what is measured. */
const unseen = 4 * starts;
const repetitions = 3 * starts;

/** What one request costs with ten thousand, a million and ten million messages in the same hundred rooms. */
export async function growth(print: (line: string) => void): Promise<Section> {
  const deployments: Deployment[] = [];
  try {
    const filled: Sized[] = [];
    for (const size of sizes) {
      const started = performance.now();
      const deployment = await deploy({ postgres: { shared_buffers: `${buffers}GB` } });
      deployments.push(deployment);
      const servers = [deployment.api];
      for (let start = 1; start < starts; start++) servers.push(await deployment.start('api'));
      const world = await fill(deployment, { rooms, messagesPerRoom: size / rooms });
      filled.push({ name: `${size.toLocaleString('en')} messages`, size, deployment, servers, world });
      print(`${size} messages filled in, in ${round((performance.now() - started) / 1000)} s`);
    }
    const rows: Row[] = [];
    for (const operation of operations) {
      const readings = await costs(filled, operation, print);
      const [smallest, ...larger] = readings.keys();
      if (!smallest) continue;
      for (const each of larger) {
        rows.push(
          compare(readings, [each, smallest], {
            title: `${operation.name}, ${each.name}`,
            unit,
            target: operation.together ? target : {},
          }),
        );
      }
    }
    return {
      rows,
      notes: [
        `What is compared is the time of the processors that the server and PostgreSQL take together for a request; less is better. All three deployments stand at the same time, each with ${starts} servers that take turns, and are asked in step, one request of each after the other. “One size after the other”, each for a second, is told for comparison and has no target: there the smallest has all that it is asked for in the processor’s caches.`,
        `Pages are asked for at ${pages} places all over the history, ${pages * pageSize} messages in all: every one of the smallest size, and as many of the others. What is asked for is in memory: PostgreSQL has ${buffers} GB of shared buffers.`,
      ],
    };
  } finally {
    await Promise.all(deployments.map((each) => each.stop()));
  }
}

interface Sized {
  readonly name: string;
  readonly size: number;
  readonly deployment: Deployment;
  readonly servers: readonly Program[];
  readonly world: World;
}

/** What a request costs each of the sizes, in the order in which they are given. */
async function costs(
  filled: readonly Sized[],
  { name: title, seconds, together, expects, of }: Operation,
  print: (line: string) => void,
) {
  const asked = filled.map(({ size, deployment, servers, world }) => {
    const headers = { authorization: `Bearer ${world.token}` };
    const bodies = of(world, size / rooms).map((body) => JSON.stringify(body));
    return servers.map(
      ({ url, cpu }): Asked => ({
        cpu: () => cpu() + deployment.databaseCpu(),
        requests: bodies.map((body) => ({ url, headers, body, expects })),
      }),
    );
  });
  const readings = new Map<Pick<Contender, 'name'>, Reading[]>(filled.map(({ name }) => [{ name }, []]));
  for (let repetition = -unseen; repetition < repetitions; repetition++) {
    const turn = (repetition + unseen) % starts;
    const now = asked.flatMap((ofSize) => ofSize[turn] ?? []);
    const values: number[] = [];
    for (const some of together ? [now] : now.map((each) => [each])) values.push(...(await inStep(some, seconds)));
    if (repetition < 0) continue;
    for (const [index, [{ name }, list]] of [...readings].entries()) {
      const value = values[index] ?? Number.NaN;
      list.push({ value });
      print(`${title}, ${name}: ${round(value)} ${unit}`);
    }
  }
  return readings;
}
