import { describe, expect, test } from 'vitest';
import { createTestDatabase } from '../services/database.ts';
import { at } from '../support/json.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';

const databaseUrl = await createTestDatabase();
const listed = ['https://app.example', 'http://localhost:5173'] as const;
/** `null` is what a sandboxed frame of any site sends. */
const unlisted = ['https://evil.example', 'https://app.example.evil.example', 'http://app.example', 'null'] as const;

const server = await startServer({ databaseUrl, settings: { CORS_ORIGINS: listed.join(' , ') } });
const single = await startServer({ databaseUrl, settings: { CORS_ORIGINS: listed[0] } });
const closed = await startServer({ databaseUrl });
const token = await signToken(person('acme', 'Ana', 'admin'));

/** What a browser asks before it lets a page of this origin send its request. */
const preflight = (url: string, origin: string) =>
  fetch(url, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,x-request-id',
    },
  });

const ask = (url: string, headers: Record<string, string>, query = '{ viewer { role } }') =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify({ query }),
  });

/** The headers by which a browser decides. */
const decisive = (response: Response) =>
  Object.fromEntries([...response.headers].filter(([name]) => name.startsWith('access-control-')));

const listOf = (value: unknown) => String(value).split(', ');

describe('G10 pages of other origins', () => {
  test.each(listed)('%s is listed: it may ask, and read the answer with its headers', async (origin) => {
    const asked = await preflight(server.url, origin);
    const allowed = decisive(asked);
    expect(asked.status).toBe(204);
    expect(allowed['access-control-allow-origin']).toBe(origin);
    expect(listOf(allowed['access-control-allow-methods'])).toContain('POST');
    const headers = ['authorization', 'content-type', 'x-request-id', 'x-prosa-request'];
    expect(listOf(allowed['access-control-allow-headers'])).toEqual(expect.arrayContaining(headers));
    expect(Number(allowed['access-control-max-age'])).toBeGreaterThan(0);

    const answer = await ask(server.url, { origin });
    expect(await answer.json()).toMatchObject({ data: { viewer: { role: 'ADMIN' } } });
    expect(decisive(answer)).toEqual({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': expect.any(String),
    });
    const exposed = listOf(decisive(answer)['access-control-expose-headers']);
    expect(exposed).toEqual(expect.arrayContaining(['x-request-id', 'ratelimit-remaining', 'retry-after']));
    for (const name of ['x-request-id', 'ratelimit-remaining']) expect(answer.headers.has(name)).toBe(true);
  });

  test.each(unlisted)('%s is not: no header tells its browser anything but no', async (origin) => {
    for (const { url } of [server, single, closed]) {
      expect(decisive(await preflight(url, origin))).toEqual({});
      expect(decisive(await ask(url, { origin }))).toEqual({});
    }
  });

  test('a refusal can be read by who is listed, and by nobody else', async () => {
    const refusals: readonly (readonly [number, (origin: string) => Promise<Response>])[] = [
      [401, (origin) => ask(server.url, { origin, authorization: 'Bearer x.y.z' })],
      [415, (origin) => ask(server.url, { origin, 'content-type': 'text/plain' })],
      [413, (origin) => ask(server.url, { origin }, `{ viewer { role } } #${'x'.repeat(1_100_000)}`)],
    ];
    for (const [status, refused] of refusals) {
      const [ours, theirs] = [await refused(listed[0]), await refused(unlisted[0])];
      expect([ours.status, ours.headers.get('access-control-allow-origin')]).toEqual([status, listed[0]]);
      expect([theirs.status, decisive(theirs)]).toEqual([status, {}]);
      expect(at(await ours.json(), 'errors.0.extensions.code')).toBeTypeOf('string');
      await theirs.body?.cancel();
    }
  });

  test('a stream of events can be read by who is listed', async () => {
    const ending = new AbortController();
    const follow = (origin: string) =>
      fetch(server.url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'text/event-stream',
          authorization: `Bearer ${token}`,
          origin,
        },
        body: JSON.stringify({ query: 'subscription { roomEvents { __typename } }' }),
        signal: ending.signal,
      });
    expect((await follow(listed[0])).headers.get('access-control-allow-origin')).toBe(listed[0]);
    expect(decisive(await follow(unlisted[0]))).toEqual({});
    ending.abort();
  });

  test('no cache gives the answer of one origin to another', async () => {
    for (const { url } of [server, single]) {
      for (const origin of [listed[0], unlisted[0]]) {
        expect(listOf((await ask(url, { origin })).headers.get('vary'))).toContain('Origin');
        expect(listOf((await preflight(url, origin)).headers.get('vary'))).toContain('Origin');
      }
    }
  });

  test('what is not GraphQL is for no page of another origin', async () => {
    for (const path of ['/healthz', '/readyz', '/', '/nothing']) {
      const response = await fetch(new URL(path, server.url), { headers: { origin: listed[0] }, redirect: 'manual' });
      expect(decisive(response)).toEqual({});
    }
  });
});
