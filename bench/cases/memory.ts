import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gatherAudience } from '../harness/audience.ts';
import { type Contender, contest } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import type { Program } from '../harness/processes.ts';
import { type Delivering, plainGraphqlWs, prosa, rawFrame, socketIo } from '../harness/protocols.ts';
import type { Section } from '../harness/results.ts';
import { type Listener, startCrowd } from '../harness/sockets.ts';

/** Open before anything is measured: until then memory grows for other reasons. */
const before = 1_000;
const measured = 10_000;
const rooms = 100;
const flags = ['--expose-gc', '--import', fileURLToPath(new URL('../harness/collect.ts', import.meta.url))];
/** Milliseconds for what is done after sockets have been opened, and after garbage has been thrown away. */
const calm = 500;

/** What one more subscription that waits costs in memory, in a process that was started for it. */
export async function memory(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    const { tenantId, token, listeners } = await gatherAudience(deployment, { listeners: before + measured, rooms });
    const peer = (name: string) => () => startPeer(deployment, name, tenantId, flags);
    const each = (name: string, start: () => Promise<Program>, speak: (server: Program) => Delivering): Contender => ({
      name,
      async measure() {
        const server = await start();
        const value = await perSubscription(speak(server), listeners);
        await server.stop();
        return { value };
      },
    });
    const rows = await contest({
      title: 'memory for each of 10,000 idle subscriptions',
      unit: 'KiB',
      prosa: each(
        'Prosa',
        () => deployment.start('api', flags),
        (server) => prosa(server, { token }),
      ),
      peers: [
        { contender: each('raw frame', peer('rawWs'), (server) => rawFrame(server)), target: { most: 1.3 } },
        { contender: each('Socket.IO', peer('socketIo'), socketIo), target: {} },
        { contender: each('plain graphql-ws', peer('graphqlWs'), plainGraphqlWs), target: {} },
      ],
      unseen: 0,
      print,
    });
    return {
      rows,
      notes: [
        `The growth of the server's resident memory from ${before} sockets to ${before + measured}, in ${rooms} rooms, after garbage has been thrown away. With Prosa each socket is of another person who has shown a token; the peers know nobody.`,
      ],
    };
  } finally {
    await deployment.stop();
  }
}

async function perSubscription(delivering: Delivering, listeners: readonly Listener[]): Promise<number> {
  const crowd = startCrowd(delivering);
  try {
    const resident = async () => {
      await delay(calm);
      process.kill(delivering.server.pid, 'SIGUSR2');
      await delay(calm);
      return delivering.server.memory();
    };
    await crowd.open(listeners.slice(0, before));
    const first = await resident();
    await crowd.open(listeners.slice(before));
    return ((await resident()) - first) / 1024 / measured;
  } finally {
    crowd.stop();
  }
}
