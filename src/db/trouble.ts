import { TimeoutError, UnavailableError } from '../kernel/errors.ts';
import type { Logger } from '../kernel/logger.ts';

/** What a driver, the pool or Prisma says of an error; Prisma wraps what the driver said. */
interface Said {
  /** SQLSTATE, a code of Node's sockets, or one of Prisma's. */
  readonly codes: readonly string[];
  readonly message: string;
}

/** By `statement_timeout`; nothing of the statement was done. */
const statementTimeout = '57014';

/** The connection was given up while PostgreSQL worked on: the statement may still be done. */
const readTimeout = /^Query read timeout/;

/**
 * SQLSTATE: no connection (08), out of memory, disk or connections (53), shutting down, crashed or starting (57P0x), and
 * a server that has become a standby (25006).
 */
const sqlStates = /^(08...|53...|57P0[1-5]|25006)$/;

const socketCodes: ReadonlySet<string> = new Set([
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** TLS: a certificate that is not trusted, has run out or is for another name, and a handshake that failed. */
const tlsCodes = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY)_)/;

/** Not reachable, too slow to connect, connection closed, none free, too many. */
const prismaCodes: ReadonlySet<string> = new Set(['P1001', 'P1002', 'P1008', 'P1017', 'P2024', 'P2037']);

/** What `pg` and its pool say without any code. */
const messages =
  /^(Connection terminated|timeout exceeded when trying to connect|Client (was closed|has encountered a connection error)|Cannot use a pool after calling end|The server does not support SSL|There was an error establishing an SSL)/;

/** How deep errors are wrapped in one another at most. */
const deepest = 6;

/**
 * Tells trouble of the database from errors that somebody has made.
 * @returns TimeoutError, UnavailableError, or null for everything else.
 */
export function troubleOf(error: unknown): TimeoutError | UnavailableError | null {
  if (error instanceof TimeoutError || error instanceof UnavailableError) return error;
  for (const { codes, message } of saidBy(error)) {
    if (codes.includes(statementTimeout) || readTimeout.test(message)) return new TimeoutError();
    const away = codes.some(isAway);
    if (away || messages.test(message)) return new UnavailableError(message || codes.join());
  }
  return null;
}

function isAway(code: string): boolean {
  return sqlStates.test(code) || socketCodes.has(code) || tlsCodes.test(code) || prismaCodes.has(code);
}

/** The error, and what it wraps, the outermost first. */
function saidBy(error: unknown, depth = 0): Said[] {
  if (depth === deepest || typeof error !== 'object' || error === null) return [];
  const get = (name: string): unknown => Reflect.get(error, name);
  const inner = [
    get('cause'),
    Reflect.get(Object(get('meta')), 'driverAdapterError'),
    Reflect.get(Object(get('errors')), 0),
  ];
  const codes = ['code', 'originalCode', 'errorCode'].map(get).filter((code) => typeof code === 'string');
  const message = [get('message'), get('originalMessage')].find((text) => typeof text === 'string');
  const said = { codes, message: typeof message === 'string' ? message : '' };
  return [said, ...inner.flatMap((cause) => saidBy(cause, depth + 1))];
}

/** Tells the log of an outage when it begins and when it is over, and not of every request that meets it. */
export interface OutageLog {
  failed(error: Error): void;
  answered(): void;
}

export function createOutageLog(log: Logger, what: string): OutageLog {
  let since: number | null = null;
  let failures = 0;
  return {
    failed(error) {
      failures++;
      if (since !== null) return;
      since = Date.now();
      log.error({ reason: error.message || error.name }, `${what} does not answer`);
    },
    answered() {
      if (since === null) return;
      log.info({ forMs: Date.now() - since, failures }, `${what} answers again`);
      since = null;
      failures = 0;
    },
  };
}
