import type { Actor } from '../kernel/actor.ts';
import type { Origin } from '../kernel/origin.ts';
import type { Authentication } from './authentication.ts';
import type { Connection } from './connection.ts';
import type { Sessions } from './sessions.ts';

/** Makes a connection the actor's, until the token ends. @returns the actor, as the connection has it. */
export function openSession(sessions: Sessions, connection: Connection, actor: Actor): Actor {
  // What was authenticated is remembered, and shared with other sockets of the same token: an object of its own, which
  // becomes what each newer token says, also for what is open.
  const own = { ...actor };
  connection.actor = own;
  sessions.hold(own, connection);
  return own;
}

/**
 * Goes on with a newer token of the same account. Where it grants less, subscriptions that would not be let in any more
 * have ended afterwards, with the error that says why.
 * @throws UnauthenticatedError when the token is not good, or somebody else's; then all is as before.
 */
export async function renewSession(
  deps: { readonly sessions: Sessions; readonly authentication: Authentication },
  connection: Connection,
  actor: Actor,
  token: string,
  origin: Origin,
): Promise<void> {
  const renewed = await deps.authentication.renew(token, actor, origin);
  const less = grantsLess(renewed, actor);
  Object.assign(actor, renewed);
  // Meanwhile the socket may have been closed.
  if (connection.actor) deps.sessions.renewed(actor);
  if (!less) return;
  await Promise.all(
    connection.subscriptions.map(async (operation) => {
      const errors = await operation.results?.recheck();
      if (errors) operation.cancel(errors);
    }),
  );
}

/** Whether there may be something that one token allows less than another. */
function grantsLess(one: Actor, other: Actor): boolean {
  const lacks = (set: ReadonlySet<string>, wanted: ReadonlySet<string>) => [...wanted].some((each) => !set.has(each));
  if (one.role !== other.role || lacks(one.permissions, other.permissions)) return true;
  return one.grants !== undefined && other.grants !== undefined && lacks(one.grants, other.grants);
}
