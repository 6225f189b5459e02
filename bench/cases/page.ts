import { roomPosition } from '../../src/events/position.ts';
import { contest } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { type Asked, overHttp } from '../harness/http.ts';
import type { Row, Section } from '../harness/results.ts';
import { fill } from '../harness/world.ts';

const size = { rooms: 1_000, messagesPerRoom: 1_000 };
const middle = size.messagesPerRoom / 2;

const query = `query Page($roomId: ID!, $before: String!) {
  room(id: $roomId) {
    messages(last: 50, before: $before) { nodes { id cursor body createdAt author { id name pictureUrl } } }
  }
}`;
const byHand = `query Page($roomId: ID!, $before: Int!) {
  messages(roomId: $roomId, before: $before) { id seq body createdAt author { id name pictureUrl } }
}`;

/** A page of 50 messages with their authors, from the middle of a million messages in a thousand rooms. */
export async function page(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    print(`filling ${size.rooms} rooms with ${size.messagesPerRoom} messages each …`);
    const { tenantId, token, rooms } = await fill(deployment, size);
    const yogaPg = await startPeer(deployment, 'yogaPg', tenantId);
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const posting = (url: string, bodies: readonly object[]): Asked => ({
      headers,
      method: 'POST',
      requests: bodies.map((body) => ({ path: new URL(url).pathname, body: JSON.stringify(body) })),
    });
    const { api, databaseCpu } = deployment;
    const ofProsa = posting(
      api.url,
      rooms.map(({ id, uuid }) => ({
        query,
        variables: { roomId: id, before: roomPosition(uuid, BigInt(middle)) },
      })),
    );
    const ofYoga = posting(
      yogaPg.url,
      rooms.map(({ uuid }) => ({ query: byHand, variables: { roomId: uuid, before: middle } })),
    );
    const rows: Row[] = [];
    for (const connections of [1, 16, 64]) {
      const options = { connections, databaseCpu };
      rows.push(
        ...(await contest({
          title: `page of 50, ${connections} connections`,
          unit: 'requests/s',
          prosa: overHttp('Prosa', api, ofProsa, options),
          peers: [{ contender: overHttp('yoga + pg by hand', yogaPg, ofYoga, options), target: { least: 1.3 } }],
          print,
        })),
      );
    }
    return { rows, notes: [] };
  } finally {
    await deployment.stop();
  }
}
