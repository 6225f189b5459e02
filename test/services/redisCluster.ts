import path from 'node:path';
import { Redis as Client } from 'ioredis';
import { findOrInstall, onPath } from './programs.ts';
import { freePort, type Service, service, temporaryFolder } from './service.ts';

/** One node of a cluster, which owns a third of the keys. */
interface ClusterNode {
  readonly url: string;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port, as the same node. */
  restart(): Promise<void>;
}

/** A Redis Cluster of three nodes of the test's own, without replicas, on free ports of 127.0.0.1. */
export interface RedisCluster {
  /** The nodes as REDIS_URL names them. */
  readonly url: string;
  readonly nodes: readonly ClusterNode[];
  /** Ends it for good and throws its data away. */
  stop(): Promise<void>;
}

const size = 3;
const slots = 16_384;

/**
 * Starts a new, empty cluster, which takes one to three seconds. It is thrown away with this process at the latest.
 * @throws Error of one sentence where there is no Redis on this machine and it cannot be installed.
 */
export async function startRedisCluster(): Promise<RedisCluster> {
  const command = await findOrInstall(() => onPath('redis-server', 'valkey-server'), {
    what: 'Redis',
    debian: 'redis-server',
    setting: 'TEST_REDIS_URL',
  });
  const ports: number[] = [];
  const buses: number[] = [];
  while (ports.length < size) {
    // Two ports below the range from which outgoing connections take theirs: a node's own, and that of its bus.
    const port = await freePort();
    const bus = await freePort();
    if (!ports.includes(port) && !ports.includes(bus) && port !== bus) {
      ports.push(port);
      buses.push(bus);
    }
  }
  const programs = await Promise.all(ports.map((port, index) => prepareNode(command, port, buses[index] ?? 0)));
  const stop = async () => {
    await Promise.all(programs.map((program) => program.discard()));
  };
  try {
    await Promise.all(programs.map((program) => program.start()));
    await join(ports, buses);
    // From the first start on a node only answers when it knows the whole cluster again.
    await Promise.all(ports.map(untilWhole));
  } catch (error) {
    await stop();
    throw error;
  }
  const urls = ports.map((port) => `redis://127.0.0.1:${port}`);
  return {
    url: urls.join(','),
    nodes: programs.map((program, index) => ({
      url: urls[index] ?? '',
      kill: () => program.end('SIGKILL'),
      restart: () => program.start(),
    })),
    stop,
  };
}

async function prepareNode(command: string, port: number, bus: number): Promise<Service> {
  const folder = await temporaryFolder('redis-cluster', undefined);
  const clustered = ['--cluster-enabled', 'yes', '--cluster-config-file', path.join(folder, 'nodes.conf')];
  const addressed = ['--port', String(port), '--cluster-port', String(bus), '--bind', '127.0.0.1'];
  return service({
    command,
    args: [...addressed, ...clustered, '--cluster-node-timeout', '2000', '--dir', folder, '--save', ''],
    folder,
    runAs: undefined,
    killSignal: 'SIGKILL',
    answers: () => withNode(port, async (node) => void (await node.ping())),
  });
}

/** Gives each node its share of the slots, and has the first meet the others. */
async function join(ports: readonly number[], buses: readonly number[]): Promise<void> {
  for (const [index, port] of ports.entries()) {
    await withNode(port, async (node) => {
      const [from, to] = [index, index + 1].map((place) => Math.floor((place * slots) / ports.length));
      await node.call('CLUSTER', 'ADDSLOTSRANGE', String(from), String(Number(to) - 1));
      // Otherwise all three claim to be of the same age, which they have to settle among themselves first.
      await node.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1));
    });
  }
  await withNode(Number(ports[0]), async (node) => {
    for (const [index, port] of ports.entries()) {
      if (index > 0) await node.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(buses[index]));
    }
  });
}

async function untilWhole(port: number): Promise<void> {
  const deadline = Date.now() + 20_000;
  const isWhole = async (node: Client) => {
    const info = String(await node.call('CLUSTER', 'INFO'));
    return info.includes('cluster_state:ok') && info.includes(`cluster_known_nodes:${size}`);
  };
  await withNode(port, async (node) => {
    while (!(await isWhole(node))) {
      if (Date.now() > deadline) throw new Error('the nodes of the Redis Cluster did not find each other');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
}

async function withNode(port: number, work: (node: Client) => Promise<void>): Promise<void> {
  const client = new Client({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await work(client);
  } finally {
    client.disconnect();
  }
}
