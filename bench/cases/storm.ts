import pg from 'pg';
import { z } from 'zod';
import { gatherAudience } from '../harness/audience.ts';
import { type Contender, contest } from '../harness/contest.ts';
import { ask, deploy } from '../harness/deployment.ts';
import { prosa } from '../harness/protocols.ts';
import type { Section } from '../harness/results.ts';
import { type Listener, startCrowd } from '../harness/sockets.ts';

const many = 1_000;
const few = 100;
/** Messages that each socket has missed. */
const behind = 100;

const cursorOf = z.object({ room: z.object({ cursor: z.string() }) });
const sent = z.object({ sendMessage: z.object({ __typename: z.literal('SendMessagePayload') }) });

/**
 * The process that holds the sockets is gone; they all come back at once to one that has just started and remembers
 * nobody, and go on after what they had. Counts what PostgreSQL is asked meanwhile, whoever asks it.
 */
export async function storm(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy({ postgres: { shared_preload_libraries: 'pg_stat_statements' } });
  const client = new pg.Client(deployment.databaseUrl);
  await client.connect();
  try {
    await client.query('CREATE EXTENSION pg_stat_statements');
    const { token, listeners } = await gatherAudience(deployment, { listeners: many, rooms: 1 });
    const { url } = deployment.api;
    const [{ room } = { room: '' }] = listeners;
    const answer = await ask(url, token, 'query ($room: ID!) { room(id: $room) { cursor } }', { room });
    const after = cursorOf.parse(answer).room.cursor;
    const missed = Array.from(
      { length: behind },
      (_, index) => `#${String(index + 1).padStart(7, '0')} while you were away`,
    );
    for (const body of missed) {
      const sending = 'mutation ($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }';
      sent.parse(await ask(url, token, sending, { input: { roomId: room, body } }));
    }

    const returning = (sockets: readonly Listener[]): Contender => ({
      name: `${sockets.length} sockets`,
      async measure() {
        const server = await deployment.start('api');
        const crowd = startCrowd(prosa(server, { token, resumes: true }));
        await client.query('SELECT pg_stat_statements_reset()');
        const before = server.cpu();
        const opened = await crowd.open(sockets, sockets.length);
        const received = await crowd.receive(behind);
        const { rows } = await client.query<{ calls: number }>(
          `SELECT sum(calls)::int AS calls FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'`,
        );
        const cpu = (server.cpu() - before) / (sockets.length * behind);
        const seconds = opened.seconds + received.seconds;
        crowd.stop();
        await server.stop();
        return { value: rows[0]?.calls ?? Number.NaN, cpu, more: { 's until all had everything': seconds } };
      },
    });
    const back = listeners.map((listener) => ({ ...listener, after }));
    const rows = await contest({
      title: `reconnect storm: ${many} sockets resume ${behind} messages behind`,
      unit: 'statements',
      prosa: returning(back),
      peers: [{ contender: returning(back.slice(0, few)), target: { most: 1.2 } }],
      unseen: false,
      print,
    });
    return {
      rows,
      notes: [
        'Each socket is of another person with a token of their own, which the new process sees for the first time. Each has got each message once and in order.',
      ],
    };
  } finally {
    await client.end();
    await deployment.stop();
  }
}
