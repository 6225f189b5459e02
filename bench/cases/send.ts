import pg from 'pg';
import { contest } from '../harness/contest.ts';
import { type Deployment, deploy, startPeer } from '../harness/deployment.ts';
import { overHttp, posting, type Served } from '../harness/http.ts';
import { pgbench } from '../harness/pgbench.ts';
import type { Row, Section } from '../harness/results.ts';
import { fill, type World } from '../harness/world.ts';

const size = { rooms: 1_000, messagesPerRoom: 1_000 };
const connections = 64;

const mutation = `mutation Send($input: SendMessageInput!) {
  sendMessage(input: $input) {
    __typename
    ... on SendMessagePayload { cursor message { id createdAt } }
    ... on UserError { code reason }
  }
}`;
const byHand = `mutation Send($roomId: ID!, $body: String!, $nonce: String!) {
  send(roomId: $roomId, body: $body, nonce: $nonce) { id seq createdAt }
}`;
// As in peers/yogaPg.ts.
const statement = `
  WITH room AS (
    UPDATE rooms SET version = version + 1, message_count = message_count + 1, last_message_seq = version + 1,
      last_activity_at = now()
    WHERE tenant_id = :tenant AND id = :room
      AND EXISTS (SELECT FROM members WHERE tenant_id = :tenant AND room_id = :room AND actor_id = :viewer) RETURNING version
  )
  INSERT INTO messages (tenant_id, id, room_id, seq, kind, author_id, body, nonce)
  SELECT :tenant, gen_random_uuid(), :room, version, 'TEXT', :viewer, :body, gen_random_uuid()::text FROM room
  RETURNING id, seq, created_at`;
const body = 'A message of the usual length, to see how many of them can be sent';

/** Sends at 64 connections, over a thousand rooms and all into one. */
export async function send(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    print(`filling ${size.rooms} rooms with ${size.messagesPerRoom} messages each …`);
    const world = await fill(deployment, size);
    const { tenantId, token, viewerId } = world;
    const { api, databaseCpu } = deployment;
    const yogaPg = await startPeer(deployment, 'yogaPg', tenantId);
    const acknowledged: string[] = [];
    const sending = ({ name, server, asked }: Served, nonce: string) =>
      overHttp(
        { name, server, asked },
        {
          ...{ connections, databaseCpu },
          onAnswered: (numbers) => numbers.forEach((each) => void acknowledged.push(`${nonce}-${each}`)),
        },
      );
    const ofProsa = (rooms: World['rooms']) =>
      sending(
        {
          name: 'Prosa',
          server: api,
          asked: posting(
            api.url,
            token,
            rooms.map(({ id }) => ({
              query: mutation,
              variables: { input: { roomId: id, body, nonce: 'prosa-{n}' } },
            })),
            '"SendMessagePayload"',
          ),
        },
        'prosa',
      );
    const ofYoga = sending(
      {
        name: 'yoga + pg, one statement',
        server: yogaPg,
        asked: posting(
          yogaPg.url,
          token,
          world.rooms.map(({ uuid }) => ({ query: byHand, variables: { roomId: uuid, body, nonce: 'yoga-{n}' } })),
          '"createdAt"',
        ),
      },
      'yoga',
    );
    const [room] = world.rooms.slice(-1);
    if (!room) throw new Error('there is no room');
    const rows: Row[] = await contest({
      title: `send, over 1,000 rooms, ${connections} connections`,
      unit: 'sends/s',
      prosa: ofProsa(world.rooms),
      peers: [{ contender: ofYoga, target: { least: 1.2 } }],
      print,
    });
    rows.push(
      ...(await contest({
        title: `send, into one room, ${connections} connections`,
        unit: 'sends/s',
        prosa: ofProsa([room]),
        peers: [
          {
            contender: pgbench(deployment, {
              statement,
              variables: { tenant: tenantId, room: room.uuid, viewer: viewerId, body: 'A-message' },
              clients: connections,
            }),
            target: { least: 4 },
          },
        ],
        print,
      })),
    );
    await checkSends(deployment, acknowledged);
    print(`each of the ${acknowledged.length} sends that were acknowledged is there once, and no room's log has a gap`);
    return {
      rows,
      notes: [
        'Prosa checks the room, its members, limits and the nonce, moves the counters of the room and of its author, and tells Redis. Yoga checks the membership and moves the counters of the room; pgbench does the same without HTTP.',
        `Each of the ${acknowledged.length} sends that were acknowledged was found once, and all rooms without a gap.`,
      ],
    };
  } finally {
    await deployment.stop();
  }
}

/** @throws where one is lost or there twice, or where a room's versions have a gap. */
async function checkSends({ databaseUrl }: Deployment, nonces: readonly string[]): Promise<void> {
  const client = new pg.Client(databaseUrl);
  await client.connect();
  try {
    const { rows: found } = await client.query<{ sent: string; once: string }>(
      `SELECT count(*) AS sent, count(DISTINCT nonce) AS once FROM messages WHERE nonce = ANY($1::text[])`,
      [nonces],
    );
    const counts = `${found[0]?.sent} messages, ${found[0]?.once} nonces`;
    if (counts !== `${nonces.length} messages, ${nonces.length} nonces`) {
      throw new Error(`of ${nonces.length} acknowledged sends there are ${counts}`);
    }
    const { rows: gaps } = await client.query<{ id: string }>(
      `SELECT rooms.id FROM rooms JOIN messages ON (messages.tenant_id, room_id) = (rooms.tenant_id, rooms.id)
       GROUP BY rooms.tenant_id, rooms.id
       HAVING (count(*), max(seq), min(seq), max(message_count)) <> (version, version, 1, version)`,
    );
    if (gaps.length > 0) throw new Error(`${gaps.length} rooms have gaps`);
  } finally {
    await client.end();
  }
}
