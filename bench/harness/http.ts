import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Contender, Reading } from './contest.ts';
import { type Program, startLoader } from './processes.ts';

/** What is asked of a server over HTTP. */
export interface Asked {
  readonly headers: Readonly<Record<string, string>>;
  readonly method: 'GET' | 'POST';
  /** Path and body of each request; in both, `{n}` becomes a number that is sent only once. */
  readonly requests: readonly { readonly path: string; readonly body?: string }[];
  /** Stands in every answer that is one: others fail the case, for a benchmark that measures errors is worth nothing. */
  readonly expects: string;
}

/** What a server is and what it is asked. */
export interface Served {
  readonly name: string;
  /** `cpu` in microseconds. */
  readonly server: Pick<Program, 'url' | 'cpu'>;
  readonly asked: Asked;
}

/** @param bodies as JSON, one for each request. */
export function posting(url: string, token: string, bodies: readonly object[], expects: string): Asked {
  const path = new URL(url).pathname;
  return {
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    method: 'POST',
    requests: bodies.map((body) => ({ path, body: JSON.stringify(body) })),
    expects,
  };
}

/** @param queries the parameters of each request. */
export function getting(
  url: string,
  token: string,
  queries: readonly Readonly<Record<string, string>>[],
  expects: string,
): Asked {
  const path = new URL(url).pathname;
  return {
    headers: { authorization: `Bearer ${token}` },
    method: 'GET',
    requests: queries.map((query) => ({ path: `${path}?${new URLSearchParams(query)}` })),
    expects,
  };
}

/** The answer to one of the requests. @throws where it is none. */
export async function answerOf({ name, server, asked }: Served, index: number): Promise<unknown> {
  const { headers, method, requests, expects } = asked;
  const { path, body } = requests[index % requests.length] ?? { path: '' };
  const response = await fetch(new URL(path, server.url), { method, headers, ...(body ? { body } : {}) });
  const text = await response.text();
  if (!response.ok || !text.includes(expects)) throw new Error(`${name}: ${response.status} ${text.slice(0, 500)}`);
  const answer: unknown = JSON.parse(text);
  return answer;
}

const measured = z.object({
  /** The numbers of the requests that were answered. */
  answered: z.array(z.number()),
  seconds: z.number(),
  failed: z.number(),
  wrong: z.string().optional(),
});

const loader = startLoader(fileURLToPath(new URL('../load/http.ts', import.meta.url)), measured.parse);
process.once('exit', () => loader.stop());

/**
 * Asks a server over so many connections at once, each as soon as it has its answer.
 * @param options.databaseCpu the time of the processor that PostgreSQL has used, in microseconds.
 * @param options.onAnswered is given the numbers that took the place of `{n}` in what was answered.
 */
export function overHttp(
  { name, server, asked }: Served,
  options: {
    readonly connections: number;
    readonly seconds?: number;
    readonly databaseCpu?: () => number;
    readonly onAnswered?: (numbers: readonly number[]) => void;
  },
): Contender {
  const { connections, seconds = 2, databaseCpu, onAnswered } = options;
  return {
    name,
    async measure(): Promise<Reading> {
      const cpu = server.cpu();
      const database = databaseCpu?.() ?? 0;
      const result = await loader.run({ url: server.url, ...asked, connections, seconds });
      const answers = result.answered.length;
      if (result.failed > 0 || answers === 0) {
        throw new Error(`${name}: ${result.failed} of ${answers} requests failed: ${result.wrong?.slice(0, 500)}`);
      }
      onAnswered?.(result.answered);
      return {
        value: answers / result.seconds,
        cpu: (server.cpu() - cpu) / answers,
        ...(databaseCpu ? { more: { 'µs of PostgreSQL': (databaseCpu() - database) / answers } } : {}),
      };
    },
  };
}
