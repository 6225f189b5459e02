import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { type ExecutionArgs, type ExecutionResult, getOperationAST } from 'graphql';
import type { Caller } from '../domains/caller.ts';
import { createContext } from '../graphql/context.ts';
import { withoutHttp } from '../graphql/errors.ts';
import { schema } from '../graphql/schema.ts';
import type { Actor } from '../kernel/actor.ts';
import type { Origin } from '../kernel/origin.ts';
import type { OperationContext } from './admission.ts';
import { type Authentication, bearerToken } from './authentication.ts';
import type { Executed, Front } from './front.ts';
import type { OperationParams } from './persistedOperations.ts';
import { preflightHeader } from './requestChecks.ts';

/** Runs `next` so that what is written to the response afterwards is compressed if the client can unpack it. */
export type Compress = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;

/** @param otherwise has yoga answer. What was read of the body by then is `request.body`, where yoga looks for it. */
export type PlainRequests = (
  request: IncomingMessage,
  response: ServerResponse,
  origin: Origin,
  otherwise: () => void,
) => void;

/**
 * Answers the requests that are nearly all there are straight from `node:http`: a query or mutation as JSON, or a GET of
 * a registered query, whose document was asked for before and is valid. Context, limits, log and metrics are those that
 * stand behind yoga too. Whatever is unusual, or wrong before anything is executed, is left to yoga, which says what.
 */
export function createPlainRequests(deps: {
  front: Front;
  authentication: Authentication;
  callerFor: (actor: Actor, origin: Origin) => Caller;
  compress: Compress;
  /** Of a request's body. */
  bodyBytes: number;
}): PlainRequests {
  const { front, authentication, callerFor, compress, bodyBytes } = deps;

  async function contextOf(request: IncomingMessage, origin: Origin): Promise<OperationContext> {
    const token = bearerToken(request.headers.authorization);
    const actor = token === null ? null : await authentication.authenticate(token, origin);
    return { ...createContext(actor && callerFor(actor, origin)), origin };
  }

  /** Null for what is left to yoga. */
  async function argsOf(request: IncomingMessage, origin: Origin, params: Params): Promise<ExecutionArgs | null> {
    const document = front.overHttp.documentOf(params);
    const { operationName, variables: variableValues } = params;
    const operation = document && getOperationAST(document, operationName);
    if (!operation || operation.operation === 'subscription') return null;
    if (operation.operation === 'mutation' && request.method !== 'POST') return null;
    const contextValue = await contextOf(request, origin).catch(() => null);
    return contextValue && { schema, document, operationName, variableValues, contextValue };
  }

  return (request, response, origin, otherwise) => {
    const mediaType = acceptedType(request.headers.accept);

    async function answer(params: Params | null, leave: () => void): Promise<void> {
      const startedAt = performance.now();
      const args = params && (await argsOf(request, origin, params));
      if (!args || !mediaType) return leave();
      const executed = await front.overHttp.execute(args);
      const endedAt = performance.now();
      let { result } = executed;
      try {
        send(request, response, mediaType, executed, compress);
      } catch (error) {
        result = { errors: [front.mask(error)] };
        send(request, response, mediaType, { result, rateHeaders: [] }, compress);
      }
      front.overHttp.answered(args, result, startedAt, endedAt);
    }

    if (mediaType === null) return otherwise();
    if (request.method === 'GET') return void answer(paramsOfUrl(request), otherwise);
    if (!hasPlainBody(request, bodyBytes)) return otherwise();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // Of a client that goes away before nothing more is heard.
    request.on('end', () => {
      const [first] = chunks;
      const body = first && chunks.length === 1 ? first : Buffer.concat(chunks);
      void answer(paramsOf(parsed(body.toString())), () => {
        Object.assign(request, { body: Readable.from([body]) });
        otherwise();
      });
    });
  };
}

