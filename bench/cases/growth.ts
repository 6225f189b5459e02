import { roomPosition } from '../../src/events/position.ts';
import { type Contender, compare, inTurns } from '../harness/contest.ts';
import { type Deployment, deploy } from '../harness/deployment.ts';
import { type Asked, overHttp, posting } from '../harness/http.ts';
import { reserveHugePages } from '../harness/hugePages.ts';
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
  readonly expects: string;
  of(world: World, messagesPerRoom: number): readonly object[];
}

const pageSize = 50;
/**
 * Pages that are asked for, all over the history of every room: of the smallest size each message once, and as many
 * messages of the others.
 */
const pages = 200;

const operations: readonly Operation[] = [
  {
    name: 'page of 50',
    seconds: 2,
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
  },
  {
    name: 'room list of 50',
    seconds: 1,
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
    seconds: 1,
    expects: '"unreadCount":',
    of: (world) =>
      world.rooms.map(({ id }) => ({
        query: 'query Unread($id: ID!) { room(id: $id) { unreadCount } }',
        variables: { id },
      })),
  },
  {
    name: 'send',
    // Little, for what is sent is added to the ten thousand.
    seconds: 0.5,
    expects: '"SendMessagePayload"',
    of: (world) =>
      world.rooms.map(({ id }) => ({
        query: `mutation Send($input: SendMessageInput!) { sendMessage(input: $input) {
          __typename ... on SendMessagePayload { cursor message { id createdAt } } } }`,
        variables: { input: { roomId: id, body: 'A message of the usual length', nonce: '{n}' } },
      })),
  },
];

/** Two starts of the same program differ by a tenth, which is no growth: so each size has several servers, which take turns. */
const starts = 3;

/** What one request costs with ten thousand, a million and ten million messages in the same hundred rooms. */
export async function growth(print: (line: string) => void): Promise<Section> {
  const deployments: Deployment[] = [];
  const giveBack = reserveHugePages(sizes.length * buffers * 1.1 * 1024 ** 3);
  try {
    const filled: (Sized & { readonly world: World })[] = [];
    for (const size of sizes) {
      const started = performance.now();
      const deployment = await deploy({ postgres: { shared_buffers: `${buffers}GB` } });
      deployments.push(deployment);
      const servers = [deployment.api];
      for (let start = 1; start < starts; start++) servers.push(await deployment.start('api'));
      const world = await fill(deployment, { rooms, messagesPerRoom: size / rooms });
      filled.push({ size, deployment, servers, world });
      print(`${size} messages filled in, in ${round((performance.now() - started) / 1000)} s`);
    }
    const rows: Row[] = [];
    for (const { name, seconds, expects, of } of operations) {
      const contenders = filled.map(({ world, ...sized }) => {
        const { size, deployment } = sized;
        return costOf(sized, posting(deployment.api.url, world.token, of(world, size / rooms), expects), seconds);
      });
      const readings = await inTurns(contenders, {
        title: name,
        unit,
        print,
        unseen: 3 * starts,
        repetitions: 3 * starts,
      });
      const [smallest, ...larger] = contenders;
      if (!smallest) continue;
      for (const each of larger) {
        rows.push(compare(readings, [each, smallest], { title: `${name}, ${each.name}`, unit, target }));
      }
    }
    return {
      rows,
      notes: [
        `What is compared is the time of the processors that the server and PostgreSQL take together for a request, over one connection; less is better. All three deployments stand at the same time, each with ${starts} servers that take turns.`,
        `Pages are asked for at ${pages} places all over the history, ${pages * pageSize} messages in all: every one of the smallest size, and as many of the others.`,
        `What is asked for is in memory: PostgreSQL has ${buffers} GB of shared buffers, in pages of ${giveBack ? '2 MiB' : '4 KiB (this machine let none of 2 MiB be reserved)'}.`,
      ],
    };
  } finally {
    await Promise.all(deployments.map((each) => each.stop()));
    giveBack?.();
  }
}

interface Sized {
  readonly size: number;
  readonly deployment: Deployment;
  readonly servers: readonly Program[];
}

function costOf({ size, deployment, servers }: Sized, asked: Asked, seconds: number): Contender {
  const name = `${size.toLocaleString('en')} messages`;
  const contenders = servers.map(({ url, cpu }) => {
    const server = { url, cpu: () => cpu() + deployment.databaseCpu() };
    return overHttp({ name, server, asked }, { connections: 1, seconds });
  });
  let turn = 0;
  return {
    name,
    async measure() {
      const { value, cpu = Number.NaN } = (await contenders[turn++ % contenders.length]?.measure()) ?? {
        value: Number.NaN,
      };
      return { value: cpu, more: { 'requests/s': value } };
    },
  };
}
