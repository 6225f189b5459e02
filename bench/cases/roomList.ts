import { z } from 'zod';
import { decodeId } from '../../src/kernel/ids.ts';
import { type Contestant, showTheSame } from '../harness/agreement.ts';
import { contest } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { overHttp, posting } from '../harness/http.ts';
import type { Row, Section } from '../harness/results.ts';
import { fill } from '../harness/world.ts';

const size = { rooms: 1_000, messagesPerRoom: 1_000 };

const room = 'id name unreadCount lastActivityAt lastMessage { id body createdAt author { id name pictureUrl } }';
const query = `query Rooms { rooms(first: 50) { nodes { ${room} } } }`;
const byHand = `query Rooms { rooms { ${room} } }`;

const rooms = z.array(
  z.object({
    id: z.string(),
    name: z.string(),
    unreadCount: z.number(),
    lastMessage: z.object({ id: z.string(), body: z.string(), author: z.object({ id: z.string(), name: z.string() }) }),
  }),
);
const ofProsa = z.object({ data: z.object({ rooms: z.object({ nodes: rooms }) }) });
const ofPlain = z.object({ data: z.object({ rooms }) });

const uuidOf = (id: string) => decodeId(id)?.uuid ?? '';
const shownByProsa = (answer: unknown) =>
  ofProsa.parse(answer).data.rooms.nodes.map(({ lastMessage: { author, ...message }, ...each }) => ({
    ...{ ...each, id: uuidOf(each.id) },
    lastMessage: { ...message, id: uuidOf(message.id), author: { ...author, id: uuidOf(author.id) } },
  }));

/** The 50 rooms that were active last, of a thousand that the viewer is a member of, with unread counts and previews. */
export async function roomList(print: (line: string) => void): Promise<Section> {
  const deployment = await deploy();
  try {
    print(`filling ${size.rooms} rooms with ${size.messagesPerRoom} messages each …`);
    const { tenantId, token } = await fill(deployment, size);
    const { api, databaseCpu } = deployment;
    const yogaPg = await startPeer(deployment, 'yogaPg', tenantId);
    // The last message of one of the rooms.
    const expects = `"message number ${size.messagesPerRoom} of`;
    const prosa: Contestant = {
      name: 'Prosa',
      server: api,
      asked: posting(api.url, token, [{ query }], expects),
      shown: shownByProsa,
    };
    const yoga: Contestant = {
      name: 'yoga + pg by hand',
      server: yogaPg,
      asked: posting(yogaPg.url, token, [{ query: byHand }], expects),
      shown: (answer) => ofPlain.parse(answer).data.rooms,
    };
    await showTheSame([prosa, yoga], [0], 50);
    const rows: Row[] = [];
    // The most first: by the time when there is one, all that runs has been compiled and every cache is full.
    for (const connections of [64, 16, 1]) {
      const options = { connections, seconds: 1, databaseCpu };
      rows.push(
        ...(await contest({
          title: `50 of 1,000 rooms, ${connections} connections`,
          unit: 'requests/s',
          prosa: overHttp(prosa, options),
          peers: [{ contender: overHttp(yoga, options), target: { least: 1 } }],
          print,
          unseen: connections === 64 ? 4 : 0,
          repetitions: 9,
        })),
      );
    }
    await showTheSame([prosa, yoga], [0], 50);
    return { rows, notes: ['Both have shown the same rooms, unread counts and previews before and after.'] };
  } finally {
    await deployment.stop();
  }
}
