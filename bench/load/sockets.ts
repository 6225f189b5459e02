import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { quantile } from '../harness/statistics.ts';
import { Client } from './client.ts';
import { Ledger, numbered, numberIn } from './ledger.ts';
import { connections, send } from './sender.ts';

// A crowd of sockets of one server, and who sends the messages that they get: a process that does as it is told, and
// looks at every message that comes: each socket has to get every message once, and all of a room in the same order.

const opening = z.object({
  url: z.string(),
  path: z.string(),
  subprotocol: z.string().optional(),
  steps: z.array(z.object({ send: z.string().optional(), expect: z.string().optional() })),
  keepAlive: z.object({ ask: z.string(), answer: z.string() }).optional(),
});
const sending = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
  expects: z.string(),
});
const job = z.discriminatedUnion('do', [
  /** Opens sockets, so many at once. */
  z.object({
    do: z.literal('open'),
    opening,
    atOnce: z.number(),
    sockets: z.array(z.object({ room: z.string() }).catchall(z.string())),
  }),
  /** Sends into every room until each socket gets what is sent. */
  z.object({ do: z.literal('settle'), sending }),
  /**
   * Sends for so long, into the rooms in turn; the next message as soon as all have got one of those under way, or when
   * its time has come, where it is said how many are sent in a second.
   */
  z.object({
    ...{ do: z.literal('press'), sending, underWay: z.number(), seconds: z.number() },
    perSecond: z.number().optional(),
  }),
  /** Sends at fixed times, and measures from when Redis handed on what the server published to each socket. */
  z.object({ do: z.literal('pace'), sending, redisUrl: z.string(), messages: z.number(), every: z.number() }),
  /** Waits until each socket has got so many messages, from the room's first on. */
  z.object({ do: z.literal('receive'), messages: z.number() }),
]);

type Job = z.infer<typeof job>;
type Sending = z.infer<typeof sending>;

/** A message as people write it, after its number. */
const rest = ' Shall we meet at the station at eight, or is nine better for you and the others?';
/** Milliseconds in which everything that is waited for has to come. */
const patience = 60_000;

const clients: Client[] = [];
const ledgers = new Map<string, Ledger>();
let deliveries = 0;
let bytes = 0;
/** Messages that were pressed: each job goes on with the room after that of the job before. */
let pressed = 0;
let agent = connections();
/** Told of each message that comes, where that is of interest. */
let observe: ((number: number) => void) | null = null;

const broken = Promise.withResolvers<never>();
broken.promise.catch(() => undefined);

function ledgerOf(room: string): Ledger {
  let ledger = ledgers.get(room);
  if (!ledger) {
    ledger = new Ledger();
    ledgers.set(room, ledger);
  }
  return ledger;
}

function onMessage(client: Client, from: Buffer, start: number, end: number): void {
  const number = numberIn(from, start, end);
  if (number < 0) throw new Error(`not a message: ${from.toString('utf8', start, end)}`);
  deliveries++;
  bytes += end - start;
  ledgerOf(client.room).receive(client, number);
  observe?.(number);
}

async function open({ opening, atOnce, sockets }: Extract<Job, { do: 'open' }>): Promise<void> {
  const left = sockets.values();
  const some = async () => {
    for (const values of left) {
      ledgerOf(values.room).listeners++;
      const client = new Client(opening, values, onMessage, broken.reject);
      clients.push(client);
      await client.opened();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, some));
}

/** Sends one message. Resolves when it was taken and all have got it. */
async function sendOne(sending: Sending, room: string): Promise<void> {
  const ledger = ledgerOf(room);
  const number = ++ledger.sent;
  await Promise.all([ledger.delivered(number), send(sending, { agent, room, text: numbered(number) + rest })]);
}

