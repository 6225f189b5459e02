import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { buildSchema } from 'graphql';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { Redis } from 'ioredis';
import { WebSocketServer } from 'ws';

// Subscriptions as the documentation of graphql-ws and of graphql-redis-subscriptions has them: every subscriber has an
// iterator over the room's channel, and each message is executed for each of them by graphql-js.

const redisUrl = process.env.REDIS_URL ?? '';
const pubsub = new RedisPubSub({ publisher: new Redis(redisUrl), subscriber: new Redis(redisUrl) });

const schema = buildSchema(`
  type Actor { id: ID! name: String! pictureUrl: String }
  type Reply { id: ID! }
  type Message {
    id: ID! cursor: String! kind: String! body: String nonce: String author: Actor! replyTo: Reply
    createdAt: String! editedAt: String deletedAt: String
  }
  type MessageAdded { cursor: String! message: Message! }
  type Query { rooms: [ID!]! }
  type Subscription { messageAdded(roomId: ID!): MessageAdded! }`);
const subscription = schema.getSubscriptionType()?.getFields().messageAdded;
if (subscription) {
  subscription.subscribe = (_root, { roomId }) => pubsub.asyncIterableIterator(`room:${roomId}`);
}

const server = createServer(async (request, response) => {
  try {
    const { room, message } = Object(await json(request));
    await pubsub.publish(`room:${room}`, { messageAdded: message });
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"sent":true}');
  } catch (error) {
    response.writeHead(400).end(String(error));
  }
});
useServer({ schema }, new WebSocketServer({ server, path: '/graphql', perMessageDeflate: false }));
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(JSON.stringify({ url: `http://127.0.0.1:${port}/graphql` }));
});
