import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { endStalled } from '../../src/transport/stalled.ts';
import { createTestDatabase } from '../services/database.ts';
import { startServer } from '../support/server.ts';
import { waitFor } from '../support/waiting.ts';

const within = 700;
const chunk = 'x'.repeat(1_000_000);
/** More than networks hold, several times. */
const chunks = 60;

/** A server that answers as it is told. @returns where it listens, and the sockets that are connected. */
async function serve(answer: (response: ServerResponse) => void) {
  const server = endStalled(
    createServer((_request, response) => answer(response)),
    within,
  );
  server.keepAliveTimeout = within;
  const sockets = new Set<unknown>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

/** Asks, and reads nothing until it is told to. */
async function ask(port: number) {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.1\r\nHost: prosa\r\n\r\n');
  afterAll(() => socket.destroy());
  return socket;
}

test('G10 who does not read the answer is given up, and nobody who reads', async () => {
  const written: ServerResponse[] = [];
  const { port, sockets } = await serve((response) => {
    written.push(response);
    for (let count = 0; count < chunks; count++) response.write(chunk);
    if (written.length === 2) response.end();
  });
  await ask(port);
  await waitFor('the request', () => written.length === 1);
  const reading = await ask(port);
  let received = 0;
  reading.on('data', (data) => {
    received += data.length;
    // Slower than the network, so that the whole takes several times as long as a client may take nothing.
    reading.pause();
    setTimeout(() => reading.resume(), 2);
  });
  reading.resume();
  await waitFor('the end of the first', () => written[0]?.destroyed === true);
  await waitFor('the answer of the second', () => received > chunks * chunk.length);
  expect(sockets.size).toBeLessThanOrEqual(1);
});

test('G10 a stream with nothing to say stays open', async () => {
  const streams: ServerResponse[] = [];
  const { port, sockets } = await serve((response) => {
    streams.push(response);
    response.write('data: 1\n\n');
  });
  const reader = await ask(port);
  let received = '';
  reader.on('data', (data) => {
    received += data;
  });
  reader.resume();
  await waitFor('the first event', () => received.includes('data: 1'));
  // There is nothing to wait for but time.
  await delay(3 * within);
  expect(sockets.size).toBe(1);
  streams[0]?.write('data: 2\n\n');
  await waitFor('the second event', () => received.includes('data: 2'));
});

test('G10 who stops reading later is given up too: at another answer over the connection, or after a silence', async () => {
  const written: ServerResponse[] = [];
  const { port, sockets } = await serve((response) => {
    written.push(response);
    if (written.length === 1) response.end('first');
    else response.write('second');
  });
  const socket = await ask(port);
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  socket.resume();
  await waitFor('the first answer', () => received.includes('first'));
  socket.write('GET / HTTP/1.1\r\nHost: prosa\r\n\r\n');
  await waitFor('the second answer to begin', () => received.includes('second'));
  const [, stream] = written;
  // It is looked at, and left alone, as it has nothing to say.
  await new Promise((resolve) => stream?.once('timeout', resolve));
  expect(sockets.size).toBe(1);
  socket.pause();
  for (let count = 0; count < chunks; count++) stream?.write(chunk);
  await waitFor('its end', () => sockets.size === 0);
});

test('a connection that is kept for the next request ends as before', async () => {
  const { port, sockets } = await serve((response) => response.end('done'));
  const idle = await ask(port);
  idle.resume();
  await waitFor('the end of the connection', () => idle.destroyed || idle.readableEnded);
  await waitFor('the server to forget it', () => sockets.size === 0);
});

test('P4, G9 the address of the server leads to GraphiQL, for the tenant that it names', async () => {
  const server = await startServer({ databaseUrl: await createTestDatabase() });
  for (const query of ['', '?tenant=acme', '?tenant=a%20b&x=//evil.example']) {
    const response = await fetch(new URL(`/${query}`, server.url), { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([302, `/graphql${query}`]);
  }
});