async function settle({ sending }: Extract<Job, { do: 'settle' }>): Promise<void> {
  const left = ledgers.entries();
  const some = async () => {
    for (const [room, ledger] of left) {
      ledger.settling();
      let stands = false;
      while (!stands) {
        const number = ++ledger.sent;
        await send(sending, { agent, room, text: numbered(number) + rest });
        for (let waited = 0; waited < 100 && !stands; waited++) {
          await delay(5);
          stands = ledger.hasDelivered(number);
        }
      }
      ledger.settled();
    }
  };
  await Promise.all(Array.from({ length: 8 }, some));
  for (const client of clients) client.last = -1;
}

async function press({ sending, underWay, seconds, perSecond }: Extract<Job, { do: 'press' }>): Promise<void> {
  const rooms = [...ledgers.keys()];
  const started = performance.now();
  const until = started + seconds * 1_000;
  let count = 0;
  const some = async () => {
    while (performance.now() < until) {
      const due = started + (perSecond === undefined ? 0 : (count++ * 1_000) / perSecond);
      if (due >= until) return;
      if (due > performance.now()) await delay(due - performance.now());
      await sendOne(sending, rooms[pressed++ % rooms.length] ?? '');
    }
  };
  await Promise.all(Array.from({ length: underWay }, some));
}

async function pace({ sending, redisUrl, messages, every }: Extract<Job, { do: 'pace' }>) {
  const [room = ''] = ledgers.keys();
  const redis = new Redis(redisUrl);
  const published = new Map<number, number>();
  const latencies: number[] = [];
  redis.on('pmessageBuffer', (_pattern, _channel, payload: Buffer) => {
    const number = numberIn(payload, 0, payload.length);
    if (number >= 0 && !published.has(number)) published.set(number, performance.now());
  });
  await redis.psubscribe('*');
  observe = (number) => {
    const now = performance.now();
    // What comes before it could come is a server that does not wait for Redis; then its first delivery is the beginning.
    const from = published.get(number) ?? now;
    published.set(number, from);
    latencies.push(now - from);
  };
  const sent: Promise<void>[] = [];
  const started = performance.now();
  for (let count = 0; count < messages; count++) {
    await delay(Math.max(0, started + count * every - performance.now()));
    sent.push(sendOne(sending, room));
  }
  await Promise.all(sent);
  observe = null;
  redis.disconnect();
  return { median: quantile(latencies, 0.5), p99: quantile(latencies, 0.99) };
}

async function receive({ messages }: Extract<Job, { do: 'receive' }>) {
  const started = performance.now();
  while (clients.some(({ last }) => last < messages - 1)) await delay(10);
  const seconds = (performance.now() - started) / 1_000;
  // What came twice would come now.
  await delay(300);
  for (const { order } of ledgers.values()) {
    if (order.length !== messages) throw new Error(`${order.length} messages came, and not ${messages}`);
    if (order.some((number, index) => number !== index + 1)) throw new Error('messages came in another order');
  }
  return { seconds };
}

function work(given: Job) {
  switch (given.do) {
    case 'open':
      return open(given);
    case 'settle':
      return settle(given);
    case 'press':
      return press(given);
    case 'pace':
      return pace(given);
    case 'receive':
      return receive(given);
  }
}

async function perform(given: Job) {
  const before = { deliveries, bytes };
  agent = connections();
  const started = performance.now();
  const late = new AbortController();
  const tooLate = delay(patience, undefined, { signal: late.signal }).then(() => {
    const missing = [...ledgers.values()].map((ledger) => ledger.missing).filter(Boolean);
    throw new Error(`${given.do}: not done in time. ${missing.slice(0, 5).join(', ')}`);
  });
  tooLate.catch(() => undefined);
  try {
    const found = await Promise.race([work(given), tooLate, broken.promise]);
    const seconds = (performance.now() - started) / 1_000;
    return { seconds, deliveries: deliveries - before.deliveries, bytes: bytes - before.bytes, ...found };
  } finally {
    late.abort();
    agent.destroy();
  }
}

process.on('message', (message) => {
  perform(job.parse(message)).then(
    (result) => process.send?.(result),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? error.message : String(error) }),
  );
});
