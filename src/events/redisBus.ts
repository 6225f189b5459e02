import { setTimeout as delay } from 'node:timers/promises';
import { RedisPubSub } from 'graphql-redis-subscriptions';
import type { Cluster, Redis } from 'ioredis';
import type { Bus } from './bus.ts';
import { connectToKeys, connectToNode } from './redisConnections.ts';

export interface RedisBus extends Bus {
  /** For commands; they fail at once while Redis is away. */
  readonly commands: Redis | Cluster;
}

/** How long a new subscription waits for Redis before it goes on without: an outage must not keep the log from readers. */
const patience = 1_000;

/**
 * The bus over Redis. ioredis reconnects and subscribes again by itself; what was published in between is lost, which
 * `onReconnect` reports.
 * @param url one `redis://…`; or several nodes of a cluster, separated by commas.
 * @param prefix goes before every channel.
 */
export function createRedisBus(url: string, prefix: string, onError: (error: Error) => void): RedisBus {
  const nodes = url.split(',');
  const subscriber = connectToNode(nodes, { maxRetriesPerRequest: null });
  // Hints published while Redis is away are dropped at once instead of queued: replaying them later would be noise, the
  // comparison of versions after the reconnect finds what they stood for.
  const publisher = connectToNode(nodes, atOnce);
  const commands = nodes.length === 1 ? publisher : connectToKeys(nodes, atOnce);
  for (const client of new Set([subscriber, publisher, commands])) client.on('error', onError);
  catchFailures(subscriber, onError);
  // Bytes as they came: text would be made into bytes by it, and again into text.
  const pubsub = new RedisPubSub({ publisher, subscriber, messageEventName: 'messageBuffer' });
  let outgoing: (readonly [channel: string, payload: string])[] = [];

  /** What a commit of many messages has to tell goes in one write. */
  function send(): void {
    const pipeline = publisher.pipeline();
    for (const [channel, payload] of outgoing) pipeline.publish(channel, payload);
    outgoing = [];
    pipeline.exec().catch(() => undefined);
  }

  let incoming: { readonly onPayload: (payload: string) => void; readonly bytes: Buffer }[] = [];

  /** All that came in one read is told apart first and understood then, each by code that is in the cache. */
  function receive(): void {
    const all = incoming;
    incoming = [];
    for (const { onPayload, bytes } of all) onPayload(bytes.toString());
  }

  let mayHaveLost = false;
  const callbacks: (() => void)[] = [];
  subscriber.on('close', () => {
    mayHaveLost = true;
  });
  subscriber.on('ready', () => {
    if (!mayHaveLost) return;
    // The answer to this PING comes after those to the SUBSCRIBEs that ioredis sends on a new connection: only from then
    // on does nothing get lost.
    subscriber.ping().then(
      () => {
        for (const callback of callbacks) callback();
      },
      () => undefined,
    );
  });
  return {
    commands,
    publish(channel, payload) {
      if (outgoing.push([prefix + channel, payload]) === 1) queueMicrotask(send);
    },
    async subscribe(channel, onPayload) {
      const onBytes = (bytes: Buffer) => {
        if (incoming.push({ onPayload, bytes }) === 1) queueMicrotask(receive);
      };
      const standing = pubsub.subscribe<Buffer>(prefix + channel, onBytes);
      // One that is given up waiting for will stand with the next connection, and so before `onReconnect` is called.
      const waiting = new AbortController();
      await Promise.race([standing, delay(patience, undefined, { ref: false, signal: waiting.signal })]).finally(() =>
        waiting.abort(),
      );
      return () => void standing.then((id) => pubsub.unsubscribe(id)).catch(() => undefined);
    },
    onReconnect: (callback) => callbacks.push(callback),
    async ping() {
      await publisher.ping();
    },
    async close() {
      for (const client of new Set([subscriber, publisher, commands])) client.disconnect();
    },
  };
}

const atOnce = { enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 5_000 };

/**
 * RedisPubSub leaves rejections of its commands unhandled, which would end the process when a close cuts one short. What
 * fails is told, and a subscription that failed never stands: the comparison of versions delivers in its place.
 */
function catchFailures(subscriber: Redis, onError: (error: Error) => void): void {
  for (const name of ['subscribe', 'unsubscribe', 'punsubscribe'] as const) {
    const command: (channel: string) => Promise<unknown> = subscriber[name].bind(subscriber);
    const replacement = (channel: string, done?: (error: null) => void) =>
      void command(channel).then(() => done?.(null), onError);
    Object.assign(subscriber, { [name]: replacement });
  }
}
