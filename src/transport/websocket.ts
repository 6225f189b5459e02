import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { type DocumentNode, type ExecutionArgs, type ExecutionResult, GraphQLError } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { type WebSocket, WebSocketServer } from 'ws';
import { z } from 'zod';
import type { Limits } from '../config.ts';
import type { SharedExecution } from '../graphql/sharedExecution.ts';
import type { Actor } from '../kernel/actor.ts';
import { DomainError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import type { Origin } from '../kernel/origin.ts';
import { type Authentication, bearerToken } from './authentication.ts';
import type { Front } from './front.ts';
import { graphqlPath, type Yoga } from './graphql.ts';
import type { Sessions } from './sessions.ts';
import { openSocketSession, type SocketSession } from './socketSession.ts';
import { writeTo } from './socketWriter.ts';

/** What a client sends with `connectionInit`: the token by itself, or as an HTTP client would. */
const initPayload = z.object({
  token: z.string().optional(),
  authorization: z.string().optional(),
  Authorization: z.string().optional(),
});

type Connection = {
  session?: SocketSession;
  id?: string;
  operations?: number;
};

/** What an operation has to know of its socket: passed along as its root value, which our resolvers do not use. */
interface OnSocket {
  readonly socket: WebSocket;
  readonly session: SocketSession | undefined;
  readonly operationId: string;
  readonly execute: (args: ExecutionArgs) => Promise<ExecutionResult>;
}

const goingAway = 1001;
const stopping = 'the server is going away';
const tryAgainLater = 1013;

/** What happens with connections, for those who keep count of who is there. */
export interface ConnectionObserver {
  connected(actor: Actor, connectionId: string): void;
  disconnected(connectionId: string): void;
}

/** GraphQL over WebSocket (graphql-ws) on the same path. @returns what closes all sockets as going away. */
export function serveWebSockets(deps: {
  server: Server;
  yoga: Yoga;
  authentication: Authentication;
  sessions: Sessions;
  subscriptions: SharedExecution;
  observer: ConnectionObserver;
  front: Front;
  originOf: (request: IncomingMessage) => Origin;
  limits: Limits;
  log: Logger;
}) {
  const { server, yoga, authentication, sessions, subscriptions, observer, front, originOf, limits, log } = deps;
  const sockets = new WebSocketServer({ server, path: graphqlPath, maxPayload: limits.messageBytes });
  const disposable = useServer<Record<string, unknown>, Connection>(
    {
      connectionInitWaitTimeout: limits.initTimeout,
      // False closes the socket with 4403. The token is checked once here; the socket ends when it expires.
      async onConnect({ connectionParams, extra }) {
        const actor = await authenticated(authentication, connectionParams, originOf(extra.request), log);
        if (actor === 'unknown') {
          // Not 4403, with which clients would give their token up.
          end(extra.socket, tryAgainLater, 'tokens cannot be checked now');
          return false;
        }
        // For a socket that was closed meanwhile `onDisconnect` will not be called: nothing may be kept for it.
        if (!actor || !isOpen(extra.socket)) return false;
        if (sessions.count(actor) >= limits.socketsPerUser) {
          end(extra.socket, tryAgainLater, `a user has at most ${limits.socketsPerUser} sockets here`);
          return false;
        }
        const id = randomUUID();
        const onEnd = (reason: string | null) => {
          if (reason === null) end(extra.socket, goingAway, stopping);
          else end(extra.socket, CloseCode.Forbidden, reason);
        };
        const session = openSocketSession({ actor, authentication, sessions, mask: front.mask, onEnd });
        Object.assign(extra, { session, id, operations: 0 });
        observer.connected(session.actor, id);
        return true;
      },
      onDisconnect({ extra }) {
        extra.session?.forget();
        if (extra.id !== undefined) observer.disconnected(extra.id);
      },
      async onSubscribe({ extra, subscriptions: open }, operationId, params) {
        // Until the client closes it too, a socket still receives; its right to ask for anything has ended.
        if (!isOpen(extra.socket)) return [new GraphQLError('the socket is being closed')];
        if (Object.keys(open).length > limits.operationsPerSocket) {
          return [
            new GraphQLError(`a socket has at most ${limits.operationsPerSocket} operations open`, {
              extensions: { code: 'TOO_MANY_OPERATIONS' },
            }),
          ];
        }
        const startedAt = performance.now();
        // Each operation has a request id of its own; the socket's names where it came from.
        const origin = { ...originOf(extra.request), requestId: randomUUID() };
        const { session, id } = extra;
        const { schema, execute, contextFactory, parse, validate } = yoga.getEnveloped({
          ...(session ? { actor: session.actor, renewToken: (token: string) => session.renew(token, origin) } : {}),
          ...(id !== undefined ? { connectionId: id } : {}),
          origin,
          req: extra.request,
          socket: extra.socket,
          params,
        });
        const asker = { origin, actor: session?.actor ?? null, connectionId: id ?? null };
        const { operationName } = params;
        const refused = (errors: readonly unknown[], document: DocumentNode | null) =>
          front.onSocket.refused({ errors, document, operationName, asker, startedAt });
        let document: DocumentNode;
        try {
          document = parse(front.onSocket.queryOf(params));
        } catch (error) {
          return refused([error], null);
        }
        const errors = validate(schema, document);
        if (errors.length > 0) return refused(errors, document);
        const rootValue: OnSocket = { socket: extra.socket, session, operationId, execute };
        const args: ExecutionArgs = {
          schema,
          document,
          operationName: params.operationName,
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue,
        };
        return args;
      },
      execute: (args) => front.onSocket.execute(args, onSocket(args).execute),
      async subscribe(args) {
        const { socket, session, operationId } = onSocket(args);
        const results = await subscriptions.subscribe(args);
        if (!(Symbol.asyncIterator in results)) return front.onSocket.notOpened(args, results);
        const allowed = session?.watch(args, results) ?? results;
        // Written straight to the socket, in the bytes that all subscribers of the operation share; what graphql-ws
        // iterates has no values, and tells it when the operation is complete.
        return writeTo(socket, operationId, allowed, {
          bufferBytes: limits.bufferBytes,
          onTooSlow: () => end(socket, tryAgainLater, 'too slow: resync'),
        });
      },
    },
    sockets,
    limits.pingEvery,
  );
  // ws repeats the errors of the HTTP server, and graphql-ws prints them with their stack; who listens reports them.
  sockets.removeAllListeners('error');
  sockets.on('error', () => undefined);
  // graphql-ws prints the error of a socket with its stack, but it is the client's: a message too large, a broken frame.
  sockets.on('connection', (socket, request) => {
    socket.removeAllListeners('error');
    socket.on('error', (error) => log.debug({ reason: error.message }, 'a socket broke the protocol'));
    // graphql-ws puts into the reason what the client sent, such as the id of an operation, which may be longer than a
    // reason can be: ws would throw.
    const close = socket.close.bind(socket);
    socket.close = (code, reason) => close(code, reason === undefined ? reason : shortened(String(reason)));
    // Who does not take the answers is not asked for more questions: otherwise they would pile up here without bound.
    socket.on('message', () => {
      if (socket.bufferedAmount <= limits.bufferBytes || socket.isPaused) return;
      socket.pause();
      request.socket.once('drain', () => socket.resume());
    });
  });
  return {
    async close(): Promise<void> {
      for (const client of sockets.clients) end(client, goingAway, stopping);
      await disposable.dispose();
    },
  };
}

/** A reason has at most 123 bytes; a character that is cut apart takes up to three again. */
function shortened(reason: string): string {
  return Buffer.from(reason).subarray(0, 120).toString();
}

function isOpen(socket: WebSocket): boolean {
  return socket.readyState === socket.OPEN;
}

/** How long a client has to answer that its socket is being closed; then it is cut. */
const closeWithin = 5_000;

function end(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), closeWithin);
  socket.once('close', () => clearTimeout(timer));
}

function onSocket(args: ExecutionArgs): OnSocket {
  return args.rootValue as OnSocket;
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
