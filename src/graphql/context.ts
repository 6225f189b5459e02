import type DataLoader from 'dataloader';
import type { Caller } from '../domains/caller.ts';
import { UnauthenticatedError } from '../kernel/errors.ts';

/** What a resolver gets besides its parent and arguments: one per request, and one per operation on a WebSocket. */
export interface Context {
  /** Null without a token: only fields marked `@public` answer. */
  readonly caller: Caller | null;
  /** The WebSocket over which the operation came; null over HTTP. */
  readonly connectionId: string | null;
  /**
   * Goes on with a newer token on that WebSocket; null over HTTP.
   * @throws UnauthenticatedError for a token that is not good, or somebody else's.
   */
  readonly renewToken: ((token: string) => Promise<void>) | null;
  /** The request's batches and caches; emptied after each mutation. An event of a subscription has a context of its own. */
  readonly loaders: Map<string, DataLoader<unknown, unknown>>;
  /** The codes of the mutations that were refused so far: as data, which the log would have to look for. */
  readonly refusals: string[];
  /**
   * Where the result is for many viewers: collects the actors to whom it would not be the same, as `onlyFor` tells. Null
   * where it is the caller's own.
   */
  readonly setApart: Set<string> | null;
}

export function createContext(
  caller: Caller | null,
  connectionId: string | null = null,
  renewToken: Context['renewToken'] = null,
  setApart: Context['setApart'] = null,
): Context {
  return { caller, connectionId, renewToken, loaders: new Map(), refusals: [], setApart };
}

/** @throws UnauthenticatedError */
export function callerOf(context: Context): Caller {
  if (!context.caller) throw new UnauthenticatedError('a token is needed: Authorization: Bearer …');
  return context.caller;
}
