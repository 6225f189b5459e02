import { randomUUID } from 'node:crypto';
import { inOnePiece } from './text.ts';

/** Where a request came from: for the trail of who did what, and the log. */
export interface Origin {
  /** Given by the client (`x-request-id`) or made here; returned with the answer. */
  readonly requestId: string;
  /** The address of the client, as far as it is known. */
  readonly address: string | null;
  readonly userAgent: string | null;
}

export function newRequestId(): string {
  // Node.js puts it together of a dozen pieces.
  return inOnePiece(randomUUID());
}

const acceptable = /^[\w.:-]{1,128}$/;

/** The client's own id of a request, if it is one that a log can hold; else a new one. */
export function requestIdFrom(given: string | null | undefined): string {
  return given && acceptable.test(given) ? given : newRequestId();
}

/** What Prosa does by itself: jobs, imports, seeds. */
export const ownOrigin = (): Origin => ({ requestId: newRequestId(), address: null, userAgent: null });
