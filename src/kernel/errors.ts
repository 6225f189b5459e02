import type { EntitlementLimit, Feature } from './entitlements.ts';

/**
 * What can go wrong for a caller. A class says what happened; the translation to GraphQL happens in one place
 * (graphql/errors.ts). None of them is logged as a fault of ours.
 */
export abstract class DomainError extends Error {
  /** Stable and documented: what clients branch on. */
  abstract readonly code: ErrorCode;
}

export type ErrorCode =
  | 'BAD_USER_INPUT'
  | 'NOT_FOUND'
  | 'UNAUTHENTICATED'
  | 'FORBIDDEN'
  | 'ROOM_ARCHIVED'
  | 'ROOM_KIND'
  | 'LAST_OWNER'
  | 'LEGAL_HOLD'
  | 'PURGE_STATE'
  | 'MESSAGE_DELETED'
  | 'SOCKET_REQUIRED'
  | 'ENTITLEMENT'
  | 'RATE_LIMITED';

/** An argument that cannot be accepted; `field` is its path, as in `input.body`. */
export class ValidationError extends DomainError {
  readonly code = 'BAD_USER_INPUT';
  override readonly name = 'ValidationError';
  readonly field: string;

  constructor(field: string, reason: string) {
    super(`${field}: ${reason}`);
    this.field = field;
  }
}

/** Nothing with that id, as far as this caller may know: also what is another tenant's, or not visible. */
export class NotFoundError extends DomainError {
  readonly code = 'NOT_FOUND';
  override readonly name = 'NotFoundError';
  readonly field: string;

  constructor(what: string, field: string) {
    super(`${field}: no such ${what}`);
    this.field = field;
  }
}

/** No token, or one that is not valid (any more). */
export class UnauthenticatedError extends DomainError {
  readonly code = 'UNAUTHENTICATED';
  override readonly name = 'UnauthenticatedError';
}

/** The caller sees the thing but lacks the permission for this action. */
export class ForbiddenError extends DomainError {
  readonly code = 'FORBIDDEN';
  override readonly name = 'ForbiddenError';
  readonly permission: string;

  constructor(permission: string) {
    super(`this needs the permission ${permission}`);
    this.permission = permission;
  }
}

/** The room is archived: it can be read, and nothing else. */
export class RoomArchivedError extends DomainError {
  readonly code = 'ROOM_ARCHIVED';
  override readonly name = 'RoomArchivedError';

  constructor() {
    super('the room is archived');
  }
}

/** The action does not exist for rooms of this kind: nobody is added to a direct room, a group is not joined. */
export class RoomKindError extends DomainError {
  readonly code = 'ROOM_KIND';
  override readonly name = 'RoomKindError';
  readonly kind: string;

  constructor(kind: string, action: string) {
    super(`${action} is not possible in a room of kind ${kind}`);
    this.kind = kind;
  }
}

/** A room with members keeps an owner: make somebody else owner first. */
export class LastOwnerError extends DomainError {
  readonly code = 'LAST_OWNER';
  override readonly name = 'LastOwnerError';

  constructor() {
    super('the last owner cannot leave or lose the role while others are members: make another member owner first');
  }
}

/** A token is renewed over the WebSocket that goes on with it; over HTTP each request brings its own. */
export class SocketRequiredError extends DomainError {
  readonly code = 'SOCKET_REQUIRED';
  override readonly name = 'SocketRequiredError';

  constructor() {
    super('a token is renewed over the WebSocket that is to go on with it');
  }
}

/** The room, or the whole tenant, is under a legal hold: nothing of it may be purged or removed. */
export class LegalHoldError extends DomainError {
  readonly code = 'LEGAL_HOLD';
  override readonly name = 'LegalHoldError';
  /** What is held. */
  readonly scope: 'TENANT' | 'ROOM';

  constructor(scope: LegalHoldError['scope']) {
    super(`the ${scope.toLowerCase()} is under a legal hold: nothing of it may be purged or removed`);
    this.scope = scope;
  }
}

/** A purge cannot be cancelled or undone as it is now. */
export class PurgeStateError extends DomainError {
  readonly code = 'PURGE_STATE';
  override readonly name = 'PurgeStateError';
}

/** The message was deleted before. */
export class MessageDeletedError extends DomainError {
  readonly code = 'MESSAGE_DELETED';
  override readonly name = 'MessageDeletedError';

  constructor() {
    super('the message is deleted');
  }
}

/** Asked too often. Nothing was done: the same request may come again, with the same nonce. */
export class RateLimitedError extends DomainError {
  readonly code = 'RATE_LIMITED';
  override readonly name = 'RateLimitedError';
  /** Milliseconds. */
  readonly retryAfter: number;

  constructor(retryAfter: number) {
    super(`too many requests: try again in ${Math.ceil(retryAfter / 1_000)} s`);
    this.retryAfter = Math.ceil(retryAfter);
  }
}

/** What the tenant's plan does not include: the feature is off, or the limit is reached. The host product sells plans. */
export class EntitlementError extends DomainError {
  readonly code = 'ENTITLEMENT';
  override readonly name = 'EntitlementError';
  /** The feature that is off; null for a limit. */
  readonly feature: Feature | null;
  /** The limit that is reached; null for a feature. */
  readonly limit: EntitlementLimit | null;
  /** How many the limit allows; null for a feature. */
  readonly max: number | null;

  constructor(missing: { readonly feature: Feature } | { readonly limit: EntitlementLimit; readonly max: number }) {
    super(
      'feature' in missing
        ? `the tenant's plan does not include ${missing.feature}`
        : `the tenant's plan allows ${missing.max} for ${missing.limit}, which are taken`,
    );
    this.feature = 'feature' in missing ? missing.feature : null;
    this.limit = 'limit' in missing ? missing.limit : null;
    this.max = 'max' in missing ? missing.max : null;
  }
}

/**
 * Nobody has done anything wrong, and it will pass: what is needed is slow or away. Unlike a `DomainError` it says nothing
 * about the request, which may come again as it is.
 */
export abstract class TroubleError extends Error {
  abstract readonly code: 'TIMEOUT' | 'UNAVAILABLE';

  constructor(message: string, reason?: string) {
    super(message, reason === undefined ? undefined : { cause: reason });
    // Where it was noticed tells nothing of where the trouble is, and an outage is noticed everywhere at once.
    this.stack = `${this.constructor.name}: ${reason ?? message}`;
  }
}

/** It took too long, and nobody knows whether it will be done yet. */
export class TimeoutError extends TroubleError {
  readonly code = 'TIMEOUT';
  override readonly name = 'TimeoutError';

  constructor() {
    super('it took too long and may still be done: look before you repeat it, or repeat a send with its nonce');
  }
}

/** A service that is needed is away. What was under way may have been done. */
export class UnavailableError extends TroubleError {
  readonly code = 'UNAVAILABLE';
  override readonly name = 'UnavailableError';

  /** @param reason for the log; clients are not told. */
  constructor(reason: string) {
    super('what is needed does not answer right now: try again in a moment, a send with the same nonce', reason);
  }
}
