import { describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, attempt, createRoom, openDirectRoom, send } from '../support/acting.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person } from '../support/people.ts';
import { startServer } from '../support/server.ts';

// One story, in which each test goes on where the one before it ended. Two processes serve it as one.

const databaseUrl = await createTestDatabase();
const { url: redisUrl } = createTestRedis();
const [here, there] = await Promise.all([
  startServer({ databaseUrl, redisUrl }),
  startServer({ databaseUrl, redisUrl }),
]);
const ana = await here.signIn(person('acme', 'Ana', 'admin'));
const bruno = await there.signIn(person('acme', 'Bruno'));
const carla = await here.signIn(person('acme', 'Carla'));
const diego = await there.signIn(person('acme', 'Diego'));
const wanda = await here.signIn(person('globex', 'Wanda', 'admin'));

const pageDocument = `query Page($room: ID!, $first: Int, $last: Int, $after: String, $before: String) {
  room(id: $room) {
    cursor
    messages(first: $first, last: $last, after: $after, before: $before) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      nodes { id kind body deletedAt editedAt systemEvent author { name } replyTo { id body } cursor }
    }
  }
}`;

const roomsDocument = `query Rooms($list: RoomList! = OWN) {
  rooms(list: $list) { nodes { id kind name unreadCount lastMessage { body author { name } } } }
}`;

const addedDocument = `subscription Added($room: ID!, $after: String) {
  messageAdded(roomId: $room, after: $after) {
    __typename
    ... on MessageAdded { cursor message { id body author { name } } }
  }
}`;

const changedDocument = `subscription Changed($room: ID!, $after: String) {
  messageChanged(roomId: $room, after: $after) {
    __typename
    ... on MessageEdited { message { id body editedAt } }
    ... on MessageDeleted { message { id body deletedAt } deletedBy { name } }
  }
}`;

const eventsDocument = `subscription Events($room: ID!, $after: String) {
  roomEvents(roomId: $room, after: $after) {
    __typename
    ... on RoomChange { cursor }
    ... on ReadMarkerMoved { member { name } readCursor readAt }
  }
}`;

async function cursorOf(client: typeof ana, room: string): Promise<string> {
  return textAt(
    (await client.query('query Cursor($room: ID!) { room(id: $room) { cursor } }', { room })).data,
    'room.cursor',
  );
}

async function roomsOf(client: typeof ana, list = 'OWN'): Promise<unknown[]> {
  return listAt((await client.query(roomsDocument, { list })).data, 'rooms.nodes');
}

async function bodiesOf(client: typeof ana, room: string): Promise<unknown[]> {
  const { data } = await client.query(pageDocument, { room });
  return listAt(data, 'room.messages.nodes').map((node) => at(node, 'body'));
}

let direct: string;
let group: string;
let channel: string;

