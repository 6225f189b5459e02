import { createSourceEventStream, type ExecutionArgs, type GraphQLError } from 'graphql';
import { endingWith } from '../events/iterators.ts';
import type { Context } from '../graphql/context.ts';
import { resetLoaders } from '../graphql/loaders.ts';
import type { SharedResult } from '../graphql/sharedExecution.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Origin } from '../kernel/origin.ts';
import type { Authentication } from './authentication.ts';
import type { Sessions } from './sessions.ts';

/** Whose a socket is, and until when. */
export interface SocketSession {
  /** Who speaks over the socket: an object of its own, which becomes what each newer token says, also for what is open. */
  readonly actor: Actor;
  /**
   * Goes on with a newer token of the same account. Where it grants less, subscriptions that would not be let in any
   * more have ended afterwards, with the error that says why.
   * @throws UnauthenticatedError when the token is not good, or somebody else's; then all is as before.
   */
  renew(token: string, origin: Origin): Promise<void>;
  /** The results of a subscription, which end early when a newer token does not allow it. */
  watch(args: ExecutionArgs, results: AsyncIterableIterator<SharedResult>): AsyncIterableIterator<SharedResult>;
  /** The socket is closed. */
  forget(): void;
}

interface Watched {
  readonly args: ExecutionArgs;
  end(errors: readonly GraphQLError[]): void;
}

/** @param onEnd closes the socket; as for `Sessions.open`. */
export function openSocketSession(deps: {
  actor: Actor;
  authentication: Authentication;
  sessions: Sessions;
  mask: (error: unknown) => GraphQLError;
  onEnd: (reason: string | null) => void;
}): SocketSession {
  const { authentication, sessions, mask, onEnd } = deps;
  // What was authenticated is remembered, and shared with other sockets of the same token.
  const actor: Actor = { ...deps.actor };
  const session = sessions.open(actor, onEnd);
  const watched = new Set<Watched>();

  async function recheck({ args, end }: Watched): Promise<void> {
    resetLoaders(args.contextValue as Context);
    // Subscribing is where access is decided: what would be refused now has no right to go on.
    const again = await createSourceEventStream(args);
    if (Symbol.asyncIterator in again) void again[Symbol.asyncIterator]().return?.();
    else end((again.errors ?? []).map(mask));
  }

  return {
    actor,
    forget: () => session.forget(),
    async renew(token, origin) {
      const renewed = await authentication.renew(token, actor, origin);
      const less = grantsLess(renewed, actor);
      Object.assign(actor, renewed);
      session.renew();
      if (less) await Promise.all([...watched].map(recheck));
    },
    watch(args, results) {
      let farewell: SharedResult | null = null;
      const entry: Watched = {
        args,
        end(errors) {
          farewell = { json: JSON.stringify({ errors }), tooSlow: false, sentAt: null };
          void results.return?.();
        },
      };
      watched.add(entry);
      async function* allowed(): AsyncGenerator<SharedResult, void> {
        try {
          yield* results;
          if (farewell) yield farewell;
        } finally {
          watched.delete(entry);
        }
      }
      return endingWith(allowed(), () => {
        watched.delete(entry);
        void results.return?.();
      });
    },
  };
}

/** Whether there may be something that one token allows less than another. */
function grantsLess(one: Actor, other: Actor): boolean {
  const lacks = (set: ReadonlySet<string>, wanted: ReadonlySet<string>) => [...wanted].some((each) => !set.has(each));
  if (one.role !== other.role || lacks(one.permissions, other.permissions)) return true;
  return one.grants !== undefined && other.grants !== undefined && lacks(one.grants, other.grants);
}
