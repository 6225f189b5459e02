import pg from 'pg';
import { z } from 'zod';
import { gatherAudience } from '../harness/audience.ts';
import { fewest, reaches } from '../harness/contest.ts';
import { ask, deploy } from '../harness/deployment.ts';
import { prosa } from '../harness/protocols.ts';
import { type Row, round, type Section } from '../harness/results.ts';
import { type Listener, startCrowd } from '../harness/sockets.ts';
import { spreadOf } from '../harness/statistics.ts';

const many = 1_000;
const few = 100;
/** Messages that each socket has missed. */
const behind = 100;
/** They grow with the time that all take to come back, a little; not with the sockets. */
const target = { most: 0.05 };

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

    const statementsFor = async (sockets: readonly Listener[]): Promise<number> => {
      const server = await deployment.start('api');
      const crowd = startCrowd(prosa(server, { token, resumes: true }));
      await client.query('SELECT pg_stat_statements_reset()');
      const opened = await crowd.open(sockets, sockets.length);
      const received = await crowd.receive(behind);
      const { rows } = await client.query<{ calls: number }>(
        `SELECT sum(calls)::int AS calls FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'`,
      );
      crowd.stop();
      await server.stop();
      const calls = rows[0]?.calls ?? Number.NaN;
      const seconds = opened.seconds + received.seconds;
      print(`${sockets.length} sockets: ${calls} statements, ${round(seconds)} s until all had everything`);
      return calls;
    };
    const back = listeners.map((listener) => ({ ...listener, after }));
    const ofMany: number[] = [];
    const ofFew: number[] = [];
    for (let repetition = 0; repetition < fewest; repetition++) {
      ofFew.push(await statementsFor(back.slice(0, few)));
      ofMany.push(await statementsFor(back));
    }
    const ratio = spreadOf(ofMany.map((calls, index) => (calls - (ofFew[index] ?? Number.NaN)) / (many - few)));
    const row: Row = {
      what: `reconnect storm, ${behind} messages behind: statements for each socket more`,
      against: 'one for a socket',
      ratio,
      target,
      reached: reaches(ratio, target),
      prosa: `${round(spreadOf(ofMany).median)} statements for ${many} sockets`,
      peer: `${round(spreadOf(ofFew).median)} statements for ${few} sockets (Prosa too)`,
    };
    return {
      rows: [row],
      notes: [
        'Each socket is of another person with a token of their own, which the new process sees for the first time. Each has got each message once and in order.',
      ],
    };
  } finally {
    await client.end();
    await deployment.stop();
  }
}
