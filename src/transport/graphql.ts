import { createYoga, type GraphiQLOptions, type YogaServerInstance } from 'graphql-yoga';
import type { Caller } from '../domains/caller.ts';
import { createContext } from '../graphql/context.ts';
import { createErrorMask } from '../graphql/errors.ts';
import { schema } from '../graphql/schema.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Logger } from '../kernel/logger.ts';
import { type Authenticate, bearerToken } from './authentication.ts';
import { renderGraphiql } from './graphiql.ts';

export const graphqlPath = '/graphql';

/** What a WebSocket connection has already settled when an operation comes in. */
interface ConnectionContext {
  readonly actor?: Actor;
}

export type Yoga = YogaServerInstance<ConnectionContext, object>;

/** GraphQL over HTTP, with server-sent events for subscriptions; the WebSocket server runs its operations too. */
export function createGraphql(deps: {
  authenticate: Authenticate;
  callerFor: (actor: Actor) => Caller;
  log: Logger;
  graphiql: GraphiQLOptions | false;
  corsOrigins: readonly string[];
}): Yoga {
  const { authenticate, callerFor, log, graphiql, corsOrigins } = deps;
  return createYoga<ConnectionContext>({
    schema,
    graphqlEndpoint: graphqlPath,
    landingPage: false,
    graphiql,
    renderGraphiQL: renderGraphiql,
    // The mask logs what is our fault; what a client did wrong is answered, not logged.
    logging: false,
    maskedErrors: { maskError: createErrorMask(log) },
    cors: corsOrigins.length > 0 && { origin: [...corsOrigins], allowedHeaders: ['authorization', 'content-type'] },
    context: async ({ request, actor }) => {
      if (actor) return createContext(callerFor(actor));
      const token = bearerToken(request.headers.get('authorization'));
      return createContext(token === null ? null : callerFor(await authenticate(token)));
    },
  });
}
