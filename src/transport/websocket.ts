import type { IncomingMessage, Server } from 'node:http';
import { type ExecutionArgs, GraphQLError, getOperationAST } from 'graphql';
import { CloseCode, handleProtocols, type SubscribePayload } from 'graphql-ws';
import { WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import type { Limits } from '../config.ts';
import type { Caller } from '../domains/caller.ts';
import { createContext } from '../graphql/context.ts';
import { schema } from '../graphql/schema.ts';
import type { Actor } from '../kernel/actor.ts';
import { DomainError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { newRequestId, type Origin } from '../kernel/origin.ts';
import type { OperationContext } from './admission.ts';
import { type Authentication, bearerToken } from './authentication.ts';
import { Connection, type ConnectionHost, tryAgainLater } from './connection.ts';
import { FrameWriter } from './frameWriter.ts';
import type { Front } from './front.ts';
import { createGatherer } from './gatherer.ts';
import { graphqlPath } from './graphql.ts';
import { createHeartbeat } from './heartbeat.ts';
import type { Sessions } from './sessions.ts';
import { openSession, renewSession } from './socketSession.ts';

/** What a client sends with `connectionInit`: the token by itself, or as an HTTP client would. */
const initPayload = z.object({
  token: z.string().optional(),
  authorization: z.string().optional(),
  Authorization: z.string().optional(),
});

/** What happens with connections, for those who keep count of who is there. */
export interface ConnectionObserver {
  connected(actor: Actor, connectionId: string): void;
  disconnected(connectionId: string): void;
}

/** A socket that tells its connection what happens: listeners of its own for that would take as much memory as the connection. */
class ClientSocket extends WebSocket {
  connection: Connection | null = null;

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    const { connection } = this;
    if (connection === null) return super.emit(event, ...args);
    if (event === 'message') this.#read(connection, String(args[0]));
    else if (event === 'pong') connection.beaten();
    else {
      const heard = super.emit(event, ...args);
      if (event === 'close') connection.closed();
      return heard;
    }
    return true;
  }

  #read(connection: Connection, text: string): void {
    void connection.receive(text);
    // Who does not take the answers is not asked for more questions: otherwise they would pile up here without bound.
    if (!this.isPaused && connection.frames.whenTaken(() => this.resume())) this.pause();
  }
}

