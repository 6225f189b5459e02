import autocannon from 'autocannon';
import { z } from 'zod';

/** What to send, over how many connections, for how long. */
const job = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  method: z.enum(['GET', 'POST']),
  /** Sent one after another, each connection starting at another one; `{n}` becomes a number that is sent only once. */
  requests: z.array(z.object({ path: z.string(), body: z.string().optional() })),
  connections: z.number(),
  seconds: z.number(),
});

let sent = 0;
const counted = (text: string) => text.replaceAll('{n}', () => String(++sent));

process.on('message', (message) => {
  const { url, headers, method, requests, connections, seconds } = job.parse(message);
  let connection = 0;
  const options: autocannon.Options = {
    url,
    connections,
    duration: seconds,
    setupClient(client) {
      let next = Math.floor((requests.length / connections) * connection++);
      const give = () => {
        const request = requests[next++ % requests.length];
        return { method, headers, path: counted(request?.path ?? ''), body: request?.body && counted(request.body) };
      };
      client.setRequests([{ setupRequest: (request) => ({ ...request, ...give() }) }]);
    },
  };
  autocannon(options, (error, result) => {
    if (error) throw error;
    const { errors, non2xx, latency } = result;
    process.send?.({ answers: result.requests.total, seconds: result.duration, failed: errors + non2xx, latency });
  });
});
