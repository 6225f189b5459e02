import autocannon from 'autocannon';
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

let sent = 0;

process.on('message', (message) => {
  const { url, headers, method, requests, expects, connections, seconds } = job.parse(message);
  let connection = 0;
  let wrong: unknown;
  const answered: number[] = [];
  const options: autocannon.Options = {
    url,
    connections,
    duration: seconds,
    sampleInt: 100,
    verifyBody(body) {
      const right = typeof body === 'string' && body.includes(expects) && !body.includes('"errors":');
      if (!right) wrong ??= body;
      return right;
    },
    setupClient(client) {
      let next = Math.floor((requests.length / connections) * connection++);
      let pending = 0;
      const give = () => {
        const { path = '', body } = requests[next++ % requests.length] ?? {};
        pending = ++sent;
        const numbered = (text: string) => text.replaceAll('{n}', String(pending));
        return { method, headers, path: numbered(path), body: body && numbered(body) };
      };
      // A connection has one request under way; the next one is made after this event.
      client.on('response', () => void answered.push(pending));
      client.setRequests([{ setupRequest: (request) => ({ ...request, ...give() }) }]);
    },
  };
  autocannon(options, (error, result) => {
    if (error) throw error;
    const { errors, non2xx, mismatches } = result;
    const failed = errors + non2xx + mismatches;
    process.send?.({ answered, seconds: result.duration, failed, ...(failed > 0 ? { wrong } : {}) });
  });
});
