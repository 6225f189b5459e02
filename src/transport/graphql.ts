import type { ExecutionArgs } from 'graphql';
import { createYoga, type GraphiQLOptions, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Caller } from '../domains/caller.ts';
import { filterMap, onceEnded } from '../events/iterators.ts';
import { type Context, createContext } from '../graphql/context.ts';
import { createErrorMask } from '../graphql/errors.ts';
import { schema } from '../graphql/schema.ts';
import type { SharedExecution } from '../graphql/sharedExecution.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Logger } from '../kernel/logger.ts';
import { type Origin, ownOrigin } from '../kernel/origin.ts';
import { type Authentication, bearerToken } from './authentication.ts';
import { renderGraphiql } from './graphiql.ts';
import type { Sessions } from './sessions.ts';

export const graphqlPath = '/graphql';

/** What a WebSocket connection has already settled when an operation comes in. */
interface ConnectionContext {
  readonly actor?: Actor;
  readonly connectionId?: string;
  readonly origin?: Origin;
}

export type Yoga = YogaServerInstance<ConnectionContext, object>;

/** GraphQL over HTTP, with server-sent events for subscriptions; the WebSocket server runs its operations too. */
export function createGraphql(deps: {
  authentication: Authentication;
  sessions: Sessions;
  subscriptions: SharedExecution;
  callerFor: (actor: Actor, origin: Origin) => Caller;
  log: Logger;
  graphiql: GraphiQLOptions | false;
  corsOrigins: readonly string[];
}): Yoga {
  const { authentication, sessions, subscriptions, callerFor, log, graphiql, corsOrigins } = deps;
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
    plugins: [useSharedSubscriptions(subscriptions, sessions)],
    context: async ({ request, actor, connectionId, origin = ownOrigin() }) => {
      if (actor) return createContext(callerFor(actor, origin), connectionId);
      const token = bearerToken(request.headers.get('authorization'));
      return createContext(token === null ? null : callerFor(await authentication.authenticate(token, origin), origin));
    },
  });
}

/**
 * Subscriptions over server-sent events: executed and written once for all subscribers of the same operation, and ended
 * with the token.
 */
function useSharedSubscriptions(subscriptions: SharedExecution, sessions: Sessions): Plugin<Context> {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => {
        const results = await subscriptions.subscribe(args);
        if (!(Symbol.asyncIterator in results)) return results;
        const { caller } = args.contextValue as Context;
        // yoga writes a result with its own `stringify`, where it has one.
        const stream = filterMap(results, ({ json }) => ({ stringify: () => json }));
        const forget = caller ? sessions.open(caller.actor, () => void stream.return?.()) : () => undefined;
        return onceEnded(stream, forget);
      });
    },
  };
}
