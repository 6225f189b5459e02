import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import compression from 'compression';
import { type Origin, requestIdFrom } from '../kernel/origin.ts';
import { createCors } from './cors.ts';
import { graphqlPath, type Yoga } from './graphql.ts';
import type { Metrics } from './metrics.ts';
import type { Compress, PlainRequests } from './plainRequests.ts';
import { securityHeaders, tenantOfPage } from './requestChecks.ts';
import { endStalled } from './stalled.ts';

/** @throws when what it names does not answer. */
export type Check = () => Promise<void>;

/** How long a client may take, in milliseconds, and how much it may say before its body. */
const serverOptions: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 65_000,
  connectionsCheckingInterval: 5_000,
  /** Bytes of the address and all headers together; more is answered with 431. */
  maxHeaderSize: 16_384,
  /** Clients that would rather speak HTTP/2, as those of Java, ask for it with each request, and take HTTP/1.1 as the answer. */
  shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
};

/** Routes by path: GraphQL, and what those ask who operate the server. */
export function createHttpServer(deps: {
  yoga: Yoga;
  plainRequests: (compress: Compress) => PlainRequests;
  checks: Readonly<Record<string, Check>>;
  originOf: (request: IncomingMessage) => Origin;
  corsOrigins: readonly string[];
  /** Null where there is no `/metrics`. */
  metrics: { readonly collect: Metrics['collect']; readonly token: string | undefined } | null;
}): Server {
  const { yoga, checks, originOf, corsOrigins, metrics } = deps;
  const allowOrigin = createCors(corsOrigins);
  // The types of `compression` ask for Express; it uses nothing but what node:http has.
  const compress = compression({ filter: isCompressible }) as Compress;
  const answerPlainly = deps.plainRequests(compress);
  const server = createServer(serverOptions, (request, response) => {
    const path = request.url?.split('?', 1)[0];
    const origin = originOf(request);
    for (const [name, value] of securityHeaders) response.setHeader(name, value);
    // It can only say yes or no. The policy, which browsers heed instead, says where the tenant of a page allows it.
    if (tenantOfPage(request.url ?? '') !== null) response.removeHeader('x-frame-options');
    response.setHeader('x-request-id', origin.requestId);
    switch (path) {
      case graphqlPath:
        if (allowOrigin(request, response)) return;
        if (!isHost(request.headers.host)) return respond(response, 400, noHost);
        answerPlainly(request, response, origin, () => {
          compress(request, response, () => void yoga.handle(request, response, { origin }));
        });
        return;
      case '/healthz':
        return respond(response, 200, { status: 'up' });
      case '/readyz':
        void ready(checks).then((state) => respond(response, state.ready ? 200 : 503, state));
        return;
      case '/metrics':
        if (!metrics || !mayReadMetrics(request, metrics.token)) break;
        void metrics.collect().then(({ type, text }) => {
          response.writeHead(200, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
        });
        return;
      case '/':
        response.writeHead(302, { location: graphqlPath + (request.url ?? '').slice(path.length) }).end();
        return;
    }
    respond(response, 404, { error: `nothing here: GraphQL is at ${graphqlPath}` });
  });
  return endStalled(server);
}

/**
 * Where a request came from, as its own headers and socket tell.
 * @param trustedProxies how many in front add the address that they see to `X-Forwarded-For`; what stands before those
 * is only what somebody says.
 */
export function createOriginOf(trustedProxies: number): (request: IncomingMessage) => Origin {
  return ({ headers, socket }) => {
    const { 'x-request-id': requestId, 'user-agent': userAgent, 'x-forwarded-for': forwarded } = headers;
    const hops = forwarded === undefined ? [] : String(forwarded).split(',');
    const claimed = trustedProxies > 0 ? hops.at(-trustedProxies)?.trim() : undefined;
    return {
      requestId: requestIdFrom(Array.isArray(requestId) ? requestId[0] : requestId),
      address: claimed && isIP(claimed) ? claimed : (socket.remoteAddress ?? null),
      userAgent: userAgent?.slice(0, 400) ?? null,
    };
  };
}

/** Whoever has the token; without one, only programs on this machine, and not through a proxy on it. */
function mayReadMetrics({ headers, socket }: IncomingMessage, token: string | undefined): boolean {
  if (token === undefined) {
    return isLoopback(socket.remoteAddress) && !('x-forwarded-for' in headers) && !('forwarded' in headers);
  }
  const given = Buffer.from(headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function isLoopback(address: string | undefined): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address ?? '');
}

const noHost = { errors: [{ message: 'the header host is not one', extensions: { code: 'BAD_REQUEST' } }] };

let lastHost = '';

/** Of others no address can be made: yoga would answer with the trace of its stack. Absent: HTTP/1.0 knows none. */
function isHost(host: string | undefined): boolean {
  if (!host || host === lastHost) return true;
  const isOne = URL.canParse(`http://${host}`);
  // Nearly all requests name the same, and to take it apart costs more than to compare it.
  if (isOne) lastHost = host;
  return isOne;
}

/** An event stream must not wait in a compressor for more to come. */
function isCompressible(_request: IncomingMessage, response: ServerResponse): boolean {
  const type = response.getHeader('content-type');
  return typeof type === 'string' && !type.startsWith('text/event-stream') && /json|text|javascript/.test(type);
}

function respond(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}

async function ready(checks: Readonly<Record<string, Check>>) {
  const states = await Promise.all(
    Object.entries(checks).map(async ([name, check]) => {
      const answered = await check().then(
        () => true,
        () => false,
      );
      return [name, answered ? 'up' : 'down'] as const;
    }),
  );
  return { ready: states.every(([, state]) => state === 'up'), ...Object.fromEntries(states) };
}
