import type { ServerResponse } from 'node:http';
import { type ExecutionArgs, GraphQLError } from 'graphql';
import { createYoga, type GraphiQLOptions, type Plugin, type YogaServerInstance } from 'graphql-yoga';
import type { Limits } from '../config.ts';
import type { Caller } from '../domains/caller.ts';
import { endingWith, onceEnded } from '../events/iterators.ts';
import { type Context, createContext } from '../graphql/context.ts';
import { schema } from '../graphql/schema.ts';
import type { SharedExecution } from '../graphql/sharedExecution.ts';
import type { SharedResult } from '../graphql/sharedResults.ts';
import type { Actor } from '../kernel/actor.ts';
import { type Origin, ownOrigin } from '../kernel/origin.ts';
import { type Authentication, bearerToken } from './authentication.ts';
import type { Front } from './front.ts';
import { renderGraphiql } from './graphiql.ts';
import type { Sessions } from './sessions.ts';

export const graphqlPath = '/graphql';

/** What is known of a request beforehand: where its answer goes, and where it comes from. */
interface RequestContext {
  readonly res?: ServerResponse;
  readonly origin?: Origin;
}

export type Yoga = YogaServerInstance<RequestContext, object>;

/** GraphQL over HTTP, with server-sent events for subscriptions. */
export function createGraphql(deps: {
  authentication: Authentication;
  sessions: Sessions;
  subscriptions: SharedExecution;
  callerFor: (actor: Actor, origin: Origin) => Caller;
  limits: Limits;
  graphiql: GraphiQLOptions | false;
  front: Front;
  /** Of a request's body. */
  bodyBytes: number;
}): Yoga {
  const { authentication, sessions, subscriptions, callerFor, limits, graphiql, front, bodyBytes } = deps;
  return createYoga<RequestContext>({
    schema,
    graphqlEndpoint: graphqlPath,
    landingPage: false,
    graphiql,
    renderGraphiQL: renderGraphiql,
    // The mask logs what is our fault; what a client did wrong is answered, not logged.
    logging: false,
    maskedErrors: { maskError: front.mask },
    maxRequestBodySize: bodyBytes,
    multipart: false,
    // All transports share one (graphql/documents.ts).
    parserAndValidationCache: false,
    batching: false,
    // cors.ts has seen to it.
    cors: false,
    plugins: [...front.plugins, useSharedSubscriptions(subscriptions, sessions, limits)],
    context: async ({ request, origin = ownOrigin() }) => {
      const token = bearerToken(request.headers.get('authorization'));
      return createContext(token === null ? null : callerFor(await authentication.authenticate(token, origin), origin));
    },
  });
}

/**
 * Subscriptions over server-sent events: executed and written once for all subscribers of the same operation. A stream
 * counts as a socket of its user, ends with the token, which its last event says, and is cut when the process stops: a
 * stream that completes has nothing more to say, one that is cut is to be opened again.
 */
function useSharedSubscriptions(subscriptions: SharedExecution, sessions: Sessions, limits: Limits): Plugin<Context> {
  return {
    onSubscribe({ setSubscribeFn }) {
      setSubscribeFn(async (args: ExecutionArgs) => {
        const { caller, res } = args.contextValue as Context & RequestContext;
        const isFull = () => caller !== null && sessions.count(caller.actor) >= limits.socketsPerUser;
        if (isFull()) return { errors: [tooManyStreams(limits)] };
        const results = await subscriptions.subscribe(args);
        if (!caller || !(Symbol.asyncIterator in results)) return results;
        // Others that were asked for at the same time may stand by now.
        if (isFull()) {
          results.stop();
          return { errors: [tooManyStreams(limits)] };
        }
        let farewell: string | null = null;
        const session = sessions.open(caller.actor, (reason) => {
          if (reason === null) res?.destroy();
          else farewell = JSON.stringify({ errors: [{ message: reason, extensions: { code: 'UNAUTHENTICATED' } }] });
          void results.return?.();
        });
        // yoga writes a result with its own `stringify`, where it has one.
        async function* written() {
          for await (const { json } of results as AsyncIterable<SharedResult>) yield { stringify: () => json };
          const last = farewell;
          if (last !== null) yield { stringify: () => last };
        }
        return onceEnded(
          endingWith(written(), () => void results.return?.()),
          session.forget,
        );
      });
    },
  };
}

function tooManyStreams({ socketsPerUser }: Limits): GraphQLError {
  return new GraphQLError(`a user has at most ${socketsPerUser} sockets and streams here`, {
    extensions: { code: 'TOO_MANY_OPERATIONS', http: { status: 429 } },
  });
}
