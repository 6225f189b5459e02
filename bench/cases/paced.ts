import { gatherAudience } from '../harness/audience.ts';
import { compare, inTurns, type Reading, type Readings } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { prosa, rawFrame } from '../harness/protocols.ts';
import type { Section } from '../harness/results.ts';
import { startCrowd } from '../harness/sockets.ts';

const messages = 50;
/** Milliseconds. */
const every = 100;
/** Before anything is measured: as many as it takes until what runs for each of them is compiled, alone as the others. */
const warmUp = { messages: 150, every: 60 };
const p99 = 'ms p99';

/** How late a message is at each of a thousand sockets, when ten of them come in a second. */
export async function paced(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    const { redisUrl } = deployment;
    const { tenantId, token, listeners } = await gatherAudience(deployment, { listeners: 1_000, rooms: 1 });
    const servers = [prosa(deployment.api, { token }), rawFrame(await startPeer(deployment, 'rawWs', tenantId))];
    const crowds = servers.map(startCrowd);
    const contenders = servers.map(({ name, server }, index) => ({
      name,
      async measure(): Promise<Reading> {
        const before = server.cpu();
        const done = await crowds[index]?.pace({ redisUrl, messages, every });
        const { median = Number.NaN, p99: late = Number.NaN, deliveries = 0 } = done ?? {};
        return { value: median, cpu: (server.cpu() - before) / deliveries, more: { [p99]: late } };
      },
    }));
    for (const crowd of crowds) {
      await crowd.open(listeners);
      await crowd.settle();
      await crowd.pace({ redisUrl, ...warmUp });
    }
    const title = '10 messages a second to 1,000 sockets';
    const readings = await inTurns(contenders, { title, unit: 'ms median', print, unseen: 0, repetitions: 7 });
    for (const crowd of crowds) crowd.stop();
    const [ours, raw] = contenders;
    if (!ours || !raw) return { rows: [], notes: [] };
    const target = { most: 1.2 };
    return {
      rows: [
        compare(readings, [ours, raw], { title: `${title}, median`, unit: 'ms', target }),
        compare(byP99(readings), [ours, raw], { title: `${title}, p99`, unit: 'ms', target }),
      ],
      notes: [
        'From the moment when Redis has the message, which all publish there as soon as it is theirs to deliver (Prosa: when it is committed), until a socket’s client has read it: over all sockets.',
      ],
    };
  } finally {
    await deployment.stop();
  }
}

function byP99(readings: Readings): Readings {
  const late = ({ more, cpu }: Reading) => ({
    value: more?.[p99] ?? Number.NaN,
    ...(cpu === undefined ? {} : { cpu }),
  });
  return new Map([...readings].map(([contender, some]) => [contender, some.map(late)]));
}
