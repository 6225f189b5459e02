import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { createAdapter } from '@socket.io/redis-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

// Socket.IO as its documentation has it for several processes: rooms, and the adapter that goes over Redis.

interface FromClient {
  join(room: string, joined: () => void): void;
}
interface ToClient {
  messageAdded(message: unknown): void;
}

const redisUrl = process.env.REDIS_URL ?? '';
const server = createServer();
const io = new Server<FromClient, ToClient>(server, {
  adapter: createAdapter(new Redis(redisUrl), new Redis(redisUrl)),
  transports: ['websocket'],
  serveClient: false,
});
io.on('connection', (socket) => {
  socket.on('join', async (room, joined) => {
    await socket.join(room);
    joined();
  });
});
server.on('request', async (request, response) => {
  if (request.url !== '/send') return;
  try {
    const { room, message } = Object(await json(request));
    io.to(room).emit('messageAdded', message);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"sent":true}');
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
});
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/` }));
});
