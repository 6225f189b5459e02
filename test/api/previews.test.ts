import { expect, test } from 'vitest';
import { createTestDatabase } from '../services/database.ts';
import { act, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { listAt, textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { startServer } from '../support/server.ts';

const server = await startServer({ databaseUrl: await createTestDatabase() });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const ben = await server.signIn(person('acme', 'Ben'));

const message = `id kind systemEvent body nonce cursor createdAt editedAt deletedAt mentionsRoom
  author { __typename id name } mentions { id } replyTo { id } room { id unreadCount }`;

test('T5 the last messages in a list are those of each room, whatever they are, and in every form of asking', async () => {
  const group = (name: string) => createRoom(ana, { kind: 'GROUP', name, memberIds: [ben.id] });
  const empty = await createRoom(ana, { kind: 'GROUP', name: 'empty' });
  const [said, deleted, all, edited, answered] = [
    await group('a'),
    await group('b'),
    await group('c'),
    await group('d'),
    await group('e'),
  ];
  await send(ben, said, 'é 💬 "quoted" <!room>', { nonce: 'mine' });
  const before = await send(ana, deleted, 'stays');
  await act(ben, 'deleteMessage', { messageId: (await send(ben, deleted, 'goes')).id });
  await act(ben, 'deleteMessage', { messageId: (await send(ben, all, 'goes too')).id });
  await act(ben, 'editMessage', { messageId: (await send(ben, edited, 'before')).id, body: `after <@${ana.id}>` });
  await send(ana, answered, 'an answer', { replyToId: (await send(ben, answered, 'a question')).id });
  await send(ben, await openDirectRoom(ben, ana.id), 'direct');
  const closed = await createRoom(ana, { kind: 'CHANNEL', name: 'not joined by Ben' });
  await send(ana, closed, 'for members only');
  for (const viewer of [ana, ben]) {
    for (const list of ['OWN', 'CHANNELS']) {
      for (const page of ['first: 20', 'last: 20', 'first: 3']) {
        const listed = `rooms(list: ${list}, ${page})`;
        const single = (id: string) => viewer.query(`{ room(id: "${id}") { lastMessage { ${message} } } }`);
        for (const query of [
          `{ ${listed} { nodes { id lastMessage { ${message} } } } }`,
          `query ($yes: Boolean = true) { ${listed} { ...Page nodes { id } } }
           fragment Page on RoomConnection { nodes { ... @include(if: $yes) { preview: lastMessage { id } lastMessage { ${message} } } } }`,
          `{ ${listed} { edges { node { id ...Preview } } } } fragment Preview on Room { lastMessage { ${message} } }`,
        ]) {
          for (let turn = 0; turn < 2; turn++) {
            const { data, errors } = await viewer.query(query);
            expect(errors).toEqual([]);
            const rooms = query.includes('edges')
              ? listAt(data, 'rooms.edges').map((edge) => Object(edge).node)
              : listAt(data, 'rooms.nodes');
            for (const room of rooms) {
              const { lastMessage } = Object(room);
              const { data: alone } = await single(textAt(room, 'id'));
              expect(lastMessage).toEqual(Object(alone).room.lastMessage);
            }
          }
        }
      }
    }
  }
  const { data } = await ben.query(
    `{ rooms { nodes { id lastMessage { body nonce } } } channels: rooms(list: CHANNELS) { nodes { lastMessage { id } } } }`,
  );
  const shown = new Map(listAt(data, 'rooms.nodes').map((room) => [textAt(room, 'id'), Object(room).lastMessage]));
  expect(shown.get(said)).toEqual({ body: 'é 💬 "quoted" <!room>', nonce: 'mine' });
  expect(shown.get(deleted)).toEqual({ body: 'stays', nonce: null });
  expect(before.id).toMatch(/^msg_/);
  expect(shown.get(all)).toBeNull();
  expect(shown.has(empty)).toBe(false);
  expect(listAt(data, 'channels.nodes')).toEqual([{ lastMessage: null }]);
});
