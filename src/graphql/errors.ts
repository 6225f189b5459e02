import { GraphQLError } from 'graphql';
import {
  DomainError,
  EntitlementError,
  LastOwnerError,
  LegalHoldError,
  MessageDeletedError,
  NotFoundError,
  PurgeStateError,
  RateLimitedError,
  RoomArchivedError,
  RoomKindError,
  SocketRequiredError,
  TroubleError,
  ValidationError,
} from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';
import { builder } from './builder.ts';

export const UserError = builder.interfaceRef<DomainError>('UserError').implement({
  description: 'What keeps a mutation from being done, for the client to act on. Nothing was written.',
  fields: (t) => ({
    // Not `message`: payloads have one, and a selection of both would conflict.
    reason: t.exposeString('message', { description: 'What is wrong, in English, for developers and logs.' }),
    code: t.exposeString('code', { description: 'The same for all errors of this type; as in `extensions.code`.' }),
  }),
});

const fieldDescription = 'The path of the argument, as in `input.body`.';

builder.objectType(ValidationError, {
  name: 'ValidationError',
  description: 'An argument that cannot be accepted. Code: BAD_USER_INPUT.',
  interfaces: [UserError],
  fields: (t) => ({ field: t.exposeString('field', { description: fieldDescription }) }),
});

builder.objectType(NotFoundError, {
  name: 'NotFoundError',
  description: 'There is nothing with that id, or not for the viewer. Code: NOT_FOUND.',
  interfaces: [UserError],
  fields: (t) => ({ field: t.exposeString('field', { description: fieldDescription }) }),
});

builder.objectType(RoomArchivedError, {
  name: 'RoomArchivedError',
  description: 'The room is archived: it can be read, and nothing else. Code: ROOM_ARCHIVED.',
  interfaces: [UserError],
});

builder.objectType(RoomKindError, {
  name: 'RoomKindError',
  description: 'This cannot be done in a room of that kind. Code: ROOM_KIND.',
  interfaces: [UserError],
  fields: (t) => ({ kind: t.exposeString('kind', { description: 'The kind of the room.' }) }),
});

builder.objectType(LastOwnerError, {
  name: 'LastOwnerError',
  description: 'A room with members keeps an owner: make another member owner first. Code: LAST_OWNER.',
  interfaces: [UserError],
});

builder.objectType(LegalHoldError, {
  name: 'LegalHoldError',
  description: 'The room, or the whole tenant, is under a legal hold: nothing of it may be purged. Code: LEGAL_HOLD.',
  interfaces: [UserError],
  fields: (t) => ({ scope: t.exposeString('scope', { description: 'What is held: `TENANT` or `ROOM`.' }) }),
});

builder.objectType(PurgeStateError, {
  name: 'PurgeStateError',
  description: 'The purge cannot be cancelled or undone as it is now. Code: PURGE_STATE.',
  interfaces: [UserError],
});

builder.objectType(MessageDeletedError, {
  name: 'MessageDeletedError',
  description: 'The message is deleted. Code: MESSAGE_DELETED.',
  interfaces: [UserError],
});

builder.objectType(SocketRequiredError, {
  name: 'SocketRequiredError',
  description: 'This is done over a WebSocket. Code: SOCKET_REQUIRED.',
  interfaces: [UserError],
});

/**
 * The one translation of errors to GraphQL: ours keep their message and code, anything else is logged and hidden.
 * @param suggestions whether names that the schema has are suggested for those that it has not.
 */
export function createErrorMask(log: Logger, suggestions = true) {
  return (error: unknown): GraphQLError => {
    const original = error instanceof GraphQLError ? error.originalError : error;
    const where = error instanceof GraphQLError ? { nodes: error.nodes, path: error.path } : {};
    const place = { nodes: where.nodes ?? null, path: where.path ?? null };
    if (original instanceof DomainError) {
      const field = 'field' in original ? { field: original.field } : {};
      const permission = 'permission' in original ? { permission: original.permission } : {};
      const extensions = {
        code: original.code,
        ...field,
        ...permission,
        ...entitlementOf(original),
        ...httpOf(original),
      };
      return new GraphQLError(original.message, { ...place, extensions });
    }
    if (error instanceof GraphQLError && (!original || original instanceof GraphQLError)) {
      return withCode(suggestions ? error : withoutSuggestion(error));
    }
    if (original instanceof TroubleError) {
      return new GraphQLError(original.message, {
        ...place,
        extensions: { code: original.code, http: troubleHttp[original.code] },
      });
    }
    log.error({ err: original }, 'an operation failed');
    const extensions = { code: 'INTERNAL_SERVER_ERROR' };
    return new GraphQLError('something went wrong on our side', { ...place, extensions });
  };
}

/** What trouble is over HTTP. Seconds: an outage is over, or another process is asked, sooner than people notice. */
const troubleHttp = {
  TIMEOUT: { status: 504 },
  UNAVAILABLE: { status: 503, headers: { 'retry-after': '1' } },
} as const;

/** Whether it says nothing about what was asked: our fault, or trouble that passes. The same may succeed in a moment. */
export function isFault({ extensions }: GraphQLError): boolean {
  return faults.includes(extensions.code);
}

const faults: readonly unknown[] = ['INTERNAL_SERVER_ERROR', 'TIMEOUT', 'UNAVAILABLE'];

/** At the top level it refuses a sign-in. */
function entitlementOf(error: DomainError): object {
  if (!(error instanceof EntitlementError)) return {};
  const { feature, limit, max } = error;
  return { feature, limit, max, http: { status: 403 } };
}

/** graphql-js and yoga report syntax, validation and variables without a code, or with one of their own. */
function withCode(error: GraphQLError): GraphQLError {
  const code = error.extensions.code ?? (error.path ? 'BAD_USER_INPUT' : 'GRAPHQL_VALIDATION_FAILED');
  return Object.assign(error, { extensions: { ...error.extensions, code } });
}

/** What a refusal is over HTTP; yoga keeps it out of the answer's body. */
function httpOf(error: DomainError): object {
  if (error instanceof RateLimitedError) {
    const headers = { 'retry-after': String(Math.ceil(error.retryAfter / 1_000)) };
    return { retryAfterMs: error.retryAfter, http: { status: 429, headers } };
  }
  return error.code === 'UNAUTHENTICATED' ? { http: { status: 401 } } : {};
}

/** Suggestions give the schema away, name by name, where it cannot be asked for. */
function withoutSuggestion(error: GraphQLError): GraphQLError {
  const message = error.message.replace(/ ?Did you mean .*\?$/s, '');
  return message === error.message ? error : copyOf(error, message, error.extensions);
}

function copyOf(error: GraphQLError, message: string, extensions: GraphQLError['extensions']): GraphQLError {
  const { nodes = null, source = null, positions = null, path = null } = error;
  return new GraphQLError(message, { nodes, source, positions, path, extensions });
}

/** For a transport without HTTP's status and headers. */
export function withoutHttp(error: GraphQLError): GraphQLError {
  if (!('http' in error.extensions)) return error;
  const { http: _, ...extensions } = error.extensions;
  return copyOf(error, error.message, extensions);
}
