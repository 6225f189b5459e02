import type { Server } from 'node:http';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { CloseCode } from 'graphql-ws';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import type { Actor } from '../kernel/actor.ts';
import { DomainError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { type Authenticate, bearerToken } from './authentication.ts';
import { graphqlPath, type Yoga } from './graphql.ts';

/** What a client sends with `connectionInit`: the token by itself, or as an HTTP client would. */
const initPayload = z.object({
  token: z.string().optional(),
  authorization: z.string().optional(),
  Authorization: z.string().optional(),
});

type ConnectionState = {
  actor?: Actor;
  expiry?: NodeJS.Timeout;
};

const goingAway = 1001;
const maxPayload = 1024 * 1024;
const initTimeout = 10_000;
const pingEvery = 15_000;

/** GraphQL over WebSocket (graphql-ws) on the same path. @returns what closes all sockets as going away. */
export function serveWebSockets(deps: { server: Server; yoga: Yoga; authenticate: Authenticate; log: Logger }) {
  const { server, yoga, authenticate, log } = deps;
  const sockets = new WebSocketServer({ server, path: graphqlPath, maxPayload });
  const disposable = useServer<Record<string, unknown>, ConnectionState>(
    {
      connectionInitWaitTimeout: initTimeout,
      // False closes the socket with 4403. The token is checked once here; the socket ends when it expires.
      async onConnect({ connectionParams, extra }) {
        const actor = await authenticated(authenticate, connectionParams, log);
        if (!actor) return false;
        extra.actor = actor;
        // A longer wait than a timer can hold is longer than any process runs.
        const wait = Math.min(actor.expiresAt.getTime() - Date.now(), 2 ** 31 - 1);
        extra.expiry = setTimeout(() => extra.socket.close(CloseCode.Forbidden, 'the token has expired'), wait);
        return true;
      },
      onDisconnect: ({ extra }) => clearTimeout(extra.expiry),
      async onSubscribe({ extra }, _id, params) {
        const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
          ...(extra.actor ? { actor: extra.actor } : {}),
          req: extra.request,
          socket: extra.socket,
          params,
        });
        let document: ReturnType<typeof parse>;
        try {
          document = parse(params.query);
        } catch (error) {
          return [error instanceof GraphQLError ? error : new GraphQLError('the query cannot be parsed')];
        }
        const errors = validate(schema, document);
        if (errors.length > 0) return errors;
        const args: ExecutionArgs = {
          schema,
          document,
          operationName: params.operationName,
          variableValues: params.variables,
          contextValue: await contextFactory(),
          rootValue: { execute, subscribe },
        };
        return args;
      },
      execute: (args) => enveloped(args).execute(args),
      subscribe: (args) => enveloped(args).subscribe(args),
    },
    sockets,
    pingEvery,
  );
  return {
    async close(): Promise<void> {
      for (const client of sockets.clients) client.close(goingAway, 'the server is going away');
      await disposable.dispose();
    },
  };
}

interface Enveloped {
  readonly execute: (args: ExecutionArgs) => never;
  readonly subscribe: (args: ExecutionArgs) => never;
}

/** yoga's execution with its plugins, which `onSubscribe` passed on. */
function enveloped(args: ExecutionArgs): Enveloped {
  return args.rootValue as Enveloped;
}

async function authenticated(authenticate: Authenticate, params: unknown, log: Logger): Promise<Actor | null> {
  const parsed = initPayload.safeParse(params ?? {});
  if (!parsed.success) return null;
  const { token, authorization, Authorization } = parsed.data;
  try {
    const given = token ?? bearerToken(authorization ?? Authorization);
    return given ? await authenticate(given) : null;
  } catch (error) {
    if (!(error instanceof DomainError)) log.error({ err: error }, 'a token could not be checked');
    return null;
  }
}
