import { gatherAudience } from '../harness/audience.ts';
import { type Contender, contest } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { type Delivering, prosa, rawFrame } from '../harness/protocols.ts';
import type { Section } from '../harness/results.ts';
import { type Crowd, startCrowd, underPressure } from '../harness/sockets.ts';

const size = { listeners: 10_000, rooms: 2_000 };
const underWay = 64;

/**
 * Many rooms with a few sockets each, all of them active. With five deliveries for each message the cost of sending would
 * hide that of delivering: so messages are sent over one process and delivered by another one, as in a deployment with
 * several of them, and what counts is how much the one with the sockets delivers in the time of the processor that it uses.
 */
export async function manyRooms(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    const { tenantId, token, listeners } = await gatherAudience(deployment, size);
    const start = () => startPeer(deployment, 'rawWs', tenantId);
    const ours = prosa(await deployment.start('api'), { token, sender: deployment.api });
    const raw = rawFrame(await start(), await start());
    const contestants = [ours, raw].map((each) => ({ ...each, crowd: startCrowd(each) }));
    for (const { name, crowd } of contestants) {
      const { seconds } = await crowd.open(listeners);
      print(`${name}: ${size.listeners} sockets opened in ${seconds.toFixed(1)} s`);
      await crowd.settle();
    }
    const [first, ...peers] = contestants.map((each) => perProcessorTime(each, each.crowd));
    if (!first) return { rows: [], notes: [] };
    const rows = await contest({
      title: '2,000 active rooms with 5 sockets each',
      unit: 'deliveries per second of the processor',
      prosa: first,
      peers: peers.map((contender) => ({ contender, target: { least: 0.6 } })),
      print,
      // The compiler of JavaScript is at work for the first ten seconds, and its time is the process's.
      unseen: 12,
      repetitions: 21,
    });
    for (const { crowd } of contestants) crowd.stop();
    return {
      rows,
      notes: [
        'One process takes the messages (Prosa commits them), another one holds the sockets; the time is that of the latter. The rate is what came of it on this machine, on which both, PostgreSQL, Redis and the clients share the processor. Both have been under the same load for twelve seconds before the first repetition: by then what runs is compiled.',
      ],
    };
  } finally {
    await deployment.stop();
  }
}

function perProcessorTime(delivering: Delivering, crowd: Crowd): Contender {
  const contender = underPressure(delivering, crowd, { underWay, seconds: 1 });
  return {
    ...contender,
    async measure() {
      const { value, cpu = Number.NaN } = await contender.measure();
      return { value: 1_000_000 / cpu, cpu, more: { 'deliveries/s': value } };
    },
  };
}
