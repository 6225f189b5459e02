import type { Plugin } from 'graphql-yoga';
import type { Context } from '../graphql/context.ts';

/** A header of this name lets a GET in that has no token: pages of other sites cannot send it unasked. */
export const preflightHeader = 'x-prosa-request';

/**
 * Keeps out what a page of another site could make a browser send without asking first (CSRF): bodies of the types that
 * forms have, and plain GETs. Tokens travel in a header that no browser adds by itself; this is the second lock.
 */
export function useRequestChecks(): Plugin<Context> {
  return {
    onRequestParse({ request, url, endResponse, fetchAPI }) {
      const refuse = (status: number, code: string, message: string) =>
        endResponse(fetchAPI.Response.json({ errors: [{ message, extensions: { code } }] }, { status }));
      if (request.method === 'POST') {
        if (isJson(request.headers.get('content-type'))) return;
        refuse(415, 'UNSUPPORTED_MEDIA_TYPE', 'the body has to be JSON, with content-type: application/json');
      } else if (request.method === 'GET') {
        const { headers } = request;
        const asked =
          headers.has('authorization') || headers.has(preflightHeader) || isJson(headers.get('content-type'));
        if (!asked) return refuse(403, 'CSRF_PREVENTION', `a GET needs a token, or the header ${preflightHeader}`);
        // yoga takes it for a fault of its own if they are not.
        const wrong = ['variables', 'extensions'].find((name) => !isJsonObject(url.searchParams.get(name)));
        if (wrong) refuse(400, 'BAD_REQUEST', `${wrong} has to be a JSON object`);
      }
    },
  };
}

function isJson(contentType: string | null): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType ?? '');
}

/** Also where there is nothing at all. */
function isJsonObject(text: string | null): boolean {
  if (!text) return true;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && !Array.isArray(value);
  } catch {
    return false;
  }
}

/** For answers that are data: a browser shall do nothing with them. */
const strict = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/** For GraphiQL's page, whose scripts and styles are in it: nothing comes from or goes to another host. */
const graphiqlPolicy = (frameAncestors: readonly string[]) =>
  [
    "default-src 'none'",
    "script-src 'self' 'unsafe-inline' blob:",
    'worker-src blob:',
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self' ws: wss:",
    `frame-ancestors ${frameAncestors.join(' ') || "'none'"}`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');

/** What every answer tells browsers: names and values. */
export const securityHeaders = Object.entries({
  'content-security-policy': strict,
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  'referrer-policy': 'no-referrer',
  // Ignored by browsers over plain HTTP, and so harmless in development.
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
});

/** Where the pages of a tenant may be shown in frames. */
export type FrameAncestors = (tenantKey: string) => Promise<readonly string[]>;

/** The tenant that a page is opened for: it carries no token. */
export function tenantOfPage(url: string): string | null {
  const query = url.indexOf('?');
  return query < 0 ? null : new URLSearchParams(url.slice(query)).get('tenant');
}

/** GraphiQL's page gets the policy that it can live with, and may be framed where the tenant that it names allows it. */
export function usePagePolicy(frameAncestors: FrameAncestors): Plugin<Context> {
  return {
    async onResponse({ request, response }) {
      if (!response.headers.get('content-type')?.startsWith('text/html')) return;
      const tenant = tenantOfPage(request.url);
      // Where it cannot be looked up nobody may.
      const allowed = tenant === null ? [] : await frameAncestors(tenant).catch(() => []);
      response.headers.set('content-security-policy', graphiqlPolicy(allowed));
    },
  };
}
