import type { ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode, MessageType, parseMessage, type SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Sink } from '../events/stream.ts';
import type { SharedResult } from '../graphql/sharedResults.ts';
import type { Subscription } from '../graphql/subscriber.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Origin } from '../kernel/origin.ts';
import { bytesOf } from './frames.ts';
import type { FrameWriter } from './frameWriter.ts';
import type { Heartbeat, Living } from './heartbeat.ts';
import type { Session } from './sessions.ts';

const goingAway = 1001;
const stopping = 'the server is going away';
export const tryAgainLater = 1013;
/** How long a client has to answer that its socket is being closed; then it is cut. */
const closeWithin = 5_000;

/** What the connections of a server have in common. */
export interface ConnectionHost {
  /** Decides who speaks over it, from what `connectionInit` brought. @returns false when it is to be closed with 4403. */
  connect(connection: Connection, params: unknown): Promise<boolean>;
  /** Does an operation, or begins it: whatever comes of it is told to `operation`. */
  perform(connection: Connection, operation: SocketOperation, payload: SubscribePayload): Promise<void>;
  /** It is closed; everything that it asked for has been stopped. */
  disconnected(connection: Connection): void;
  /** Something of ours failed: the connection cannot go on. */
  failed(connection: Connection, error: unknown): void;
  /** How long a client may take to say who it is, in milliseconds. */
  readonly initTimeout: number;
  readonly heartbeat: Heartbeat;
}

/**
 * A WebSocket as the protocol graphql-transport-ws has it; graphql-ws reads its messages. Classes, for there are tens of
 * thousands: a connection with a subscription that is waiting takes little more than its socket.
 */
export class Connection implements Session, Living {
  readonly socket: WebSocket;
  readonly frames: FrameWriter;
  /** Its place in the heartbeat. */
  readonly place: number;
  /** Where it comes from; each operation has a request id of its own. */
  readonly origin: Origin;
  /** Whose it is, once that is known; a newer token changes it. */
  actor: Actor | null = null;
  id: string | null = null;
  readonly #host: ConnectionHost;
  #operations: SocketOperation[] = [];
  #state: 'new' | 'initialising' | 'acknowledged' = 'new';
  #initTimer: NodeJS.Timeout | null;
  #closeTimer: NodeJS.Timeout | null = null;
  #isAlive = true;

