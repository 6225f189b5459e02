import type { Duplex } from 'node:stream';
import { afterAll } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { at } from '../support/json.ts';
import { waitFor } from '../support/waiting.ts';

/** A socket without any client library: it sends what a test wants it to send. */
export interface RawSocket {
  /** What came so far. */
  readonly messages: readonly unknown[];
  readonly pings: number;
  /** How it was closed, once it was. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly isClosed: boolean;
  /** Bytes that were sent here and that the server has not taken. */
  readonly unsent: number;
  send(message: object | string): void;
  /** Sends `connectionInit` and waits for the answer. */
  init(payload: object): Promise<void>;
  subscribe(id: string, query: string, variables?: Readonly<Record<string, unknown>>): void;
  /** Waits for a message of this type to this operation. @returns the message. */
  until(type: string, id?: string): Promise<unknown>;
  /** Sends a ping and waits for the answer: the server has got everything from before. */
  pong(): Promise<void>;
  /** Takes nothing from the network any more: what the server sends piles up on its side. */
  pause(): void;
  resume(): void;
  terminate(): void;
}

/** Opens it; it is cut after the last test of the file at the latest. */
export async function openRawSocket(
  url: string,
  { protocol = 'graphql-transport-ws', ...options }: ClientOptions & { readonly protocol?: string } = {},
): Promise<RawSocket> {
  let network: Duplex | undefined;
  const socket = new WebSocket(url.replace('http', 'ws'), protocol, options);
  socket.once('upgrade', (response) => {
    network = response.socket;
  });
  afterAll(() => socket.terminate());
  const messages: unknown[] = [];
  let pings = 0;
  let isClosed = false;
  socket.on('message', (data) => messages.push(JSON.parse(String(data))));
  socket.on('ping', () => pings++);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => {
      isClosed = true;
      resolve({ code, reason: String(reason) });
    });
  });
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  // A write into a socket that the server has just ended fails: what counts is how it was closed.
  socket.on('error', () => undefined);
  const send = (message: object | string) => {
    socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  };
  async function until(type: string, id?: string): Promise<unknown> {
    const found = () => messages.find((message) => at(message, 'type') === type && (!id || at(message, 'id') === id));
    await waitFor(
      () => `${type} ${id ?? ''}; so far: ${JSON.stringify(messages)}`,
      () => found() !== undefined,
    );
    return found();
  }
  return {
    messages,
    get pings() {
      return pings;
    },
    closed,
    get isClosed() {
      return isClosed;
    },
    get unsent() {
      return socket.bufferedAmount;
    },
    send,
    async init(payload) {
      send({ type: 'connection_init', payload });
      await until('connection_ack');
    },
    subscribe: (id, query, variables = {}) => send({ id, type: 'subscribe', payload: { query, variables } }),
    until,
    async pong() {
      const count = () => messages.filter((message) => at(message, 'type') === 'pong').length;
      const before = count();
      send({ type: 'ping' });
      await waitFor('a pong', () => count() > before);
    },
    pause: () => network?.pause(),
    resume: () => network?.resume(),
    terminate: () => socket.terminate(),
  };
}
