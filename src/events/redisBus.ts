import { RedisPubSub } from 'graphql-redis-subscriptions';
import { Redis } from 'ioredis';
import type { Bus } from './bus.ts';

export interface RedisBus extends Bus {
  /** For commands; they fail at once while Redis is away. */
  readonly commands: Redis;
}

/**
 * The bus over Redis. ioredis reconnects and subscribes again by itself; what was published in between is lost, which
 * `onReconnect` reports.
 * @param prefix goes before every channel.
 */
export function createRedisBus(url: string, prefix: string, onError: (error: Error) => void): RedisBus {
  const subscriber = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: reconnectDelay });
  // Hints published while Redis is away are dropped at once instead of queued: replaying them later would be noise, the
  // comparison of versions after the reconnect finds what they stood for.
  const publisher = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 5_000,
    retryStrategy: reconnectDelay,
  });
  subscriber.on('error', onError);
  publisher.on('error', onError);
  const pubsub = new RedisPubSub({
    publisher,
    subscriber,
    serializer: (payload: string) => payload,
    deserializer: (payload) => payload,
  });
  let connectedBefore = false;
  const callbacks: (() => void)[] = [];
  subscriber.on('ready', () => {
    // The answer to this PING comes after those to the SUBSCRIBEs that ioredis sends on a new connection: only from then
    // on does nothing get lost.
    if (connectedBefore) {
      subscriber.ping().then(
        () => {
          for (const callback of callbacks) callback();
        },
        () => undefined,
      );
    }
    connectedBefore = true;
  });
  return {
    commands: publisher,
    publish: (channel, payload) => void pubsub.publish(prefix + channel, payload).catch(() => undefined),
    async subscribe(channel, onPayload) {
      const id = await pubsub.subscribe<string>(prefix + channel, onPayload);
      return () => pubsub.unsubscribe(id);
    },
    onReconnect: (callback) => callbacks.push(callback),
    async ping() {
      await publisher.ping();
    },
    async close() {
      publisher.disconnect();
      subscriber.disconnect();
    },
  };
}

const longestDelay = 1_000;

function reconnectDelay(attempt: number): number {
  return Math.min(attempt * 50, longestDelay);
}