  constructor(host: ConnectionHost, socket: WebSocket, frames: FrameWriter, origin: Origin) {
    this.#host = host;
    this.place = host.heartbeat.join(this);
    this.socket = socket;
    this.frames = frames;
    this.origin = origin;
    this.#initTimer = setTimeout(() => {
      if (this.#state === 'new') {
        this.close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout');
      }
    }, host.initTimeout);
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** How many operations are open. */
  get operationCount(): number {
    return this.#operations.length;
  }

  /** The subscriptions that stand. */
  get subscriptions(): readonly SocketOperation[] {
    return this.#operations.filter((operation) => operation.results !== null);
  }

  send(message: object): void {
    if (!this.isOpen) return;
    this.frames.flush();
    this.socket.send(JSON.stringify(message));
  }

  /** Closes it, in five seconds without the client's consent. */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.frames.flush();
    this.socket.close(code, shortened(reason));
    this.#closeTimer = setTimeout(() => this.socket.terminate(), closeWithin);
  }

  /** Its session has ended. */
  end(reason: string | null): void {
    if (reason === null) this.close(goingAway, stopping);
    else this.close(CloseCode.Forbidden, reason);
  }

  beat(): void {
    // Also one that the client is closing without taking what is left for it: nobody else would ever end it.
    if (!this.#isAlive) {
      this.socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.frames.ping();
  }

  insist(): void {
    this.frames.pingAlone();
  }

  /** It has answered a ping. */
  beaten(): void {
    this.#isAlive = true;
  }

  /** A message came. */
  async receive(text: string): Promise<void> {
    try {
      await this.#receive(text);
    } catch (error) {
      this.#host.failed(this, error);
    }
  }

  /** The socket is closed. */
  closed(): void {
    this.#stopWaiting();
    if (this.#closeTimer) clearTimeout(this.#closeTimer);
    const operations = this.#operations;
    this.#operations = [];
    this.#host.heartbeat.leave(this, this.place);
    for (const operation of operations) operation.results?.stop();
    this.#host.disconnected(this);
  }

  isRunning(operation: SocketOperation): boolean {
    return this.#operations.includes(operation);
  }

  /** @returns whether it was running. */
  remove(operation: SocketOperation): boolean {
    const place = this.#operations.indexOf(operation);
    if (place >= 0) this.#operations.splice(place, 1);
    return place >= 0;
  }

  #stopWaiting(): void {
    if (this.#initTimer) clearTimeout(this.#initTimer);
    this.#initTimer = null;
  }

  async #receive(text: string): Promise<void> {
    let message: ReturnType<typeof parseMessage>;
    try {
      message = parseMessage(text);
    } catch {
      return this.close(CloseCode.BadRequest, 'Invalid message received');
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        return this.#initialise(message.payload);
      case MessageType.Ping: {
        const { payload } = message;
        return this.send(payload ? { type: MessageType.Pong, payload } : { type: MessageType.Pong });
      }
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        return this.#subscribe(message.id, message.payload);
      case MessageType.Complete: {
        const { id } = message;
        const operation = this.#operations.find((each) => each.id === id);
        if (operation && this.remove(operation)) operation.results?.stop();
        return;
      }
      default:
        return this.close(CloseCode.BadRequest, `Unexpected message of type ${message.type} received`);
    }
  }

  async #initialise(params: unknown): Promise<void> {
    if (this.#state !== 'new') {
      return this.close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
    }
    this.#state = 'initialising';
    this.#stopWaiting();
    if (!(await this.#host.connect(this, params))) return this.close(CloseCode.Forbidden, 'Forbidden');
    this.#state = 'acknowledged';
    this.send({ type: MessageType.ConnectionAck });
  }

  async #subscribe(id: string, payload: SubscribePayload): Promise<void> {
    if (this.#state !== 'acknowledged') return this.close(CloseCode.Unauthorized, 'Unauthorized');
    if (this.#operations.some((operation) => operation.id === id)) {
      return this.close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
    }
    // Until the client closes it too, a socket still receives; its right to ask for anything has ended.
    if (!this.isOpen) return;
    const operation = new SocketOperation(this, id);
    // An array that is appended to makes room for sixteen more.
    this.#operations = [...this.#operations, operation];
    await this.#host.perform(this, operation, payload);
  }
}

/** One operation over a socket, from when it is asked for until it is complete. What comes later is dropped. */
export class SocketOperation implements Sink<SharedResult> {
  readonly id: string;
  readonly #connection: Connection;
  /** What a subscription that stands gives. */
  results: Subscription | null = null;
  /** Its id as it stands in JSON, in bytes: most often the very same string. */
  readonly #idBytes: string;
  readonly #frames: FrameWriter;

  constructor(connection: Connection, id: string) {
    this.#connection = connection;
    this.#frames = connection.frames;
    this.id = id;
    const bytes = bytesOf(JSON.stringify(id).slice(1, -1));
    this.#idBytes = bytes === id ? id : bytes;
  }

  /** The subscription stands. */
  follow(results: Subscription): void {
    if (!this.#connection.isRunning(this)) {
      results.stop();
      return;
    }
    this.results = results;
    results.listen(this);
  }

  take(result: SharedResult): boolean {
    if (this.results === null) return true;
    const more = this.#frames.write(this.#idBytes, result.bytes, this.results);
    if (result.tooSlow) this.#connection.close(tryAgainLater, 'too slow: resync');
    return more;
  }

  done(): void {
    this.results = null;
    if (this.#connection.remove(this)) this.#connection.send({ id: this.id, type: MessageType.Complete });
  }

  /** Its only answer. */
  answer(payload: ExecutionResult): void {
    if (this.#connection.isRunning(this)) {
      this.#connection.send({ id: this.id, type: MessageType.Next, payload });
    }
    this.done();
  }

  /** It was not done. */
  refuse(payload: readonly GraphQLError[]): void {
    if (this.#connection.remove(this)) {
      this.#connection.send({ id: this.id, type: MessageType.Error, payload });
    }
  }

  /** A subscription that stood ends with these errors. */
  cancel(errors: readonly GraphQLError[]): void {
    this.results?.stop();
    this.answer({ errors });
  }
}

/** A reason has at most 123 bytes; a character that is cut apart takes up to three again. */
function shortened(reason: string): string {
  return Buffer.from(reason).subarray(0, 120).toString();
}
