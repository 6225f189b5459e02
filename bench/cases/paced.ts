import { gatherAudience } from '../harness/audience.ts';
import { type Contender, compare, inTurns, type Reading, type Readings } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { keepApart } from '../harness/processors.ts';
import { prosa, rawFrame } from '../harness/protocols.ts';
import type { Row, Section } from '../harness/results.ts';
import { startCrowd } from '../harness/sockets.ts';

/** In a repetition: the latest hundredth of the deliveries is then not that of one message which something else has held up. */
const messages = 200;
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
    const [ours, raw] = servers.map(
      ({ name, server }, index): Contender => ({
        name,
        async measure(): Promise<Reading> {
          const before = server.cpu();
          const done = await crowds[index]?.pace({ redisUrl, messages, every });
          const { median = Number.NaN, p99: late = Number.NaN, deliveries = 0 } = done ?? {};
          return { value: median, cpu: (server.cpu() - before) / deliveries, more: { [p99]: late } };
        },
      }),
    );
    if (!ours || !raw) return { rows: [], notes: [] };
    for (const crowd of crowds) {
      await crowd.open(listeners);
      await crowd.settle();
      await crowd.pace({ redisUrl, ...warmUp });
    }
    const measure = async (title: string, repetitions: number, target: { readonly most?: number }): Promise<Row[]> => {
      const readings = await inTurns([ours, raw], { title, unit: 'ms median', print, unseen: 0, repetitions });
      return [
        compare(readings, [ours, raw], { title: `${title}, median`, unit: 'ms', target }),
        compare(byP99(readings), [ours, raw], { title: `${title}, p99`, unit: 'ms', target }),
      ];
    };
    const title = '10 messages a second to 1,000 sockets';
    const together = keepApart({
      servers: servers.map(({ server }) => server.pid),
      loaders: crowds.map(({ pid }) => pid),
    });
    const apart = await measure(title, 4, { most: 1.2 });
    together?.();
    const shared = together === null ? [] : await measure(`${title}, clients anywhere`, 3, {});
    for (const crowd of crowds) crowd.stop();
    return {
      rows: [...apart, ...shared],
      notes: [
        'From the moment when Redis has the message, which all publish there as soon as it is theirs to deliver (Prosa: when it is committed), until a socket’s client has read it: over all sockets.',
        together === null
          ? 'All processes share the processors: here is one only, or no `taskset`.'
          : 'The server is bound to one processor and the process with the clients to another one, as if clients were on other machines; PostgreSQL and Redis may use both. “Clients anywhere” is the same without that: there Linux often wakes the clients on the server’s processor, where they wait for it to finish; that is told for comparison and has no target.',
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
