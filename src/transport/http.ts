import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import compression from 'compression';
import { type Origin, requestIdFrom } from '../kernel/origin.ts';
import { graphqlPath, type Yoga } from './graphql.ts';

/** @throws when what it names does not answer. */
export type Check = () => Promise<void>;

/** Routes by path: GraphQL, and what those ask who operate the server. */
export function createHttpServer(deps: { yoga: Yoga; checks: Readonly<Record<string, Check>> }): Server {
  const { yoga, checks } = deps;
  const compress = compression({ filter: isCompressible });
  return createServer((request, response) => {
    const path = request.url?.split('?', 1)[0];
    const origin = originOf(request);
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('x-request-id', origin.requestId);
    switch (path) {
      case graphqlPath:
        // The types of `compression` ask for Express; it uses nothing but what node:http has.
        compress(request as Parameters<typeof compress>[0], response as Parameters<typeof compress>[1], () => {
          void yoga.handle(request, response, { origin });
        });
        return;
      case '/healthz':
        return respond(response, 200, { status: 'up' });
      case '/readyz':
        void ready(checks).then((state) => respond(response, state.ready ? 200 : 503, state));
        return;
      case '/':
        response.writeHead(302, { location: graphqlPath }).end();
        return;
      default:
        return respond(response, 404, { error: `nothing here: GraphQL is at ${graphqlPath}` });
    }
  });
}

/** Where a request came from, as its own headers and socket tell. */
export function originOf(request: IncomingMessage): Origin {
  const { 'x-request-id': requestId, 'user-agent': userAgent } = request.headers;
  return {
    requestId: requestIdFrom(Array.isArray(requestId) ? requestId[0] : requestId),
    address: request.socket.remoteAddress ?? null,
    userAgent: userAgent?.slice(0, 400) ?? null,
  };
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
