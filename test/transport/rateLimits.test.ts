import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { createTestDatabase, createTestRedis } from '../services/database.ts';
import { startRedis } from '../services/redis.ts';
import { act, attempt, createRoom, send } from '../support/acting.ts';
import { at } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer, type Visitor } from '../support/server.ts';
import { countRows } from '../support/tables.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const { url: redisUrl, prefix: redisPrefix } = createTestRedis();
const settings = {
  RATE_QUERIES: '20',
  RATE_MUTATIONS: '20',
  RATE_SENDS: '5',
  RATE_SUBSCRIPTIONS: '5',
  RATE_TENANT_FACTOR: '3',
  RATE_ADDRESS_FACTOR: '1000',
};
const [one, other] = await Promise.all([
  startServer({ databaseUrl, redisUrl, redisPrefix, settings }),
  startServer({ databaseUrl, redisUrl, redisPrefix, settings }),
]);

const limited = { code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) };

/** As it comes over HTTP. */
async function raw(url: string, token: string, query: string, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ query }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe('G4 rate limits', () => {
  test('count over all processes, say when to go on, and let a refused send come again with its nonce', async () => {
    const ana = await one.signIn(person('sends', 'Ana', 'admin'));
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'sends' });
    const elsewhere = await other.signIn(person('sends', 'Ana', 'admin'));
    for (let index = 0; index < 5; index++)
      await send(index % 2 ? ana : elsewhere, roomId, 'fine', { nonce: `n${index}` });
    const before = await countRows(databaseUrl);
    const refused = await attempt(elsewhere, 'sendMessage', { roomId, body: 'too much', nonce: 'n5' });
    expect(refused.status).toBe(429);
    expect(refused.errors[0]?.extensions).toEqual(limited);
    expect(refused.errors[0]?.extensions?.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(await countRows(databaseUrl)).toEqual(before);

    // Others are counted by themselves, and other kinds too.
    const bruno = await one.signIn(person('sends', 'Bruno'));
    await act(ana, 'addMembers', { roomId, userIds: [bruno.id] });
    await send(bruno, roomId, 'still fine');

    // In a process that counts anew, as after the window: the same send, with the same nonce.
    const later = await startServer({ databaseUrl, settings });
    const again = await later.signIn(person('sends', 'Ana', 'admin'));
    const first = await send(again, roomId, 'too much', { nonce: 'n5' });
    expect(await send(again, roomId, 'too much', { nonce: 'n5' })).toEqual(first);
  });

  test('count every field of a request, under whatever alias and in fragments; all of it is refused', async () => {
    const ana = await one.signIn(person('aliases', 'Ana', 'admin'));
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'aliases' });
    const sends = (count: number) =>
      Array.from(
        { length: count },
        (_, i) => `a${i}: sendMessage(input: { roomId: "${roomId}", body: "x" }) { __typename }`,
      );
    const before = await countRows(databaseUrl);
    for (const document of [
      `mutation { ${sends(6).join(' ')} }`,
      `mutation { ...S } fragment S on Mutation { ${sends(3).join(' ')} ... { ${sends(6).slice(3).join(' ')} } }`,
    ]) {
      const { errors } = await ana.query(document);
      expect(errors.map((error) => error.extensions)).toEqual([limited]);
    }
    expect(await countRows(databaseUrl)).toEqual(before);
  });

  test('hold on a WebSocket and on a stream as they do over HTTP', async () => {
    const ana = await one.signIn(person('sockets', 'Ana', 'admin'));
    const roomId = await createRoom(ana, { kind: 'GROUP', name: 'sockets' });
    const document = `subscription { messageAdded(roomId: "${roomId}") { __typename } }`;
    const followers = [0, 1, 2, 3, 4].map((index) => (index % 2 ? ana.subscribe(document) : ana.stream(document)));
    await waitFor(
      'five subscriptions',
      () => one.log.lines.filter((line) => line.msg === 'subscription opened').length >= 5,
    );
    for (const further of [ana.subscribe(document), ana.stream(document)]) {
      await waitFor('the refusal', () => further.failures.length > 0);
      expect(at(further.failures[0], 'extensions')).toEqual(limited);
    }
    for (const follower of followers) await follower.stop();
    const query = '{ serverTime }';
    for (let index = 0; index < 19; index++) await ana.query(query);
    const socket = ana.subscribe(query);
    await waitFor('the refusal of a query', () => socket.failures.length > 0);
    expect(at(socket.failures[0], 'extensions')).toEqual(limited);
  });

  test('hold for the tenant as a whole, and for no other', async () => {
    const people = await Promise.all([0, 1, 2, 3].map((index) => one.signIn(person('crowd', `P${index}`, 'admin'))));
    const answers = await Promise.all(
      people.map(async (visitor) => {
        const codes: unknown[] = [];
        for (let index = 0; index < 17; index++)
          codes.push((await visitor.query('{ serverTime }')).errors[0]?.extensions?.code);
        return codes;
      }),
    );
    // Of 72 queries, 4 of them to sign in, 60 are within the tenant's limit.
    expect(answers.flat().filter((code) => code === 'RATE_LIMITED').length).toBe(12);
    const neighbour = await one.signIn(person('calm', 'Zoe'));
    expect((await neighbour.query('{ serverTime }')).errors).toEqual([]);
  });

  test('hold for an address, also without a token; as many proxies are believed as are trusted', async () => {
    const tight = { RATE_QUERIES: '5', RATE_ADDRESS_FACTOR: '1', TRUSTED_PROXIES: '1' };
    const server = await startServer({ databaseUrl, settings: tight });
    const ask = (forwarded: string) =>
      fetch(server.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': forwarded },
        body: '{"query":"{ serverTime }"}',
      }).then((response) => response.status);
    const statuses: number[] = [];
    for (let index = 0; index < 6; index++) statuses.push(await ask(`10.0.0.${index}, 198.51.100.7`));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await ask('198.51.100.8')).toBe(200);
    // One client of IPv6 has a network of addresses.
    const six: number[] = [];
    for (let index = 1; index <= 6; index++) six.push(await ask(`2001:db8:1:2::${index}`));
    expect(six).toEqual([200, 200, 200, 200, 200, 429]);
    expect(await ask('2001:db8:1:3::1')).toBe(200);
  });

  test('are told in headers: how many, how many are left, until when', async () => {
    const token = await signToken(person('headers', 'Ana', 'admin'));
    const first = await raw(one.url, token, '{ serverTime }');
    expect(Object.fromEntries(first.headers)).toMatchObject({
      'ratelimit-limit': '20',
      'ratelimit-policy': '20;w=60',
      'ratelimit-remaining': '19',
      'ratelimit-reset': expect.stringMatching(/^\d+$/),
    });
    for (let index = 0; index < 19; index++) await raw(one.url, token, '{ serverTime }');
    const refused = await raw(one.url, token, '{ serverTime }');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(at(refused.body, 'errors.0.extensions.http')).toBeUndefined();
  });

  test('let programs do ten times as much', async () => {
    const robot = await one.signIn(person('programs', 'robot', 'service'));
    for (let index = 0; index < 40; index++) expect((await robot.query('{ serverTime }')).errors).toEqual([]);
  });

  test('hold in the process while Redis hangs or is away, and requests hardly wait for it', async () => {
    const redis = await startRedis();
    const client = new Redis(redis.url);
    client.on('error', () => undefined);
    try {
      const server = await startServer({ databaseUrl, redisUrl: redis.url, settings });
      const [during, after] = [await server.signIn(person('hangs', 'Ana')), await server.signIn(person('away', 'Ana'))];
      const ask = async (visitor: Visitor) => {
        const started = performance.now();
        const codes: unknown[] = [];
        for (let index = 0; index < 21; index++) {
          codes.push((await visitor.query('{ serverTime }')).errors[0]?.extensions?.code);
        }
        expect(codes).toEqual([...Array.from({ length: 20 }, () => undefined), 'RATE_LIMITED']);
        return (performance.now() - started) / codes.length;
      };
      void client.client('PAUSE', 60_000, 'ALL').catch(() => undefined);
      expect(await ask(during)).toBeLessThan(500);
      await redis.kill();
      expect(await ask(after)).toBeLessThan(200);
    } finally {
      client.disconnect();
      await redis.stop();
    }
  });
});
