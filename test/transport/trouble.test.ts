import pg from 'pg';
import { afterAll, describe, expect, test } from 'vitest';
import { applyMigrations } from '../../src/db/migrations.ts';
import { createTestDatabase } from '../services/database.ts';
import { startPostgres } from '../services/postgres.ts';
import { act, createRoom, mutationDocument, send } from '../support/acting.ts';
import { createClient } from '../support/client.ts';
import { at, textAt } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { countRows } from '../support/tables.ts';
import { waitFor } from '../support/waiting.ts';

const ofAna = person('acme', 'Ana', 'admin');
const token = await signToken(ofAna);

function post(url: string, query: string, variables: object = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
}

const sendDocument = mutationDocument('sendMessage', 'message { id }');

describe('G10 a statement that takes longer than STATEMENT_TIMEOUT_MS', async () => {
  const databaseUrl = await createTestDatabase();
  const server = await startServer({ databaseUrl, settings: { STATEMENT_TIMEOUT_MS: '300' } });
  const ana = await server.signIn(ofAna);
  const room = await createRoom(ana, { kind: 'GROUP', name: 'slow' });

  /** What is answered while nobody can touch the table. */
  async function whileLocked<T>(table: string, work: () => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
      return await work();
    } finally {
      await client.end();
    }
  }

  test.each([
    ['of our own', 'rooms', '{ rooms { nodes { id } } }'],
    ["of Prisma's", 'actors', `{ room(id: "${room}") { creator { name } } }`],
  ])('%s is answered with TIMEOUT, and nothing tells which it was', async (_whose, table, query) => {
    await (await post(server.url, query)).json();
    const linesBefore = server.log.lines.length;
    const response = await whileLocked(table, () => post(server.url, query));
    const body = await response.json();
    expect([response.status, at(body, 'errors.0.extensions')]).toEqual([504, { code: 'TIMEOUT' }]);
    expect(JSON.stringify(body)).not.toMatch(/SELECT|statement|canceling|prisma|actors/i);
    const lines = server.log.lines.slice(linesBefore).filter(({ level }) => level >= 40);
    expect(lines).toMatchObject([{ statement: expect.any(String), msg: expect.stringContaining('took too long') }]);
    expect(server.log.traces()).toEqual([]);
  });

  test('a send is not done then, and can come again with its nonce', async () => {
    const before = await countRows(databaseUrl);
    const input = { roomId: room, body: 'at last', nonce: 'once' };
    const response = await whileLocked('messages', () => post(server.url, sendDocument, { input }));
    expect([response.status, at(await response.json(), 'errors.0.extensions.code')]).toEqual([504, 'TIMEOUT']);
    expect(await countRows(databaseUrl)).toEqual(before);
    const again = await act(ana, 'sendMessage', input, 'message { body }');
    expect(again).toMatchObject({ message: { body: 'at last' } });
  });

  test('over WebSocket it is the same, without a word of HTTP', async () => {
    const follower = await whileLocked('rooms', async () => {
      const asked = ana.subscribe('{ rooms { nodes { id } } }');
      await waitFor('the refusal', () => asked.failures.length > 0);
      return asked;
    });
    expect(at(follower.failures[0], 'extensions')).toEqual({ code: 'TIMEOUT' });
    await follower.stop();
  });
});

describe('R9 PostgreSQL is away', async () => {
  const postgres = await startPostgres({ durable: true });
  afterAll(() => postgres.stop());
  await applyMigrations(postgres.url);
  const server = await startServer({ databaseUrl: postgres.url });
  const ana = await server.signIn(ofAna);
  const room = await createRoom(ana, { kind: 'GROUP', name: 'away' });
  await send(ana, room, 'before');

  test('requests are answered UNAVAILABLE, the log has one line, and the same send is done once it is back', async () => {
    const input = { roomId: room, body: 'meanwhile', nonce: 'once' };
    const asked: readonly (readonly [string, object])[] = [
      ['{ rooms { nodes { id } } }', {}],
      [`{ room(id: "${room}") { creator { name } } }`, {}],
      ['{ viewer { tenant { name } } }', {}],
      [sendDocument, { input }],
    ];
    for (const [query, variables] of asked.slice(0, 3)) {
      expect(at(await (await post(server.url, query, variables)).json(), 'errors')).toBeUndefined();
    }
    const linesBefore = server.log.lines.length;
    await postgres.kill('immediate');

    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(asked.map(([query, variables]) => post(server.url, query, variables)));
      for (const response of answers) {
        const body = await response.json();
        expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
        expect(at(body, 'errors.0.extensions')).toEqual({ code: 'UNAVAILABLE' });
        expect(JSON.stringify(body)).not.toMatch(/ECONN|127\.0\.0\.1|terminated|prisma|postgres/i);
      }
    }
    // Somebody whom this process does not know cannot be let in; that is no reason to give the token up.
    const stranger = createClient(server.url, await signToken(person('acme', 'Bruno')));
    const refused = await stranger.query('{ viewer { role } }');
    expect([refused.status, refused.errors[0]?.extensions?.code]).toEqual([503, 'UNAVAILABLE']);

    const loud = () =>
      server.log.lines.slice(linesBefore).filter(({ level, msg }) => level >= 40 || /again/.test(msg ?? ''));
    expect(loud()).toMatchObject([{ level: 50, msg: 'the database does not answer', reason: expect.any(String) }]);
    expect(server.log.traces()).toEqual([]);

    await postgres.restart();
    const sent = await act(ana, 'sendMessage', input, 'message { id }');
    const repeated = await act(ana, 'sendMessage', input, 'message { id }');
    expect(textAt(repeated, 'message.id')).toBe(textAt(sent, 'message.id'));
    expect(loud().map(({ msg }) => msg)).toEqual(['the database does not answer', 'the database answers again']);
  });

  test('a request whose connection is ended under it is answered the same', async () => {
    const other = new pg.Client({ connectionString: postgres.url });
    await other.connect();
    await other.query('BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE');
    const answer = post(server.url, sendDocument, { input: { roomId: room, body: 'cut', nonce: 'cut' } });
    const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()`;
    await waitFor('the send to wait', async () => (await other.query(cut)).rows.length > 0);
    const response = await answer;
    expect([response.status, at(await response.json(), 'errors.0.extensions.code')]).toEqual([503, 'UNAVAILABLE']);
    await other.end();
    expect(await send(ana, room, 'cut', { nonce: 'cut' })).toMatchObject({ id: expect.any(String) });
  });
});
