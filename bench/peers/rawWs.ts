import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { type WebSocket, WebSocketServer } from 'ws';

// The least that a server on Node.js has to do to deliver: a message comes over Redis as the text that the clients get, is
// made into a frame once, and the same bytes are written to each socket of the room. `ws` does everything else.

const redisUrl = process.env.REDIS_URL ?? '';
const [publisher, subscriber] = [new Redis(redisUrl), new Redis(redisUrl)];
const rooms = new Map<string, Set<Socket>>();
/** Bytes after which a client that does not read is given up. */
const patience = 4 * 1024 * 1024;

function frameOf(payload: Buffer): Buffer {
  const { length } = payload;
  const header = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  header[0] = 0x81;
  header[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (header.length === 4) header.writeUInt16BE(length, 2);
  if (header.length === 10) header.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([header, payload]);
}

subscriber.on('messageBuffer', (channel: Buffer, payload: Buffer) => {
  const frame = frameOf(payload);
  for (const socket of rooms.get(channel.toString()) ?? []) {
    if (socket.writableLength > patience) socket.destroy();
    else socket.write(frame);
  }
});

function join(room: string, socket: Socket): void {
  let sockets = rooms.get(room);
  if (!sockets) {
    sockets = new Set();
    rooms.set(room, sockets);
    void subscriber.subscribe(room);
  }
  sockets.add(socket);
}

function leave(room: string, socket: Socket): void {
  const sockets = rooms.get(room);
  if (!sockets?.delete(socket) || sockets.size > 0) return;
  rooms.delete(room);
  void subscriber.unsubscribe(room);
}

const server = createServer(async (request, response) => {
  try {
    const { room, message } = Object(await json(request));
    await publisher.publish(room, JSON.stringify(message));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"sent":true}');
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
});
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
/** Those that have not answered the last ping. */
const silent = new Set<WebSocket>();
setInterval(() => {
  for (const socket of silent) socket.terminate();
  for (const socket of sockets.clients) {
    silent.add(socket);
    socket.ping();
  }
}, 30_000);
sockets.on('connection', (socket, request) => {
  const room = new URL(request.url ?? '', 'ws://localhost').searchParams.get('room') ?? '';
  join(room, request.socket);
  socket.on('error', () => undefined);
  socket.on('pong', () => silent.delete(socket));
  socket.on('close', () => {
    silent.delete(socket);
    leave(room, request.socket);
  });
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
