import { randomBytes, randomUUID } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { clientFrame, FrameReader, opcode } from './frames.ts';
import type { Place } from './ledger.ts';

/** How a client of a server speaks until it receives. Everything in braces is replaced by the value of that name. */
export interface Opening {
  readonly url: string;
  readonly path: string;
  readonly subprotocol?: string | undefined;
  /** One after the other: what the client says, and what stands in the answer for which it waits. */
  readonly steps: readonly { readonly send?: string | undefined; readonly expect?: string | undefined }[];
  /** Text that keeps the connection alive, and the answer to it. */
  readonly keepAlive?: { readonly ask: string; readonly answer: string } | undefined;
}

/** Whatever is longer is a message; what keeps a connection alive, or says that it stands, is shorter. */
const shortestMessage = 150;
const switching = 'HTTP/1.1 101 ';
const headEnd = Buffer.from('\r\n\r\n');

// Chunks are dealt with as they come, so that one place for them is enough for all.
const chunk = Buffer.alloc(256 * 1024);

export type OnMessage = (client: Client, bytes: Buffer, start: number, end: number) => void;

/** One WebSocket as it costs the least: a socket of `node:net` whose frames are not made into objects. */
export class Client implements Place {
  last = -1;
  readonly room: string;
  readonly #socket: Socket;
  readonly #opening: Opening;
  readonly #values: Readonly<Record<string, string>>;
  readonly #onMessage: OnMessage;
  readonly #frames = new FrameReader();
  #head: Buffer | null = Buffer.alloc(0);
  #step = 0;
  #opened: () => void = () => undefined;
  readonly #failed: (error: Error) => void;
  #left = false;

  /** @param onFailed told when the server does anything else than to send. */
  constructor(
    opening: Opening,
    values: Readonly<Record<string, string>> & { readonly room: string },
    onMessage: OnMessage,
    onFailed: (error: Error) => void,
  ) {
    this.#opening = opening;
    this.#values = { id: randomUUID(), ...values };
    this.room = values.room;
    this.#onMessage = onMessage;
    this.#failed = onFailed;
    const { hostname, port } = new URL(opening.url);
    const onread = {
      buffer: chunk,
      callback: (length: number) => {
        try {
          this.#take(chunk.subarray(0, length));
        } catch (error) {
          this.#fail(error);
        }
        return true;
      },
    };
    this.#socket = createConnection({ host: hostname, port: Number(port), noDelay: true, onread });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server has closed a socket')));
    this.#socket.on('connect', () => this.#socket.write(this.#request(hostname, port)));
  }

  /** Resolves when it has said and heard everything that comes before messages. */
  opened(): Promise<void> {
    return new Promise((resolve) => {
      this.#opened = resolve;
    });
  }

  /** Goes without a word, as a client whose network is gone. */
  leave(): void {
    this.#left = true;
    this.#socket.resetAndDestroy();
  }

  #request(host: string, port: string): string {
    const { path, subprotocol } = this.#opening;
    return [
      `GET ${this.#filled(path)} HTTP/1.1`,
      `Host: ${host}:${port}`,
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
      ...(subprotocol ? [`Sec-WebSocket-Protocol: ${subprotocol}`] : []),
      '\r\n',
    ].join('\r\n');
  }

  #filled(template: string): string {
    return Object.entries(this.#values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), template);
  }

  #take(bytes: Buffer): void {
    if (this.#head === null) {
      this.#frames.read(bytes, this.#onFrame);
      return;
    }
    const head = Buffer.concat([this.#head, bytes]);
    const end = head.indexOf(headEnd);
    this.#head = head;
    if (end < 0) return;
    if (!head.toString('latin1', 0, switching.length).startsWith(switching)) throw new Error(head.toString());
    this.#head = null;
    this.#proceed();
    this.#frames.read(head.subarray(end + headEnd.length), this.#onFrame);
  }

  #onFrame = (kind: number, bytes: Buffer, start: number, end: number): void => {
    if (kind === opcode.text) {
      if (end - start >= shortestMessage) this.#onMessage(this, bytes, start, end);
      else this.#hear(bytes.toString('utf8', start, end));
    } else if (kind === opcode.ping) {
      this.#socket.write(clientFrame(opcode.pong, bytes.subarray(start, end)));
    } else if (kind === opcode.close) {
      const code = end - start >= 2 ? bytes.readUInt16BE(start) : 0;
      throw new Error(`a socket was closed with ${code} ${bytes.toString('utf8', start + 2, end)}`);
    } else if (kind !== opcode.pong) throw new Error(`a frame of kind ${kind} came`);
  };

  #hear(text: string): void {
    const { keepAlive, steps } = this.#opening;
    if (text === keepAlive?.ask) {
      this.#say(keepAlive.answer);
      return;
    }
    const expected = steps[this.#step]?.expect;
    if (expected === undefined || !text.includes(expected)) throw new Error(`unexpected: ${text}`);
    this.#step++;
    this.#proceed();
  }

  /** Says what comes next, until an answer has to be waited for. The first step may be to wait. */
  #proceed(): void {
    const { steps } = this.#opening;
    for (; this.#step < steps.length; this.#step++) {
      const { send, expect } = steps[this.#step] ?? {};
      if (send !== undefined) this.#say(this.#filled(send));
      if (expect !== undefined) return;
    }
    this.#opened();
  }

  #say(text: string): void {
    this.#socket.write(clientFrame(opcode.text, Buffer.from(text)));
  }

  #fail(error: unknown): void {
    if (this.#left) return;
    this.leave();
    this.#failed(error instanceof Error ? error : new Error(String(error)));
  }
}
