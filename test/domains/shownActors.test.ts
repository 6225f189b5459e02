import { beforeAll, describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { act, createRoom, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { at, listAt, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer, type TestServer, type Visitor } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const redis = createTestRedis();
const open = () => startServer({ databaseUrl, redisUrl: redis.url, redisPrefix: redis.prefix });

let here: TestServer;
let there: TestServer;
let ada: Visitor;
let ana: Visitor;
let adaThere: Visitor;
let roomId: string;

beforeAll(async () => {
  [here, there] = [await open(), await open()];
  ada = await here.signIn(person('acme', 'Ada', 'admin'));
  adaThere = await there.signIn(person('acme', 'Ada', 'admin'));
  ana = await here.signIn(person('acme', 'Ana'));
  roomId = await createRoom(ada, { kind: 'GROUP', name: 'All', memberIds: [ana.id] });
  await send(ana, roomId, 'Hello');
});

const page = `query ($roomId: ID!) {
  room(id: $roomId) { messages(last: 10) { nodes { author { id name ... on User { email deactivatedAt } } } } }
}`;

async function authorShownTo(visitor: Visitor): Promise<unknown> {
  const answer = await visitor.query(page, { roomId });
  const authors = listAt(answer.data, 'room.messages.nodes').map((node) => at(node, 'author'));
  return authors.find((author) => textAt(author, 'id') === ana.id);
}

describe('C2 G2: who is shown beside a message', () => {
  test('is shown with what their newest token says, here at once, and on other processes as soon as they hear', async () => {
    for (const visitor of [ada, adaThere]) expect(await authorShownTo(visitor)).toMatchObject({ name: 'Ana' });
    const token = await signToken(person('acme', 'Ana'), { claims: { name: 'Ana Silva', email: 'ana@acme.example' } });
    await createClient(here.url, token).query('{ viewer { role } }');
    const renamed = { name: 'Ana Silva', email: 'ana@acme.example' };
    expect(await authorShownTo(ada)).toMatchObject(renamed);
    await waitFor('the new name on the other process', async () => {
      const { name } = Object(await authorShownTo(adaThere));
      return name === renamed.name;
    });
  });

  test('is shown as deactivated by the very mutation, and everywhere', async () => {
    expect(await authorShownTo(adaThere)).toMatchObject({ deactivatedAt: null });
    const selection = 'user { id ... on User { deactivatedAt } }';
    const payload = await act(ada, 'deactivateUser', { userId: ana.id }, selection);
    const since = textAt(payload, 'user.deactivatedAt');
    expect(await authorShownTo(ada)).toMatchObject({ deactivatedAt: since });
    await waitFor('the deactivation on the other process', async () => {
      const { deactivatedAt } = Object(await authorShownTo(adaThere));
      return deactivatedAt === since;
    });
  });
});

describe('G1: who is shown beside a message', () => {
  test('is never found by another tenant, also when this process has them at hand', async () => {
    expect(await authorShownTo(ada)).toMatchObject({ id: ana.id });
    const eve = await here.signIn(person('other', 'Eve', 'admin'));
    const { data } = await eve.query('query ($id: ID!) { node(id: $id) { id } }', { id: ana.id });
    expect(data).toEqual({ node: null });
  });
});
