import { describe, expect, test } from 'vitest';
import { encodeId, newId } from '../../src/kernel/ids.ts';
import { createTestDatabase } from '../services/database.ts';
import { createRoom, send } from '../support/acting.ts';
import { person, signToken } from '../support/people.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const databaseUrl = await createTestDatabase();
const server = await startServer({ databaseUrl });
const ana = await server.signIn(person('acme', 'Ana', 'admin'));
const token = await signToken(person('acme', 'Ana', 'admin'));
const roomId = await createRoom(ana, { kind: 'GROUP', name: 'logs' });

type LogLine = (typeof server.log.lines)[number];

const linesOf = (name: string): readonly LogLine[] => server.log.lines.filter((line) => line.name === name);

/** Waits for the only line about an operation of this name. */
async function lineOf(name: string): Promise<LogLine> {
  await waitFor(`a line about ${name}`, () => linesOf(name).length > 0);
  const [line, ...more] = linesOf(name);
  if (!line || more.length > 0) throw new Error(`more than one line: ${JSON.stringify(more)}`);
  return line;
}

const post = (body: object, headers: Record<string, string> = {}) =>
  fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify(body),
  });

describe('G8 one line for each operation', () => {
  test('says who, what, how long and what came of it, with the request id that the client gave', async () => {
    const response = await post({ query: 'query LogOne { serverTime }' }, { 'x-request-id': 'mine-1' });
    expect(response.headers.get('x-request-id')).toBe('mine-1');
    expect(await lineOf('LogOne')).toMatchObject({
      level: 30,
      msg: 'operation',
      requestId: 'mine-1',
      tenant: expect.any(String),
      user: expect.any(String),
      operation: 'query',
      durationMs: expect.any(Number),
      outcome: 'ok',
    });
  });

  test.each([
    ['not valid', 'query LogInvalid { nothing }', 'LogInvalid', 'GRAPHQL_VALIDATION_FAILED'],
    [
      'refused for its cost',
      'query LogCost { rooms(first: 100) { nodes { messages(first: 100) { nodes { author { id } } } } } }',
      'LogCost',
      'OPERATION_TOO_COMPLEX',
    ],
    ['of bad input', 'query LogInput { room(id: "x") { id } }', 'LogInput', 'BAD_USER_INPUT'],
  ])('one that is %s has the codes of its errors, over HTTP and WebSocket', async (_, query, name, code) => {
    await post({ query });
    expect(await lineOf(name)).toMatchObject({ outcome: [code] });
    const socket = ana.subscribe(query.replace(name, `${name}Socket`));
    await waitFor('the error', () => socket.failures.length > 0);
    expect(await lineOf(`${name}Socket`)).toMatchObject({
      outcome: [code],
      connection: expect.any(String),
      user: expect.any(String),
    });
  });

  test('a mutation that is refused as data has the codes, whatever its answer shows of them', async () => {
    const nowhere = encodeId('Room', newId());
    const sends = [nowhere, roomId, nowhere].map(
      (id, index) => `s${index}: sendMessage(input: { roomId: "${id}", body: "${index === 1 ? '' : 'x'}" })`,
    );
    const query = `mutation LogRefused { ${sends.map((call) => `${call} { ... on SendMessagePayload { cursor } }`).join(' ')} }`;
    expect(await (await post({ query })).json()).toMatchObject({ data: { s0: {}, s1: {}, s2: {} } });
    expect(await lineOf('LogRefused')).toMatchObject({ outcome: ['NOT_FOUND', 'BAD_USER_INPUT'] });
    const socket = ana.subscribe(query.replace('LogRefused', 'LogRefusedSocket'));
    await waitFor('the answer', () => socket.received.length > 0);
    expect(await lineOf('LogRefusedSocket')).toMatchObject({ outcome: ['NOT_FOUND', 'BAD_USER_INPUT'] });
    // What is done is done.
    await post({ query: `mutation LogDone { ${sends[1]?.replace('""', '"y"')} { __typename } }` });
    expect(await lineOf('LogDone')).toMatchObject({ outcome: 'ok' });
  });

  test('one without a good token is there too', async () => {
    await post({ query: 'query LogForged { serverTime }' }, { authorization: `Bearer ${token}x` });
    const line = await lineOf('LogForged');
    expect(line).toMatchObject({ outcome: ['UNAUTHENTICATED'] });
    expect(line.user).toBeUndefined();
  });

  test('a subscription has one where it opens and one where it ends, on a socket and as a stream', async () => {
    for (const [kind, open] of [
      ['Socket', ana.subscribe],
      ['Stream', ana.stream],
    ] as const) {
      const name = `LogFollow${kind}`;
      const follower = open(`subscription ${name} { messageAdded(roomId: "${roomId}") { __typename } }`);
      await waitFor('the opening', () => linesOf(name).length === 1);
      await follower.stop();
      await waitFor('the end', () => linesOf(name).length === 2);
      expect(linesOf(name).map((line) => line.msg)).toEqual(['subscription opened', 'subscription ended']);
      expect(linesOf(name)[1]?.requestId).toBe(linesOf(name)[0]?.requestId);
    }
  });
});

test('G8 no token, text or variable is ever in the log, whatever comes of the request', async () => {
  const secrets = [
    'body-secret',
    'variable-secret',
    'literal-secret',
    'header-secret',
    'nonce-secret',
    'cookie-secret',
  ];
  await send(ana, roomId, 'body-secret', { nonce: 'nonce-secret' });
  const mutation = 'mutation LogSecret($input: SendMessageInput!) { sendMessage(input: $input) { __typename } }';
  for (const variables of [
    { input: { roomId, body: 'variable-secret' } },
    { input: { body: 'variable-secret' } },
    'variable-secret',
  ]) {
    await post(
      { query: mutation, variables },
      { cookie: 'cookie-secret', 'x-secret': 'header-secret', referer: 'https://header-secret/' },
    );
  }
  await post({ query: 'query LogLiteral { room(id: "literal-secret") { id } }' });
  await post({ query: 'query { room(id: "literal-secret" }' });
  await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"query": "literal-secret',
  });
  await fetch(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer header-secret' },
    body: '{"query":"{ serverTime }"}',
  });
  const socket = ana.subscribe(mutation, { input: { roomId, body: 'variable-secret' } });
  await waitFor('the answer', () => socket.received.length > 0);
  await ana.subscribe(`{ room(id: "literal-secret") { id } }`).stop();
  await lineOf('LogLiteral');
  const text = JSON.stringify(server.log.lines);
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
  expect(text).not.toContain(token.split('.')[2]);
  expect(server.log.traces()).toEqual([]);
});
