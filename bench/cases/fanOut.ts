import { gatherAudience } from '../harness/audience.ts';
import { contest } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { plainGraphqlWs, prosa, rawFrame, socketIo } from '../harness/protocols.ts';
import type { Row, Section } from '../harness/results.ts';
import { startCrowd, underPressure } from '../harness/sockets.ts';

/** Messages under way: enough that no server waits, few enough that no client is too slow. */
const someUnderWay = 4;
/** As in a room in which many write at once. */
const manyUnderWay = 50;

/**
 * One room with many sockets, each of another person. Everything goes the whole way: a message is sent over HTTP, Prosa
 * commits it, all publish it over Redis and deliver what comes from there.
 */
export async function fanOut(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    const { tenantId, token, listeners } = await gatherAudience(deployment, { listeners: 5_000, rooms: 1 });
    const start = (name: string) => startPeer(deployment, name, tenantId);
    const contestants = [
      { ...prosa(deployment.api, { token }), target: {} },
      { ...rawFrame(await start('rawWs')), target: { least: 0.8 } },
      { ...plainGraphqlWs(await start('graphqlWs')), target: { least: 5 } },
      { ...socketIo(await start('socketIo')), target: { least: 1.7 } },
    ].map((each) => ({ ...each, crowd: startCrowd(each) }));

    const fill = async (from: number, to: number) => {
      for (const { name, crowd } of contestants) {
        const { seconds } = await crowd.open(listeners.slice(from, to));
        print(`${name}: ${to - from} sockets opened in ${seconds.toFixed(1)} s`);
        await crowd.settle();
      }
    };
    const rows: Row[] = [];
    const measure = async (title: string, underWay: number, some = contestants) => {
      const [first, ...peers] = some.map((each) => ({
        contender: underPressure(each, each.crowd, { underWay }),
        target: each.target,
      }));
      if (!first) return;
      rows.push(...(await contest({ title, unit: 'deliveries/s', prosa: first.contender, peers, print })));
    };
    await fill(0, 1_000);
    await measure('fan-out to 1,000 sockets of one room', someUnderWay);
    const [ours, raw] = contestants;
    if (ours && raw) {
      const busy = [ours, { ...raw, target: { least: 2 } }];
      await measure(`busy room of 1,000 sockets, ${manyUnderWay} messages under way`, manyUnderWay, busy);
    }
    await fill(1_000, 5_000);
    await measure('fan-out to 5,000 sockets of one room', someUnderWay);
    for (const { crowd } of contestants) crowd.stop();
    return {
      rows,
      notes: [
        'Every socket has got every message once, and all in the same order. All deliver the same message with its author; Prosa also commits it, decides who may send it, and gives each socket its own operation’s id.',
      ],
    };
  } finally {
    await deployment.stop();
  }
}
