import { setTimeout as delay } from 'node:timers/promises';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { readStream } from '../support/client.ts';
import type { Random } from '../support/random.ts';
import { isTrouble, parseBody, type World } from './world.ts';

/** Follows one room, or all of its viewer's, and comes back with its last cursor whenever it was cut off. */
export interface Reader {
  readonly name: string;
  /** The rooms that it follows. */
  readonly rooms: readonly number[];
  /** What came, by room, in the order in which it came. */
  readonly received: ReadonlyMap<number, string[]>;
  /** How often it had to connect. */
  readonly connections: number;
  /** Breaks its connection from this side, without a word to the server. */
  cut(): void;
  stop(): Promise<void>;
}

/** One subscription on one connection. */
interface Connection {
  /** Resolves with the reason when it ends, on whichever side. */
  readonly ended: Promise<unknown>;
  cut(): void;
  close(): void;
}

type Connect = (
  url: string,
  token: string,
  request: { readonly query: string; readonly variables: Record<string, unknown> },
  onValue: (value: unknown) => void,
) => Connection;

export const overWebSocket: Connect = (url, token, request, onValue) => {
  let socket: WebSocket | null = null;
  const client = createClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    connectionParams: { token },
    connectionAckWaitTimeout: 5_000,
    retryAttempts: 0,
    on: {
      opened(opened) {
        if (opened instanceof WebSocket) socket = opened;
      },
    },
  });
  const ended = new Promise<unknown>((resolve) => {
    client.subscribe(request, { next: onValue, error: resolve, complete: () => resolve('complete') });
  });
  const close = () => void client.dispose();
  void ended.then(close);
  return { ended, close, cut: () => socket?.terminate() };
};

export const overServerSentEvents: Connect = (url, token, request, onValue) => {
  const ending = new AbortController();
  const opening = fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify(request),
    signal: ending.signal,
  });
  const reading = readStream(opening, onValue).then(
    () => 'complete',
    (error: unknown) => error,
  );
  // An aborted body may be cancelled for ever.
  const aborted = new Promise((resolve) => {
    ending.signal.addEventListener('abort', () => resolve('aborted'));
  });
  const ended = Promise.race([reading, aborted]);
  return { ended, close: () => ending.abort(), cut: () => ending.abort() };
};

// The author is read from the database for each event, so that executions fail while it is away.
const query = `subscription Read($room: ID, $after: String) {
  messageAdded(roomId: $room, after: $after) {
    __typename
    ... on MessageAdded { cursor message { id body author { id name } } }
    ... on ResyncRequired { reason }
  }
}`;

const value = z.object({
  data: z
    .object({
      messageAdded: z.discriminatedUnion('__typename', [
        z.object({
          __typename: z.literal('MessageAdded'),
          cursor: z.string(),
          message: z.object({ body: z.string(), author: z.object({ name: z.string() }) }),
        }),
        z.object({ __typename: z.literal('ResyncRequired'), reason: z.string() }),
      ]),
    })
    .nullish(),
  errors: z.array(z.object({ extensions: z.object({ code: z.string() }) })).default([]),
});

/** Closes with these codes mean that the server, or the network, is away for now. */
const passing = new Set([1000, 1001, 1005, 1006, 1011, 1012, 1013]);

/** @param options.room null for all of the viewer's. */
export function startReader(
  world: World,
  options: {
    readonly name: string;
    readonly connect: Connect;
    readonly token: string;
    readonly room: number | null;
    /** The cursor to begin with. */
    readonly after: string;
    readonly random: Random;
  },
): Reader {
  const { name, connect, token, room, random } = options;
  const rooms = room === null ? [...world.rooms.keys()] : [room];
  const received = new Map(rooms.map((index): [number, string[]] => [index, []]));
  let cursor = options.after;
  let process = random.integer(world.urls.length);
  let connections = 0;
  let stopping = false;
  let connection: Connection | null = null;
  const complain = (what: string) => world.violations.push(`${name}: ${what}`);

  function take(text: unknown): boolean {
    const { data, errors } = value.parse(text);
    if (errors.length > 0) {
      const codes = errors.map((error) => error.extensions.code);
      if (!isTrouble(codes)) complain(`an event with ${codes}`);
      return false;
    }
    const event = data?.messageAdded;
    if (event?.__typename !== 'MessageAdded') {
      complain(`not a message: ${JSON.stringify(data)}`);
      return false;
    }
    const body = parseBody(event.message.body);
    received.get(body.room)?.push(body.text);
    cursor = event.cursor;
    return true;
  }

  function follow(): Connection {
    connections++;
    let ending = false;
    const variables = { after: cursor, ...(room === null ? {} : { room: world.rooms[room] }) };
    return connect(world.urls[process] ?? '', token, { query, variables }, (text) => {
      // What followed an error would have a hole before it: the server ends the subscription instead.
      if (ending) complain(`more after an error: ${JSON.stringify(text)}`);
      try {
        ending = !take(text);
      } catch (error) {
        complain(String(error));
      }
    });
  }

  function judge(reason: unknown): void {
    const code = z.object({ code: z.number() }).safeParse(reason).data?.code;
    if (code !== undefined && code >= 1000 && !passing.has(code)) complain(`the socket was closed with ${code}`);
    const errors = z.array(z.object({ extensions: z.object({ code: z.string() }) })).safeParse(reason).data ?? [];
    const codes = errors.map((error) => error.extensions.code);
    if (codes.length > 0 && !isTrouble(codes)) complain(`the subscription was refused with ${codes}`);
  }

  async function run(): Promise<void> {
    while (!stopping) {
      connection = follow();
      judge(await connection.ended);
      process = (process + 1) % world.urls.length;
      if (!stopping) await delay(50 + random.integer(150));
    }
  }

  const running = run();
  return {
    name,
    rooms,
    received,
    get connections() {
      return connections;
    },
    cut: () => connection?.cut(),
    async stop() {
      stopping = true;
      connection?.close();
      await running;
    },
  };
}
