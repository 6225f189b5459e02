import { gatherAudience } from '../harness/audience.ts';
import { type Contender, contest } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { type Delivering, prosa, rawFrame } from '../harness/protocols.ts';
import type { Section } from '../harness/results.ts';
import { type Crowd, startCrowd, underPressure } from '../harness/sockets.ts';
import { spreadOf } from '../harness/statistics.ts';

const size = { listeners: 10_000, rooms: 2_000 };
const underWay = 64;
/** Seconds. The compiler of JavaScript is at work for the first ten, and its time is the process's. */
const warmUp = 12;
/** Of what Prosa can take on this machine: so much both are given. */
const share = 0.8;

/**
 * Many rooms with a few sockets each, all of them active. With five deliveries for each message the cost of sending would
 * hide that of delivering: so messages are sent over one process and delivered by another one, as in a deployment with
 * several of them, and what counts is how much the one with the sockets delivers in the time of the processor that it uses.
 * Both are sent the same number of messages a second: who is sent more finds more of them at each look, which costs less
 * for each, and a sender that stores nothing could send twice as many.
 */
export async function manyRooms(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    const { tenantId, token, listeners } = await gatherAudience(deployment, size);
    const start = () => startPeer(deployment, 'rawWs', tenantId);
    const ours = prosa(await deployment.start('api'), { token, sender: deployment.api });
    const raw = rawFrame(await start(), await start());
    const contestants = [ours, raw].map((each) => ({ ...each, crowd: startCrowd(each) }));
    const most: number[] = [];
    for (const { name, crowd } of contestants) {
      const { seconds } = await crowd.open(listeners);
      print(`${name}: ${size.listeners} sockets opened in ${seconds.toFixed(1)} s`);
      await crowd.settle();
      const rates: number[] = [];
      for (let second = 0; second < warmUp; second++) {
        const done = await crowd.press({ underWay, seconds: 1 });
        rates.push(done.deliveries / done.seconds);
      }
      const rate = spreadOf(rates.slice(warmUp / 2)).median;
      print(`${name}: ${rate.toFixed(0)} deliveries/s where the next message goes as soon as one was delivered`);
      most.push(rate);
    }
    const perSecond = Math.round((Math.min(...most) * share) / (size.listeners / size.rooms));
    const [first, ...peers] = contestants.map((each) => perProcessorTime(each, each.crowd, perSecond));
    if (!first) return { rows: [], notes: [] };
    const rows = await contest({
      title: '2,000 active rooms with 5 sockets each',
      unit: 'deliveries per second of the processor',
      prosa: first,
      peers: peers.map((contender) => ({ contender, target: { least: 0.6 } })),
      print,
      repetitions: 21,
    });
    for (const { crowd } of contestants) crowd.stop();
    const [mostOurs = Number.NaN, mostRaw = Number.NaN] = most;
    return {
      rows,
      notes: [
        `One process takes the messages (Prosa commits them), another one holds the sockets; the time is that of the latter. Both are sent ${perSecond} messages a second, of which each is delivered five times, and have been under load for ${warmUp} seconds before: by then what runs is compiled. How many deliveries came of it stands in the row.`,
        `Where the next message goes as soon as one was delivered, Prosa delivers ${mostOurs.toFixed(0)} and the raw frame, which stores nothing, ${mostRaw.toFixed(0)} a second on this machine, on which both, PostgreSQL, Redis and the clients share the processors.`,
      ],
    };
  } finally {
    await deployment.stop();
  }
}

function perProcessorTime(delivering: Delivering, crowd: Crowd, perSecond: number): Contender {
  const contender = underPressure(delivering, crowd, { underWay, seconds: 1, perSecond });
  return {
    ...contender,
    async measure() {
      const { value, cpu = Number.NaN } = await contender.measure();
      return { value: 1_000_000 / cpu, cpu, more: { 'deliveries/s': value } };
    },
  };
}
