import { Agent, request } from 'node:http';

/** How a message is sent. Everything in braces is replaced: `{room}`, `{text}`, `{nonce}`. */
export interface Sending {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Stands in the answer to a message that was taken. */
  readonly expects: string;
}

/** The connections of one job. Later ones would find them closed by the server, as idle ones are. */
export function connections(): Agent {
  return new Agent({ keepAlive: true, maxSockets: 100 });
}

/** Sends one over HTTP. @throws where it was not taken. */
export function send(
  { url, headers, body, expects }: Sending,
  { agent, room, text }: { readonly agent: Agent; readonly room: string; readonly text: string },
): Promise<void> {
  const { hostname, port, pathname } = new URL(url);
  const filled = body.replaceAll('{room}', room).replaceAll('{text}', text).replaceAll('{nonce}', text.slice(1, 8));
  const length = Buffer.byteLength(filled);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ agent, hostname, port, path: pathname, method: 'POST' },
        headers: { ...headers, 'content-type': 'application/json', 'content-length': length },
      },
      (response) => {
        let answer = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          answer += part;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200 && answer.includes(expects) && !answer.includes('"errors":')) resolve();
          else reject(new Error(`a message was not taken: ${response.statusCode} ${answer.slice(0, 500)}`));
        });
      },
    );
    asked.on('error', reject);
    asked.end(filled);
  });
}
