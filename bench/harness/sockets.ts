import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { Contender, Reading } from './contest.ts';
import { startLoader } from './processes.ts';
import type { Delivering } from './protocols.ts';

/** What each socket is of: its room, and what else the opening asks for, such as a token. */
export type Listener = { readonly room: string } & Readonly<Record<string, string>>;

/** What came of a job. */
interface Done {
  /** To all sockets together. */
  readonly deliveries: number;
  readonly bytes: number;
  readonly seconds: number;
  /** Milliseconds from when Redis had a message to a socket; where that was measured. */
  readonly median?: number | undefined;
  readonly p99?: number | undefined;
}

/**
 * The sockets of one server, in a process of their own that also sends. Each message that comes is looked at: every job
 * fails when a socket has missed one, has got one twice, or in another order than the others of its room.
 */
export interface Crowd {
  /** Of its process. */
  readonly pid: number;
  /** Opens more sockets. @param atOnce how many are on their way in at any time. */
  open(listeners: readonly Listener[], atOnce?: number): Promise<Done>;
  /** Waits until every socket gets what is sent into its room. */
  settle(): Promise<void>;
  /**
   * Sends into the rooms in turn, and the next one whenever all sockets have got one of those that are under way.
   * @param options.perSecond so many messages at most.
   */
  press(options: { readonly underWay: number; readonly seconds: number; readonly perSecond?: number }): Promise<Done>;
  /** Sends to the first room at fixed times. @param options.every milliseconds. */
  pace(options: { readonly redisUrl: string; readonly messages: number; readonly every: number }): Promise<Done>;
  /** Waits until each socket has got the first messages of its room, so many. */
  receive(messages: number): Promise<Done>;
  /** All sockets are cut. */
  stop(): void;
}

const answer = z.union([
  z.object({ failed: z.string() }),
  z.object({
    ...{ deliveries: z.number(), bytes: z.number(), seconds: z.number() },
    ...{ median: z.number().optional(), p99: z.number().optional() },
  }),
]);

const program = fileURLToPath(new URL('../load/sockets.ts', import.meta.url));

/** What is open or sent is stopped with this program at the latest. */
export function startCrowd({ name, opening, sending }: Delivering): Crowd {
  const loader = startLoader<object, Done>(program, (given) => {
    const done = answer.parse(given);
    if ('failed' in done) throw new Error(`${name}: ${done.failed}`);
    return done;
  });
  const stop = () => loader.stop();
  process.once('exit', stop);
  return {
    pid: loader.pid,
    open: (sockets, atOnce = 500) => loader.run({ do: 'open', opening, atOnce, sockets }),
    async settle() {
      await loader.run({ do: 'settle', sending });
    },
    press: (options) => loader.run({ do: 'press', sending, ...options }),
    pace: (options) => loader.run({ do: 'pace', sending, ...options }),
    receive: (messages) => loader.run({ do: 'receive', messages }),
    stop() {
      process.off('exit', stop);
      stop();
    },
  };
}

/** Deliveries per second while so many messages are always under way. */
export function underPressure(
  { name, server }: Delivering,
  crowd: Crowd,
  options: { readonly underWay: number; readonly seconds?: number; readonly perSecond?: number },
): Contender {
  return {
    name,
    async measure(): Promise<Reading> {
      const before = server.cpu();
      const done = await crowd.press({ seconds: 2, ...options });
      return { value: done.deliveries / done.seconds, cpu: (server.cpu() - before) / done.deliveries };
    },
  };
}