describe('rooms', () => {
  test('T1, T2 a direct room is opened by either side, and is the same one', async () => {
    direct = await openDirectRoom(ana, bruno.id);
    expect(await openDirectRoom(bruno, ana.id)).toBe(direct);
    const { data } = await bruno.query(
      'query Room($id: ID!) { room(id: $id) { kind name creator { name } memberCount members { nodes { role actor { name } } } } }',
      { id: direct },
    );
    expect(at(data, 'room')).toEqual({
      kind: 'DIRECT',
      name: null,
      creator: { name: 'Ana' },
      memberCount: 2,
      members: {
        nodes: expect.arrayContaining([
          { role: 'MEMBER', actor: { name: 'Ana' } },
          { role: 'MEMBER', actor: { name: 'Bruno' } },
        ]),
      },
    });
  });

  test('T1, T3 an admin creates a group and a channel, and owns them', async () => {
    group = await createRoom(ana, { kind: 'GROUP', name: 'Launch', memberIds: [bruno.id, carla.id] });
    const created = await act(
      ana,
      'createRoom',
      { kind: 'CHANNEL', name: ' general ', topic: 'Everything' },
      'room { id name topic createdAt viewerMember { role } }',
    );
    channel = textAt(created, 'room.id');
    expect(at(created, 'room')).toEqual({
      id: channel,
      name: 'general',
      topic: 'Everything',
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      viewerMember: { role: 'OWNER' },
    });
  });

  test('T4 a channel is listed to the tenant and joined by who likes; a group is seen by its members only', async () => {
    const listed = await roomsOf(diego, 'CHANNELS');
    expect(listed).toMatchObject([{ id: channel, name: 'general', unreadCount: 0, lastMessage: null }]);
    expect(await roomsOf(diego)).toEqual([]);
    expect((await diego.query(pageDocument, { room: channel })).data).toMatchObject({ room: { messages: null } });
    expect((await diego.query(pageDocument, { room: group })).data).toEqual({ room: null });
    for (const client of [bruno, carla, diego]) await act(client, 'joinRoom', { roomId: channel });
    expect(await roomsOf(diego)).toMatchObject([{ id: channel }]);
    expect((await attempt(diego, 'joinRoom', { roomId: group })).data).toMatchObject({
      joinRoom: { __typename: 'NotFoundError', code: 'NOT_FOUND' },
    });
    expect(await bodiesOf(ana, channel)).toEqual(['Bruno joined', 'Carla joined', 'Diego joined']);
  });

  test('T3 the owner makes a moderator, who adds and removes members; a member mutes the room for himself', async () => {
    await act(ana, 'setMemberRole', { roomId: group, userId: bruno.id, role: 'MODERATOR' });
    await act(bruno, 'addMembers', { roomId: group, userIds: [diego.id] });
    await act(bruno, 'removeMember', { roomId: group, userId: diego.id });
    expect((await diego.query(pageDocument, { room: group })).data).toEqual({ room: null });
    const muted = await act(
      carla,
      'muteRoom',
      { roomId: group },
      'room { viewerMember { muted } members { nodes { muted actor { name } } } }',
    );
    expect(at(muted, 'room.viewerMember.muted')).toBe(true);
    expect(at(muted, 'room.members.nodes')).toEqual(
      [
        { muted: null, actor: { name: 'Ana' } },
        { muted: null, actor: { name: 'Bruno' } },
        { muted: true, actor: { name: 'Carla' } },
      ].toSorted((a, b) => order(muted, a.actor.name) - order(muted, b.actor.name)),
    );
  });

  // Who was added in one statement joined in one moment, and is listed by id.
  function order(muted: unknown, name: string): number {
    return listAt(muted, 'room.members.nodes').findIndex((node) => at(node, 'actor.name') === name);
  }
});

