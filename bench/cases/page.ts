import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { roomPosition } from '../../src/events/position.ts';
import { decodeId } from '../../src/kernel/ids.ts';
import { type Contestant, showTheSame } from '../harness/agreement.ts';
import { contest, type Target } from '../harness/contest.ts';
import { deploy, startPeer } from '../harness/deployment.ts';
import { getting, overHttp, posting } from '../harness/http.ts';
import type { Row, Section } from '../harness/results.ts';
import { fill, type World } from '../harness/world.ts';

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
const ofPostGraphile = `query Page($roomId: UUID!, $before: BigInt!) {
  allMessages(first: 50, orderBy: SEQ_DESC, condition: { roomId: $roomId, before: $before }) {
    nodes { id: rowId seq body createdAt author: actorByTenantIdAndAuthorId { id: rowId name pictureUrl } }
  }
}`;

/** A message as every contestant has to show it, with the ids of the database. */
const message = z.object({
  id: z.string(),
  body: z.string(),
  author: z.object({ id: z.string(), name: z.string(), pictureUrl: z.string() }),
});

const ofProsa = z.object({ data: z.object({ room: z.object({ messages: z.object({ nodes: z.array(message) }) }) }) });
const ofPlain = z.object({ data: z.object({ messages: z.array(message) }) });
const ofConnection = z.object({ data: z.object({ allMessages: z.object({ nodes: z.array(message) }) }) });

const uuidOf = (id: string) => decodeId(id)?.uuid ?? '';
const shownByProsa = (answer: unknown) =>
  ofProsa.parse(answer).data.room.messages.nodes.map(({ id, body, author }) => ({
    ...{ id: uuidOf(id), body },
    author: { ...author, id: uuidOf(author.id) },
  }));
const shownByPlain = (answer: unknown) => ofPlain.parse(answer).data.messages;
const shownByPostGraphile = (answer: unknown) => ofConnection.parse(answer).data.allMessages.nodes.toReversed();

/** Stands in each answer: the last message of a page. */
const expects = `"message number ${middle - 1} of`;

/** A page of 50 messages with their authors, from the middle of a million messages in a thousand rooms. */
export async function page(print: (line: string) => void): Promise<Section> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'prosa-bench-'));
  const hash = createHash('sha256').update(query).digest('hex');
  const manifest = path.join(folder, 'operations.json');
  await writeFile(manifest, JSON.stringify({ [hash]: query }));
  const deployment = await deploy({ settings: { PERSISTED_OPERATIONS: manifest } });
  try {
    print(`filling ${size.rooms} rooms with ${size.messagesPerRoom} messages each …`);
    const world = await fill(deployment, size);
    const { token } = world;
    const { api, databaseCpu } = deployment;
    const start = (name: string) => startPeer(deployment, name, world.tenantId);
    const [yogaPg, postgraphile, nodePg] = [await start('yogaPg'), await start('postgraphile'), await start('nodePg')];

    const ofRooms = <T>(give: (room: World['rooms'][number]) => T) => world.rooms.map(give);
    const ours = ofRooms(({ id, uuid }) => ({ roomId: id, before: roomPosition(uuid, BigInt(middle)) }));
    const theirs = ofRooms(({ uuid }) => ({ roomId: uuid, before: middle }));
    const prosa: Contestant = {
      name: 'Prosa',
      server: api,
      asked: posting(
        api.url,
        token,
        ours.map((variables) => ({ query, variables })),
        expects,
      ),
      shown: shownByProsa,
    };
    const persisted: Contestant = {
      ...prosa,
      asked: getting(
        api.url,
        token,
        ours.map((variables) => ({
          variables: JSON.stringify(variables),
          extensions: JSON.stringify({ persistedQuery: { version: 1, sha256Hash: hash } }),
        })),
        expects,
      ),
    };
    const postingTo = (url: string, text: string) =>
      posting(
        url,
        token,
        theirs.map((variables) => ({ query: text, variables })),
        expects,
      );
    const yoga: Contestant = {
      name: 'yoga + pg by hand',
      server: yogaPg,
      asked: postingTo(yogaPg.url, byHand),
      shown: shownByPlain,
    };
    const graphile: Contestant = {
      name: 'PostGraphile 5',
      server: postgraphile,
      asked: postingTo(postgraphile.url, ofPostGraphile),
      shown: shownByPostGraphile,
    };
    const json: Contestant = {
      name: 'node:http + pg, JSON',
      server: nodePg,
      asked: getting(
        nodePg.url,
        token,
        theirs.map(({ roomId, before }) => ({ roomId, before: String(before) })),
        expects,
      ),
      shown: shownByPlain,
    };

    const all = [prosa, persisted, yoga, graphile, json];
    await showTheSame(all, [0, 17, size.rooms - 1], 50);
    const rows: Row[] = [];
    // The most first: by the time when there is one, all that runs has been compiled and every cache is full.
    for (const connections of [64, 16, 1]) {
      const options = { connections, seconds: 1, databaseCpu };
      const against = (contestant: Contestant, target: Target) => ({
        contender: overHttp(contestant, options),
        target,
      });
      const measure = async (title: string, ...[ofUs, ...peers]: [Contestant, ...ReturnType<typeof against>[]]) =>
        rows.push(
          ...(await contest({
            title: `${title}, ${connections} connections`,
            unit: 'requests/s',
            prosa: overHttp(ofUs, options),
            peers,
            print,
            unseen: connections === 64 ? 4 : 0,
            repetitions: 9,
          })),
        );
      await measure('page of 50', prosa, against(yoga, { least: 1.3 }), against(graphile, { least: 2 }));
      await measure('page of 50, persisted operation', persisted, against(json, { least: 0.7 }));
    }
    await showTheSame(all, [0, 17, size.rooms - 1], 50);
    return {
      rows,
      notes: [
        'All verify the token once and keep whose it is, and ask with every page whether the viewer is a member. They have shown the same 50 messages before and after.',
        'PostGraphile answers its own connection of the table; a plugin adds the condition on membership. It gives no cursors for the messages, and as the other peers it has no limits, log or metrics.',
      ],
    };
  } finally {
    await deployment.stop();
    await rm(folder, { recursive: true });
  }
}
