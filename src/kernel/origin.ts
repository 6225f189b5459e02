import { randomUUID } from 'node:crypto';

/** Where a request came from: for the trail of who did what, and the log. */
export interface Origin {
  /** Given by the client (`x-request-id`) or made here; returned with the answer. */
  readonly requestId: string;
  /** The address of the client, as far as it is known. */
  readonly address: string | null;
  readonly userAgent: string | null;
}

/** In one piece: Node.js puts it together of a dozen, which would be kept as long as a subscription is open. */
export function newRequestId(): string {
  return Buffer.from(randomUUID()).toString('latin1');
}

const acceptable = /^[\w.:-]{1,128}$/;

/** The client's own id of a request, if it is one that a log can hold; else a new one. */
export function requestIdFrom(given: string | null | undefined): string {
  return given && acceptable.test(given) ? given : newRequestId();
}

/** What Prosa does by itself: jobs, imports, seeds. */
export const ownOrigin = (): Origin => ({ requestId: newRequestId(), address: null, userAgent: null });