describe('messages', () => {
  test('T6 the page is the newest 50 by default, and pages lead back to the first and forth again', async () => {
    for (let index = 1; index <= 120; index++) await send(ana, direct, `message ${index}`);
    const newest = await bruno.query(pageDocument, { room: direct });
    expect(listAt(newest.data, 'room.messages.nodes').map((node) => at(node, 'body'))).toEqual(numbered(71, 120));
    expect(at(newest.data, 'room.messages.pageInfo')).toMatchObject({ hasPreviousPage: true, hasNextPage: false });
    const older = await bruno.query(pageDocument, {
      room: direct,
      last: 70,
      before: textAt(newest.data, 'room.messages.pageInfo.startCursor'),
    });
    expect(listAt(older.data, 'room.messages.nodes').map((node) => at(node, 'body'))).toEqual(numbered(1, 70));
    expect(at(older.data, 'room.messages.pageInfo')).toMatchObject({ hasPreviousPage: false, hasNextPage: true });
    const forth = await bruno.query(pageDocument, {
      room: direct,
      first: 100,
      after: textAt(older.data, 'room.messages.nodes.69.cursor'),
    });
    expect(listAt(forth.data, 'room.messages.nodes').map((node) => at(node, 'body'))).toEqual(numbered(71, 120));
  });

  test('T5 rooms come by last activity, with a preview and what is unread', async () => {
    await send(ana, channel, 'to everybody');
    await send(bruno, group, 'to the group');
    expect(await roomsOf(bruno)).toEqual([
      {
        id: group,
        kind: 'GROUP',
        name: 'Launch',
        unreadCount: 0,
        lastMessage: { body: 'to the group', author: { name: 'Bruno' } },
      },
      {
        id: channel,
        kind: 'CHANNEL',
        name: 'general',
        unreadCount: 1,
        lastMessage: { body: 'to everybody', author: { name: 'Ana' } },
      },
      {
        id: direct,
        kind: 'DIRECT',
        name: null,
        unreadCount: 120,
        lastMessage: { body: 'message 120', author: { name: 'Ana' } },
      },
    ]);
  });

  test('T9 reading moves forward only, and takes a room from 120 unread to 50 to none', async () => {
    const { data } = await bruno.query(pageDocument, { room: direct, last: 51 });
    const read = (messageId?: string) => act(bruno, 'markRead', { roomId: direct, messageId }, 'room { unreadCount }');
    expect(await read(textAt(data, 'room.messages.nodes.0.id'))).toMatchObject({ room: { unreadCount: 50 } });
    const first = await bruno.query(pageDocument, { room: direct, first: 1 });
    expect(await read(textAt(first.data, 'room.messages.nodes.0.id'))).toMatchObject({ room: { unreadCount: 50 } });
    expect(await read()).toMatchObject({ room: { unreadCount: 0 } });
  });

  test('T13 opening a room reads it in the same request, and tells the others', async () => {
    const follower = ana.subscribe(eventsDocument, { room: channel, after: await cursorOf(ana, channel) });
    const message = await send(ana, channel, 'have you read this?');
    expect(await follower.next()).toMatchObject({ roomEvents: { __typename: 'MessageAdded', cursor: message.cursor } });
    const opened = await act(
      bruno,
      'markRead',
      { roomId: channel },
      'room { unreadCount messages(last: 1) { nodes { body } } }',
    );
    expect(at(opened, 'room')).toEqual({ unreadCount: 0, messages: { nodes: [{ body: 'have you read this?' }] } });
    expect(await follower.next()).toEqual({
      roomEvents: {
        __typename: 'ReadMarkerMoved',
        member: { name: 'Bruno' },
        readCursor: message.cursor,
        readAt: expect.any(String),
      },
    });
    await follower.stop();
  });

  test('R6 a repeated send gives the first message', async () => {
    const first = await send(carla, group, 'once', { nonce: 'n-1' });
    expect(await send(carla, group, 'something else', { nonce: 'n-1' })).toEqual(first);
    expect(await bodiesOf(ana, group)).toEqual(['Bruno added Diego', 'Bruno removed Diego', 'to the group', 'once']);
    // The nonce is the sender's own: others neither see it nor collide with it.
    const { data } = await ana.query('query Node($id: ID!) { node(id: $id) { ... on Message { nonce } } }', {
      id: first.id,
    });
    expect(data).toEqual({ node: { nonce: null } });
    expect((await send(bruno, group, 'twice', { nonce: 'n-1' })).id).not.toBe(first.id);
  });

  test.each(['WebSocket', 'server-sent events'])(
    'R1, R2 messages, edits and deletions come live over %s',
    async (transport) => {
      const after = await cursorOf(bruno, group);
      const open = (document: string) =>
        transport === 'WebSocket'
          ? bruno.subscribe(document, { room: group, after })
          : bruno.stream(document, { room: group, after });
      const [added, changed] = [open(addedDocument), open(changedDocument)];
      const { id, cursor } = await send(carla, group, 'live');
      expect(await added.next()).toEqual({
        messageAdded: { __typename: 'MessageAdded', cursor, message: { id, body: 'live', author: { name: 'Carla' } } },
      });
      await act(carla, 'editMessage', { messageId: id, body: 'alive' });
      expect(await changed.next()).toEqual({
        messageChanged: { __typename: 'MessageEdited', message: { id, body: 'alive', editedAt: expect.any(String) } },
      });
      await act(ana, 'deleteMessage', { messageId: id });
      expect(await changed.next()).toEqual({
        messageChanged: {
          __typename: 'MessageDeleted',
          message: { id, body: null, deletedAt: expect.any(String) },
          deletedBy: { name: 'Ana' },
        },
      });
      expect(added.received).toHaveLength(1);
      expect([...added.failures, ...changed.failures]).toEqual([]);
      await Promise.all([added.stop(), changed.stop()]);
    },
  );

  test('T7, T8 an edit keeps what was said before, a reply shows what it answers, and a mention whom it names', async () => {
    const original = await send(ana, group, 'firts');
    await act(ana, 'editMessage', { messageId: original.id, body: 'first' });
    await act(ana, 'editMessage', { messageId: original.id, body: 'First' });
    const reply = await send(bruno, group, `I agree, <@${carla.id}>`, { replyToId: original.id });
    const { data } = await carla.query(
      `query Nodes($ids: [ID!]!) { nodes(ids: $ids) { ... on Message {
        kind body editedAt edits { nodes { body editor { name } } } replyTo { body } replies { nodes { id } } mentions { name }
      } } }`,
      { ids: [original.id, reply.id] },
    );
    expect(at(data, 'nodes')).toEqual([
      {
        kind: 'TEXT',
        body: 'First',
        editedAt: expect.any(String),
        edits: {
          nodes: [
            { body: 'firts', editor: { name: 'Ana' } },
            { body: 'first', editor: { name: 'Ana' } },
          ],
        },
        replyTo: null,
        replies: { nodes: [{ id: reply.id }] },
        mentions: [],
      },
      {
        kind: 'MENTION',
        body: `I agree, <@${carla.id}>`,
        editedAt: null,
        edits: { nodes: [] },
        replyTo: { body: 'First' },
        replies: { nodes: [] },
        mentions: [{ name: 'Carla' }],
      },
    ]);
  });

  test('T7 a deleted body is nowhere to be seen', async () => {
    const before = await cursorOf(carla, group);
    const secret = await send(bruno, group, 'the password is SWORDFISH');
    await act(bruno, 'editMessage', { messageId: secret.id, body: 'the password was SWORDFISH' });
    const reply = await send(carla, group, 'thanks', { replyToId: secret.id });
    await act(carla, 'deleteMessage', { messageId: reply.id });
    expect((await roomsOf(carla))[0]).toMatchObject({ lastMessage: { body: 'the password was SWORDFISH' } });
    const answer = await send(carla, group, 'ok', { replyToId: secret.id });
    await act(bruno, 'deleteMessage', { messageId: secret.id });
    await act(carla, 'deleteMessage', { messageId: answer.id });
    const everything = `id body deletedAt edits { nodes { body } } replyTo { body edits { nodes { body } } } replies { nodes { body } }`;
    const shown = await carla.query(
      `query All($room: ID!, $ids: [ID!]!) {
        room(id: $room) { lastMessage { ${everything} } messages { nodes { ${everything} } } }
        rooms { nodes { lastMessage { ${everything} } } }
        nodes(ids: $ids) { ... on Message { ${everything} } }
      }`,
      { room: group, ids: [secret.id, answer.id] },
    );
    expect(shown.errors).toEqual([]);
    expect(at(shown.data, 'nodes.0')).toMatchObject({ id: secret.id, body: null, deletedAt: expect.any(String) });
    expect(at(shown.data, 'nodes.1.replyTo')).toEqual({ body: null, edits: { nodes: [] } });
    expect(JSON.stringify(shown)).not.toContain('SWORDFISH');
    const replays = [
      { follower: carla.subscribe(addedDocument, { room: group, after: before }), length: 3 },
      { follower: carla.stream(changedDocument, { room: group, after: before }), length: 4 },
    ];
    for (const { follower, length } of replays) {
      await follower.until(`the replay of ${length} changes`, (received) => received.length === length);
      expect(JSON.stringify(follower.received)).not.toContain('SWORDFISH');
      await follower.stop();
    }
  });

  test('T9 deleting an unread message takes it out of the count', async () => {
    await act(bruno, 'markRead', { roomId: channel });
    const unread = async () =>
      at(
        (await roomsOf(bruno)).find((room) => at(room, 'id') === channel),
        'unreadCount',
      );
    const first = await send(ana, channel, 'one');
    await send(ana, channel, 'two');
    expect(await unread()).toBe(2);
    await act(ana, 'deleteMessage', { messageId: first.id });
    expect(await unread()).toBe(1);
  });

  test('T1 an archived room is read and not written; brought back it is as before', async () => {
    await act(ana, 'archiveRoom', { roomId: channel });
    expect((await attempt(bruno, 'sendMessage', { roomId: channel, body: 'late' })).data).toEqual({
      sendMessage: { __typename: 'RoomArchivedError', code: 'ROOM_ARCHIVED', reason: 'the room is archived' },
    });
    expect((await roomsOf(bruno)).map((room) => at(room, 'id'))).not.toContain(channel);
    expect(await bodiesOf(bruno, channel)).toContain('two');
    await act(ana, 'unarchiveRoom', { roomId: channel });
    await send(bruno, channel, 'in time');
    expect((await roomsOf(bruno))[0]).toMatchObject({ id: channel, lastMessage: { body: 'in time' } });
  });
});

test('T3 who leaves sees no more of a group; the last owner cannot leave the others', async () => {
  await act(carla, 'leaveRoom', { roomId: group });
  expect((await carla.query(pageDocument, { room: group })).data).toEqual({ room: null });
  expect((await attempt(ana, 'leaveRoom', { roomId: group })).data).toMatchObject({
    leaveRoom: { __typename: 'LastOwnerError', code: 'LAST_OWNER' },
  });
});

test('G1 the other tenant has seen nothing of all this', async () => {
  const { data } = await wanda.query(
    '{ own: rooms { nodes { id } } channels: rooms(list: CHANNELS) { nodes { id } } users { nodes { name } } }',
  );
  expect(data).toEqual({ own: { nodes: [] }, channels: { nodes: [] }, users: { nodes: [{ name: 'Wanda' }] } });
});

test('nothing in the story was a fault of the servers', () => {
  expect([...here.log.traces(), ...there.log.traces()]).toEqual([]);
});

function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => `message ${from + index}`);
}
