import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';

// The least that asks over HTTP/1.1 and looks at every answer. Server, database and this share the processors: what this
// takes is the same for all servers and hides what they differ in, and a client that does more takes as much for a page as
// a good server.

/** What to send, over how many connections, for how long. */
const job = z.object({
  url: z.string(),
  headers: z.record(z.string(), z.string()),
  method: z.enum(['GET', 'POST']),
  /** Sent one after another, each connection starting at another one, after those of the job before; `{n}` becomes a number that is sent only once. */
  requests: z.array(z.object({ path: z.string(), body: z.string().optional() })),
  /** Stands in every answer that counts. GraphQL gives errors with status 200. */
  expects: z.string(),
  connections: z.number(),
  seconds: z.number(),
});

type Job = z.infer<typeof job>;
type Request = Job['requests'][number];

/** Answers are as long as a page of messages, and rarely longer than what is read at once. */
const readAtMost = 128 * 1024;
const endOfHeaders = '\r\n\r\n';
const endOfChunks = Buffer.from('\r\n0\r\n\r\n');

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

/** One connection, with one request under way at a time. */
class Connection {
  readonly #socket: Socket;
  #parts: Buffer[] = [];
  #waiting: PromiseWithResolvers<Answer> | null = null;

  constructor(url: URL) {
    const onread = {
      buffer: Buffer.allocUnsafeSlow(readAtMost),
      callback: (length: number) => this.#read(onread.buffer.subarray(0, length)),
    };
    this.#socket = connect({ host: url.hostname, port: Number(url.port), noDelay: true, onread });
    const fail = (error: Error) => this.#waiting?.reject(error);
    this.#socket.on('error', fail);
    this.#socket.on('close', () => fail(new Error('the server has closed the connection')));
  }

  async opened(): Promise<void> {
    await once(this.#socket, 'connect');
  }

  /** @returns the answer, which is only lent until the next request. */
  ask(request: string): Promise<Answer> {
    this.#waiting = Promise.withResolvers();
    this.#socket.write(request);
    return this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(bytes: Buffer): boolean {
    const answer = answerIn(this.#parts.length === 0 ? bytes : Buffer.concat([...this.#parts, bytes]));
    if (answer === null) this.#parts.push(Buffer.from(bytes));
    else {
      this.#parts = [];
      this.#waiting?.resolve(answer);
    }
    return true;
  }
}

/** Null for one that has not come as a whole. */
function answerIn(bytes: Buffer): Answer | null {
  const start = bytes.indexOf(endOfHeaders) + endOfHeaders.length;
  if (start < endOfHeaders.length) return null;
  const head = bytes.toString('latin1', 0, start);
  const body = bytes.subarray(start);
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(head) ?? [];
  const isWhole =
    length === undefined ? body.subarray(-endOfChunks.length).equals(endOfChunks) : body.length >= Number(length);
  return isWhole ? { status: Number(head.slice(9, 12)), body } : null;
}

/**
 * The last answers that were looked through, by what they were for. Another that is the same to the byte is right too, and
 * found to be so in a thirtieth of the time; what stands where in an answer would else decide how long this takes for one
 * server and for another. Answers that are never the same take as long as before, and a copy.
 */
const lookedThrough = new Map<string, Buffer>();
/** Bytes of them that are kept at most: those of five servers. */
const keptAtMost = 128 * 1024 * 1024;
let kept = 0;

function keep(purpose: string, body: Buffer): Buffer {
  if (kept > keptAtMost) {
    lookedThrough.clear();
    kept = 0;
  }
  const own = Buffer.from(body);
  kept += own.length - (lookedThrough.get(purpose)?.length ?? 0);
  lookedThrough.set(purpose, own);
  return own;
}

let sent = 0;

function isNumbered({ path, body = '' }: Request): boolean {
  return path.includes('{n}') || body.includes('{n}');
}

function numbered({ path, body = '' }: Request, number: number): Request {
  return { path: path.replaceAll('{n}', `${number}`), body: body.replaceAll('{n}', `${number}`) };
}

/** Each connection asks again as soon as it has its answer. */
async function load({ url, headers, method, requests, expects, connections, seconds }: Job) {
  const target = new URL(url);
  const lines = Object.entries({ ...headers, host: target.host }).map(([name, value]) => `${name}: ${value}\r\n`);
  const written = ({ path, body = '' }: Request) => {
    const length = method === 'GET' ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
    return `${method} ${path} HTTP/1.1\r\n${lines.join('')}${length}\r\n${body}`;
  };
  const texts = requests.map((request) => (isNumbered(request) ? null : written(request)));
  const purposes = texts.map((text) => text && `${expects} ${text}`);
  const same = purposes.map((purpose) => (purpose === null ? undefined : lookedThrough.get(purpose)));
  const isRight = (index: number, { status, body }: Answer) => {
    if (status !== 200) return false;
    if (same[index]?.equals(body)) return true;
    if (!body.includes(expects) || body.includes('"errors":')) return false;
    const purpose = purposes[index];
    if (purpose != null) same[index] = keep(purpose, body);
    return true;
  };
  const answered: number[] = [];
  let failed = 0;
  let wrong: string | undefined;
  const all = Array.from({ length: connections }, () => new Connection(target));
  await Promise.all(all.map((connection) => connection.opened()));
  const started = performance.now();
  const until = started + seconds * 1_000;
  const first = sent;
  const over = async (connection: Connection, place: number) => {
    for (let next = first + Math.floor((requests.length / connections) * place); performance.now() < until; next++) {
      const number = ++sent;
      const index = next % requests.length;
      const text = texts[index] ?? written(numbered(requests[index] ?? { path: '' }, number));
      const answer = await connection.ask(text);
      answered.push(number);
      if (isRight(index, answer)) continue;
      failed++;
      wrong ??= `${answer.status} ${answer.body.toString()}`;
    }
  };
  await Promise.all(all.map(over));
  for (const connection of all) connection.close();
  return { answered, seconds: (performance.now() - started) / 1_000, failed, ...(wrong ? { wrong } : {}) };
}

process.on('message', (message) => {
  void load(job.parse(message)).then((result) => process.send?.(result));
});
