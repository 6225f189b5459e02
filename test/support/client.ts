import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { type Follower, follow } from './follower.ts';

const answer = z.object({
  data: z.unknown().optional(),
  errors: z
    .array(
      z.looseObject({ message: z.string(), extensions: z.looseObject({ code: z.string().optional() }).optional() }),
    )
    .default([]),
});

/** What the server said to an operation. */
export type Answer = z.infer<typeof answer> & { readonly status: number };

type Variables = Readonly<Record<string, unknown>>;

/** A front end, as far as the server can tell: real HTTP and real sockets. */
export interface Client {
  query(document: string, variables?: Variables): Promise<Answer>;
  /** Over WebSocket. It stands as soon as the server gets to it: give `after`, so that nothing is too early for it. */
  subscribe(document: string, variables?: Variables): Follower;
  /** The same over server-sent events. */
  stream(document: string, variables?: Variables): Follower;
}

/**
 * @param token null for somebody without one.
 * @param opened called with each WebSocket that is open, which does not say who it is before that has come to its end.
 */
export function createClient(url: string, token: string | null, opened?: () => Promise<void>): Client {
  const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const post = (accept: string, body: unknown, signal?: AbortSignal) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept, ...authorization },
      body: JSON.stringify(body),
      ...(signal ? { signal } : {}),
    });
  return {
    async query(query, variables = {}) {
      const response = await post('application/json', { query, variables });
      return { status: response.status, ...answer.parse(await response.json()) };
    },
    subscribe(query, variables = {}) {
      const socket = createSocketClient({
        url: url.replace('http', 'ws'),
        webSocketImpl: WebSocket,
        async connectionParams() {
          await opened?.();
          return token === null ? {} : { token };
        },
        retryAttempts: 0,
      });
      return follow((sink) => {
        const stop = socket.subscribe({ query, variables }, sink);
        return async () => {
          stop();
          await socket.dispose();
        };
      });
    },
    stream(query, variables = {}) {
      const ending = new AbortController();
      return follow((sink) => {
        void readStream(post('text/event-stream', { query, variables }, ending.signal), sink.next).then(
          sink.complete,
          (error: unknown) => (ending.signal.aborted ? sink.complete() : sink.error(error)),
        );
        return async () => ending.abort();
      });
    },
  };
}

/** Hands on the `next` events of a stream until it is complete. */
export async function readStream(opening: Promise<Response>, onNext: (value: unknown) => void): Promise<void> {
  const response = await opening;
  if (!response.body) throw new Error(`no stream: ${response.status}`);
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const data = lines.find((line) => line.startsWith('data: '))?.slice(6);
      if (lines.includes('event: complete')) return;
      if (lines.includes('event: next') && data) onNext(JSON.parse(data));
    }
  }
}
