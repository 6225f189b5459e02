import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { waitFor } from './waiting.ts';

const servers: Server[] = [];
const networks: Socket[] = [];
afterAll(() => {
  for (const network of networks) network.destroy();
  for (const server of servers) server.close();
});

/** A WebSocket as a server has it, and all bytes that its client got after the handshake. */
export async function openServerSocket() {
  const server = createServer();
  servers.push(server);
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  const opened = new Promise<{ socket: WebSocket; network: Socket }>((resolve) => {
    sockets.on('connection', (socket, request) => resolve({ socket, network: request.socket }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  networks.push(client);
  let received = Buffer.alloc(0);
  client.on('data', (chunk) => {
    received = Buffer.concat([received, chunk]);
  });
  client.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`,
  );
  const { socket, network } = await opened;
  const body = () => received.subarray(received.indexOf('\r\n\r\n') + 4);
  await waitFor('the handshake', () => received.includes('\r\n\r\n'));
  return {
    socket,
    client,
    network,
    body,
    async until(length: number) {
      await waitFor(
        () => `${length} bytes; so far ${body().length}`,
        () => body().length >= length,
      );
      return body();
    },
  };
}
