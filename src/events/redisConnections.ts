import { Cluster, Redis, type RedisOptions } from 'ioredis';

/**
 * A connection to one node: the only one, or any of a cluster's, for publications reach all of them. When it breaks, the
 * next node is tried. (ioredis's own client for clusters tells nobody when its subscriber moves to another node, which
 * loses hints, and spreads publications over the nodes, where they overtake each other.)
 */
export function connectToNode(nodes: readonly string[], options: RedisOptions): Redis {
  let current = Math.floor(Math.random() * nodes.length);
  const redis = new Redis(nodes[current] ?? '', {
    ...options,
    retryStrategy(attempt) {
      current = (current + 1) % nodes.length;
      Object.assign(redis.options, placeOf(nodes[current] ?? ''));
      return reconnectDelay(attempt);
    },
  });
  return redis;
}

/** A client for the keys of a cluster, wherever they are. */
export function connectToKeys(nodes: readonly string[], options: RedisOptions): Cluster {
  const { enableOfflineQueue = true, ...redisOptions } = options;
  const [first = ''] = nodes;
  const { username, password } = placeOf(first);
  const tls = new URL(first).protocol === 'rediss:' ? { tls: {} } : {};
  return new Cluster([...nodes], {
    enableOfflineQueue,
    redisOptions: {
      ...redisOptions,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...tls,
    },
    clusterRetryStrategy: reconnectDelay,
  });
}

function placeOf(url: string) {
  const { hostname, port, username, password } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 6379),
    ...(username ? { username: decodeURIComponent(username) } : {}),
    ...(password ? { password: decodeURIComponent(password) } : {}),
  };
}

const longestDelay = 1_000;

function reconnectDelay(attempt: number): number {
  return Math.min(attempt * 50, longestDelay);
}
