import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { mutationDocument } from '../support/acting.ts';
import type { Random } from '../support/random.ts';
import { bodyOf, isTrouble, type World } from './world.ts';

/** Sends messages, with a nonce each, as fast as somebody who is paid by the message. */
export interface Writer {
  readonly name: string;
  /** What was answered with a payload: the body, and the id that the message was given. */
  readonly acknowledged: ReadonlyMap<string, string>;
  /** Everything that was tried, acknowledged or not. */
  readonly attempted: ReadonlySet<string>;
  /** Tries that came to nothing. */
  readonly failures: number;
  /** Sends one message until it is acknowledged. @returns its body. */
  send(room: number): Promise<string>;
  /** Sends and sends. */
  start(): void;
  /** Finishes what is under way. */
  stop(): Promise<void>;
}

const answer = z.object({
  data: z
    .object({
      sendMessage: z.object({ __typename: z.string(), message: z.object({ id: z.string() }).optional() }).nullable(),
    })
    .nullish(),
  errors: z.array(z.object({ extensions: z.object({ code: z.string() }) })).default([]),
});

const document = mutationDocument('sendMessage', 'message { id }');

/** Between two sends of a writer: together they send some forty messages a second. */
const pause = { atLeast: 100, spread: 150 };
const timeout = 5_000;
/** One in so many is tried once, and given up within milliseconds. */
const abandonedOneIn = 10;

export function createWriter(world: World, name: string, token: string, random: Random): Writer {
  const acknowledged = new Map<string, string>();
  const attempted = new Set<string>();
  let [count, failures, process] = [0, 0, random.integer(world.urls.length)];
  let running: Promise<void> | null = null;
  let stopping = false;

  /** @returns whether it was acknowledged. */
  async function attempt(room: number, body: string, patience: number): Promise<boolean> {
    const input = { roomId: world.rooms[room], body, nonce: body };
    try {
      const response = await fetch(world.urls[process] ?? '', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query: document, variables: { input } }),
        signal: AbortSignal.timeout(patience),
      });
      const { data, errors } = answer.parse(await response.json());
      const id = data?.sendMessage?.message?.id;
      if (id !== undefined) {
        acknowledged.set(body, id);
        return true;
      }
      const codes = errors.map((error) => error.extensions.code);
      if (!isTrouble(codes)) world.violations.push(`${body} was answered ${JSON.stringify({ data, codes })}`);
    } catch (error) {
      // Refused, cut or too late: as if nothing had been said.
      if (error instanceof z.ZodError) world.violations.push(`${body} was answered without sense: ${error.message}`);
    }
    failures++;
    return false;
  }

  async function send(room: number): Promise<string> {
    const body = bodyOf(room, name, count++);
    attempted.add(body);
    while (!(await attempt(room, body, timeout))) {
      process = (process + 1) % world.urls.length;
      await delay(100);
    }
    return body;
  }

  async function abandon(room: number): Promise<void> {
    const body = bodyOf(room, name, count++);
    attempted.add(body);
    await attempt(room, body, 1 + random.integer(30));
  }

  async function run(): Promise<void> {
    while (!stopping) {
      const room = random.integer(world.rooms.length);
      if (random.integer(abandonedOneIn) === 0) await abandon(room);
      else await send(room);
      await delay(pause.atLeast + random.integer(pause.spread));
    }
  }

  return {
    name,
    acknowledged,
    attempted,
    get failures() {
      return failures;
    },
    send,
    start() {
      stopping = false;
      running = run();
    },
    async stop() {
      stopping = true;
      await running;
    },
  };
}
