import { type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;

/** Bytes that are written together. A write for each line was a part of the cost of every request. */
const writtenTogether = 4_096;
/** Milliseconds after which less is written, too. A process that is killed loses what it has said in them. */
const writtenWithin = 100;
/** Bytes that wait for a reader who has stopped reading; what is beyond is lost. Requests do not wait for one. */
const waitingAtMost = 16 * 1024 * 1024;

/** JSON lines on standard output, all of them written when the process ends. Never give it tokens or message bodies. */
export function createLogger(level: string): Logger {
  const output = pino.destination({ dest: 1, sync: false, minLength: writtenTogether, maxLength: waitingAtMost });
  setInterval(() => output.flush(), writtenWithin).unref();
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, output);
}
