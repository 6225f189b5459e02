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
}

const measured = z.object({ answers: z.number(), seconds: z.number(), failed: z.number() });

const loader = startLoader(fileURLToPath(new URL('../load/http.ts', import.meta.url)), measured.parse);
process.once('exit', () => loader.stop());

/**
 * Asks a server over so many connections at once, each as soon as it has its answer.
 * @param server `cpu` in microseconds; `database` the same of PostgreSQL.
 */
export function overHttp(
  name: string,
  server: Pick<Program, 'url' | 'cpu'>,
  asked: Asked,
  options: { readonly connections: number; readonly seconds?: number; readonly databaseCpu?: () => number },
): Contender {
  const { connections, seconds = 4, databaseCpu } = options;
  return {
    name,
    async measure(): Promise<Reading> {
      const cpu = server.cpu();
      const database = databaseCpu?.() ?? 0;
      const { answers, seconds: took, failed } = await loader.run({ url: server.url, ...asked, connections, seconds });
      if (failed > 0 || answers === 0) throw new Error(`${name}: ${failed} of ${answers} requests failed`);
      return {
        value: answers / took,
        cpu: (server.cpu() - cpu) / answers,
        ...(databaseCpu ? { more: { 'µs of PostgreSQL': (databaseCpu() - database) / answers } } : {}),
      };
    },
  };
}
