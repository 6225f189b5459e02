import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { z } from 'zod';
import { decodeId, encodeId } from '../../src/kernel/ids.ts';
import { inBulk } from '../harness/bulk.ts';
import { reaches } from '../harness/contest.ts';
import { ask, deploy } from '../harness/deployment.ts';
import { type Row, round, type Section } from '../harness/results.ts';
import { quantile, spreadOf } from '../harness/statistics.ts';

const rooms = 200;
const messages = 2_000_000;
const senders = 8;
const warmUpMs = 3_000;
const baselineMs = 15_000;
const tellEveryMs = 15_000;

const fill = `
  WITH room AS (
    INSERT INTO rooms (tenant_id, id, kind, name, version, message_count, last_message_seq)
    SELECT $1::uuid, gen_random_uuid(), 'CHANNEL', 'room ' || n, $3::int, $3::int, $3::int
    FROM generate_series(1, $4::int) AS n RETURNING id
  ), member AS (
    INSERT INTO members (tenant_id, room_id, actor_id, role, read_count) SELECT $1, id, $2::uuid, 'OWNER', $3 FROM room
  )
  INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, created_at)
  SELECT $1, gen_random_uuid(), room.id, n, 'TEXT', $2, 'message number ' || n || ' of a room that has many of them',
    CASE WHEN n <= $3 / 2 THEN now() - interval '400 days' ELSE now() - interval '1 day' END + n * interval '1 ms'
  FROM room CROSS JOIN generate_series(1, $3::int) AS n`;

const sending = `mutation ($input: SendMessageInput!) {
  sendMessage(input: $input) { __typename }
}`;
const purging = `mutation ($input: PurgeMessagesInput!) {
  purgeMessages(input: $input) { ... on PurgeMessagesPayload { purge { id } } ... on UserError { reason } }
}`;
const watching = `query ($id: ID!) { node(id: $id) { ... on Purge { status rows } } }`;

const viewer = z.object({ viewer: z.object({ actor: z.object({ id: z.string() }) }) });
const purgeStarted = z.object({ purgeMessages: z.object({ purge: z.object({ id: z.string() }) }) });
const purgeState = z.object({ node: z.object({ status: z.string(), rows: z.number() }) });

/**
 * How long sends take while one million of two million messages are purged for good, against the same without a purge.
 * Sends go over HTTP to a process of the role `api`; the purge runs in one of the role `worker`.
 */
export async function purge(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  const client = new pg.Client(deployment.databaseUrl);
  try {
    const { url } = deployment.api;
    const token = await deployment.token('ana', 'admin');
    const { actor } = viewer.parse(await ask(url, token, '{ viewer { actor { id } } }', {})).viewer;
    await client.connect();
    const { rows: tenants } = await client.query<{ id: string }>('SELECT id FROM tenants');
    print(`filling ${rooms} rooms with ${messages} messages …`);
    const tenantId = tenants[0]?.id;
    const authorId = decodeId(actor.id)?.uuid;
    await inBulk(deployment.databaseUrl, 'messages', [
      async (writer) => {
        await writer.query(fill, [tenantId, authorId, messages / rooms, rooms]);
      },
    ]);
    await client.query('VACUUM ANALYZE');
    const { rows: found } = await client.query<{ id: string }>('SELECT id FROM rooms');
    const roomIds = found.map(({ id }) => encodeId('Room', id));
    await deployment.start('worker');

    const send = async (until: () => boolean): Promise<number[]> => {
      const times: number[] = [];
      await Promise.all(
        Array.from({ length: senders }, async () => {
          while (!until()) {
            const roomId = roomIds[Math.floor(Math.random() * roomIds.length)];
            const started = performance.now();
            await ask(url, token, sending, { input: { roomId, body: 'Hello in the meantime' } });
            times.push(performance.now() - started);
          }
        }),
      );
      return times;
    };
    const endAt = (time: number) => () => performance.now() > time;

    await send(endAt(performance.now() + warmUpMs));
    const without = await send(endAt(performance.now() + baselineMs));
    print(`without a purge: ${show(without)}`);

    const before = new Date(Date.now() - 200 * 86_400_000).toISOString();
    const started = performance.now();
    const answer = await ask(url, token, purging, { input: { before, mode: 'PERMANENT' } });
    const { id } = purgeStarted.parse(answer).purgeMessages.purge;
    let status = '';
    const done = () => status === 'DONE' || status === 'FAILED';
    const watch = async () => {
      let told = started;
      while (!done()) {
        const { node } = purgeState.parse(await ask(url, token, watching, { id }));
        status = node.status;
        if (performance.now() - told > tellEveryMs) {
          told = performance.now();
          print(`${node.rows} messages purged in ${round((told - started) / 1000)} s`);
        }
        await delay(500);
      }
    };
    const [during] = await Promise.all([send(done), watch()]);
    const seconds = ((performance.now() - started) / 1000).toFixed(0);
    print(`during a purge:  ${show(during)}; it took ${seconds} s (${status})`);
    const { rows: left } = await client.query<{ left: string }>(
      'SELECT count(*) AS left FROM messages WHERE created_at < $1',
      [before],
    );
    if (status !== 'DONE' || left[0]?.left !== '0') throw new Error(`${status}, ${left[0]?.left} messages are left`);
    const figures = { prosa: show(during), peer: show(without) };
    return {
      rows: [
        row(
          'send while 1M of 2M messages are purged, median',
          'without a purge',
          quantile(during, 0.5) / quantile(without, 0.5),
          1.5,
          figures,
        ),
        row('the longest of these sends', 'one second', quantile(during, 1) / 1000, 1, figures),
      ],
      notes: [
        `The purge took ${seconds} s, in one worker, with ${senders} clients sending all the time; measured once.`,
      ],
    };
  } finally {
    await client.end().catch(() => undefined);
    await deployment.stop();
  }
}

function row(what: string, against: string, ratio: number, most: number, figures: Pick<Row, 'prosa' | 'peer'>): Row {
  const spread = spreadOf([ratio]);
  return { what, against, ratio: spread, target: { most }, reached: reaches(spread, { most }), ...figures };
}

function show(times: readonly number[]): string {
  const [median, p99] = [quantile(times, 0.5), quantile(times, 0.99)].map(round);
  return `${times.length} sends, median ${median} ms, p99 ${p99} ms, longest ${round(quantile(times, 1))} ms`;
}
