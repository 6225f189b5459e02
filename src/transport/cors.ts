import type { IncomingMessage, ServerResponse } from 'node:http';
import { preflightHeader } from './requestChecks.ts';

/** What front ends of other origins may send, and read of an answer. */
const allowedHeaders = ['authorization', 'content-type', 'x-request-id', preflightHeader].join(', ');
const exposedHeaders = [
  'ratelimit-limit',
  'ratelimit-policy',
  'ratelimit-remaining',
  'ratelimit-reset',
  'retry-after',
  'x-request-id',
].join(', ');
const methods = 'GET, POST';

/** Seconds for which a browser need not ask again: the most that all of them take. */
const maxAge = '7200';

/**
 * Lets pages of the listed origins read answers. Others get no such header at all: not one that names somebody else,
 * nor `null`, which is the origin of a page in a sandboxed frame, whoever made it. Credentials are not allowed, as
 * there are none that a browser would add by itself.
 *
 * It stands before everything that answers, so that refusals can be read too.
 * @returns whether it has answered: a browser only asked whether it may send a request.
 */
export function createCors(
  origins: readonly string[],
): (request: IncomingMessage, response: ServerResponse) => boolean {
  const listed = new Set(origins);
  return ({ method, headers }, response) => {
    if (listed.size === 0) return false;
    // Also for who is not listed: a cache must not give an answer of one origin to another.
    response.setHeader('vary', 'Origin');
    const { origin } = headers;
    if (origin === undefined || !listed.has(origin)) return false;
    response.setHeader('access-control-allow-origin', origin);
    if (method !== 'OPTIONS') {
      response.setHeader('access-control-expose-headers', exposedHeaders);
      return false;
    }
    response.setHeader('access-control-allow-methods', methods);
    response.setHeader('access-control-allow-headers', allowedHeaders);
    response.setHeader('access-control-max-age', maxAge);
    response.writeHead(204).end();
    return true;
  };
}