/** GraphQL over WebSocket (graphql-transport-ws) on the same path. @returns what closes all sockets as going away. */
export function serveWebSockets(deps: {
  server: Server;
  authentication: Authentication;
  sessions: Sessions;
  callerFor: (actor: Actor, origin: Origin) => Caller;
  observer: ConnectionObserver;
  front: Front;
  originOf: (request: IncomingMessage) => Origin;
  limits: Limits;
  log: Logger;
}) {
  const { server, authentication, sessions, callerFor, observer, front, originOf, limits, log } = deps;
  const heartbeat = createHeartbeat(limits.pingEvery);
  const gatherer = createGatherer();

  const host: ConnectionHost = {
    heartbeat,
    initTimeout: limits.initTimeout,
    // The token is checked once here; the socket ends when it expires.
    async connect(connection, params) {
      const actor = await authenticated(authentication, params, connection.origin, log);
      if (actor === 'unknown') {
        // Not 4403, with which clients would give their token up.
        connection.close(tryAgainLater, 'tokens cannot be checked now');
        return false;
      }
      // For a socket that was closed meanwhile `disconnected` has been called: nothing may be kept for it.
      if (!actor || !connection.isOpen) return false;
      if (sessions.count(actor) >= limits.socketsPerUser) {
        connection.close(tryAgainLater, `a user has at most ${limits.socketsPerUser} sockets here`);
        return false;
      }
      connection.id = newRequestId();
      observer.connected(openSession(sessions, connection, actor), connection.id);
      return true;
    },
    disconnected(connection) {
      const { actor, id } = connection;
      connection.actor = null;
      if (actor) sessions.forget(actor, connection);
      if (id !== null) observer.disconnected(id);
    },
    failed(connection, error) {
      log.error({ err: error }, 'a message could not be dealt with');
      connection.close(CloseCode.InternalServerError, 'Internal server error');
    },
    async perform(connection, operation, payload) {
      if (connection.operationCount > limits.operationsPerSocket) {
        const message = `a socket has at most ${limits.operationsPerSocket} operations open`;
        return operation.refuse([new GraphQLError(message, { extensions: { code: 'TOO_MANY_OPERATIONS' } })]);
      }
      const args = argsOf(connection, payload);
      if ('errors' in args) return operation.refuse(args.errors);
      const kind = getOperationAST(args.document, args.operationName)?.operation;
      if (kind === undefined) return operation.refuse([new GraphQLError('Unable to identify operation')]);
      if (kind !== 'subscription') return operation.answer(await front.onSocket.execute(args));
      const results = await front.subscriptions.subscribe(args);
      if (Symbol.asyncIterator in results) operation.follow(results);
      else operation.answer(front.onSocket.notOpened(args, results));
    },
  };

  function argsOf(
    connection: Connection,
    payload: SubscribePayload,
  ): ExecutionArgs | { readonly errors: readonly GraphQLError[] } {
    const startedAt = performance.now();
    const { actor, id } = connection;
    // Each operation has a request id of its own; the socket's names where it came from.
    const origin = { ...connection.origin, requestId: newRequestId() };
    const read = front.onSocket.documentOf(payload, { asker: { origin, actor, connectionId: id }, startedAt });
    if ('errors' in read) return read;
    const { operationName, variables: variableValues } = payload;
    return {
      schema,
      document: read.document,
      operationName,
      variableValues,
      contextValue: contextOf(connection, origin),
    };
  }

  function contextOf(connection: Connection, origin: Origin): OperationContext {
    const { actor, id } = connection;
    if (!actor || id === null) return { ...createContext(null), origin };
    const renew = (token: string) => renewSession({ sessions, authentication }, connection, actor, token, origin);
    return { ...createContext(callerFor(actor, origin), id, renew), origin };
  }

  // What extensions there are would change the frames that are written beside `ws`.
  const sockets = new WebSocketServer({
    server,
    path: graphqlPath,
    maxPayload: limits.messageBytes,
    perMessageDeflate: false,
    handleProtocols,
    WebSocket: ClientSocket,
  });

  // It is the client's: a message too large, a broken frame.
  function onError(error: Error): void {
    log.debug({ reason: error.message }, 'a socket broke the protocol');
  }

  // `ws` repeats the errors of the HTTP server; who listens reports them.
  sockets.on('error', () => undefined);
  sockets.on('connection', (socket, request) => {
    socket.on('error', onError);
    if (socket.protocol === '') {
      socket.close(CloseCode.SubprotocolNotAcceptable, 'Subprotocol not acceptable');
      return;
    }
    const frames = new FrameWriter(socket, request.socket, gatherer, limits.bufferBytes);
    socket.connection = new Connection(host, socket, frames, originOf(request));
  });

  return {
    async close(): Promise<void> {
      heartbeat.stop();
      for (const socket of sockets.clients) {
        if (socket.connection) socket.connection.end(null);
        else socket.terminate();
      }
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
    },
  };
}

/** Who it is; null for nobody, 'unknown' while that cannot be found out. */
async function authenticated(
  authentication: Authentication,
  params: unknown,
  origin: Origin,
  log: Logger,
): Promise<Actor | 'unknown' | null> {
  const parsed = initPayload.safeParse(params ?? {});
  if (!parsed.success) return null;
  const { token, authorization, Authorization } = parsed.data;
  try {
    const given = token ?? bearerToken(authorization ?? Authorization);
    return given ? await authentication.authenticate(given, origin) : null;
  } catch (error) {
    if (error instanceof DomainError) return null;
    log.error({ err: error }, 'a token could not be checked');
    return 'unknown';
  }
}
