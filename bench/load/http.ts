import { Client } from 'undici';
import { z } from 'zod';

/** What to send, over how many connections, for how long. */
const job = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  method: z.enum(['GET', 'POST']),
  /** Sent one after another, each connection starting at another one; `{n}` becomes a number that is sent only once. */
  requests: z.array(z.object({ path: z.string(), body: z.string().optional() })),
  /** Stands in every answer that counts. GraphQL gives errors with status 200. */
  expects: z.string(),
  connections: z.number(),
  seconds: z.number(),
});

type Job = z.infer<typeof job>;

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

let sent = 0;

function ask(client: Client, request: Pick<Job, 'method' | 'headers'> & Job['requests'][number]): Promise<Answer> {
  const { method, headers, path, body = null } = request;
  const chunks: Buffer[] = [];
  let status = 0;
  return new Promise((resolve, reject) => {
    client.dispatch(
      { method, headers, path, body },
      {
        onRequestStart: () => undefined,
        onResponseStart(_controller, statusCode) {
          status = statusCode;
        },
        onResponseData: (_controller, chunk) => void chunks.push(chunk),
        onResponseEnd() {
          const [first] = chunks;
          resolve({ status, body: first && chunks.length === 1 ? first : Buffer.concat(chunks) });
        },
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

/** Each connection asks again as soon as it has its answer. */
async function load({ url, headers, method, requests, expects, connections, seconds }: Job) {
  const { origin } = new URL(url);
  const answered: number[] = [];
  let failed = 0;
  let wrong: string | undefined;
  const started = performance.now();
  const until = started + seconds * 1_000;
  const over = async (client: Client, connection: number) => {
    for (let next = Math.floor((requests.length / connections) * connection); performance.now() < until; next++) {
      const { path = '', body } = requests[next % requests.length] ?? {};
      const number = ++sent;
      const numbered = (text: string) => text.replaceAll('{n}', String(number));
      const answer = await ask(client, { method, headers, path: numbered(path), body: body && numbered(body) });
      answered.push(number);
      if (answer.status === 200 && answer.body.includes(expects) && !answer.body.includes('"errors":')) continue;
      failed++;
      wrong ??= `${answer.status} ${answer.body.toString()}`;
    }
  };
  const clients = Array.from({ length: connections }, () => new Client(origin, { pipelining: 1 }));
  try {
    await Promise.all(clients.map(over));
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
  return { answered, seconds: (performance.now() - started) / 1_000, failed, ...(wrong ? { wrong } : {}) };
}

process.on('message', (message) => {
  void load(job.parse(message)).then((result) => process.send?.(result));
});