interface Params extends OperationParams {
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

/** Whether there is JSON of which yoga would refuse neither the type nor the size. */
function hasPlainBody({ method, headers }: IncomingMessage, bodyBytes: number): boolean {
  if (method !== 'POST' || headers['content-encoding'] !== undefined) return false;
  const { 'content-type': type = '', 'content-length': length = '' } = headers;
  if (type !== 'application/json' && !type.startsWith('application/json;')) return false;
  return /^[1-9]\d*$/.test(length) && Number(length) <= bodyBytes;
}

/** Null for a GET that may not be one, or that is for GraphiQL's page. */
function paramsOfUrl({ url = '', headers }: IncomingMessage): Params | null {
  if (headers.accept?.includes('text/html')) return null;
  if (headers.authorization === undefined && headers[preflightHeader] === undefined) return null;
  const search = new URLSearchParams(url.slice(url.indexOf('?') + 1));
  const [variables, extensions] = ['variables', 'extensions'].map((name) => parsed(search.get(name) || 'null'));
  if (variables === undefined || extensions === undefined) return null;
  const [query, operationName] = [search.get('query') || null, search.get('operationName') || null];
  return paramsOf({ query, operationName, variables, extensions });
}

/** `undefined` for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const names: ReadonlySet<string> = new Set(['query', 'operationName', 'variables', 'extensions']);

/** Null for anything but what GraphQL over HTTP says. */
function paramsOf(given: unknown): Params | null {
  if (!isObject(given)) return null;
  for (const name in given) if (given[name] != null && !names.has(name)) return null;
  const { query, operationName, variables, extensions } = given;
  if (!isTextIfThere(query) || !isTextIfThere(operationName)) return null;
  if (!isObjectIfThere(variables) || !isObjectIfThere(extensions)) return null;
  return {
    query: query ?? null,
    operationName: operationName ?? null,
    variables: variables ?? null,
    extensions: extensions ?? null,
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isObjectIfThere(value: unknown): value is Record<string, unknown> | null | undefined {
  return value == null || isObject(value);
}

function isTextIfThere(value: unknown): value is string | null | undefined {
  return value == null || typeof value === 'string';
}

type MediaType = 'application/json' | 'application/graphql-response+json';

const accepted = new Map<string, MediaType | null>();

/** As yoga chooses it: the first of the list that fits, whatever its `q` says. Null where none does. */
function acceptedType(header = '*/*'): MediaType | null {
  const known = accepted.get(header);
  if (known !== undefined) return known;
  const type = firstAccepted(header);
  if (accepted.size >= 100) accepted.clear();
  accepted.set(header, type);
  return type;
}

function firstAccepted(header: string): MediaType | null {
  for (const item of header.replace(/\s/g, '').toLowerCase().split(',')) {
    const [type = '', ...params] = item.split(';');
    if (params.some((param) => param.includes('charset=') && param !== 'charset=utf-8')) continue;
    if (type === 'application/graphql-response+json') return type;
    if (type === 'application/json' || type === 'application/*' || type === '*/*') return 'application/json';
  }
  return null;
}

/** Below this many bytes compressing is not worth it: as `compression` has it. */
const compressFrom = 1_024;

function send(
  request: IncomingMessage,
  response: ServerResponse,
  mediaType: MediaType,
  { result, rateHeaders }: Executed,
  compress: Compress,
): void {
  const { status, headers } = responseOf(result, mediaType);
  const body = JSON.stringify(result.errors ? { ...result, errors: result.errors.map(withoutHttp) } : result);
  const length = Buffer.byteLength(body);
  response.setHeader('content-type', `${mediaType}; charset=utf-8`);
  response.setHeader('content-length', length);
  for (const [name, value] of [...headers, ...rateHeaders]) response.setHeader(name, value);
  // What is ASCII is copied as it is; whether it is, its length has told.
  const write = () => response.writeHead(status).end(body, length === body.length ? 'latin1' : 'utf8');
  if (length >= compressFrom && request.headers['accept-encoding'] !== undefined) {
    compress(request, response, write);
    return;
  }
  const vary = response.getHeader('vary');
  response.setHeader('vary', vary === undefined ? 'Accept-Encoding' : `${vary}, Accept-Encoding`);
  write();
}

/** The status and headers that errors ask for. The older media type knows 200 only for what the specification covers. */
function responseOf({ errors = [] }: ExecutionResult, mediaType: MediaType) {
  let status = 0;
  const headers: [string, string][] = [];
  for (const { extensions } of errors) {
    if (!isObject(extensions.http)) continue;
    const { http } = extensions;
    if (isObject(http.headers)) {
      for (const [name, value] of Object.entries(http.headers)) headers.push([name, String(value)]);
    }
    const counts = !(mediaType === 'application/json' && http.spec);
    if (counts && typeof http.status === 'number') status = Math.max(status, http.status);
  }
  return { status: status || 200, headers };
}
