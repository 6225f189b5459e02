import { numbered } from '../load/ledger.ts';
import { connections, type Sending, send } from '../load/sender.ts';

/** Who is asked, and what: one request after the other, and then from the first on. */
export interface Asked {
  /** The time of the processors that it has used, in microseconds. */
  cpu(): number;
  readonly requests: readonly Sending[];
}

/** Goes on from call to call, so that no nonce is used twice. */
let sent = 0;

/**
 * Asks all of them the same number of times, one request of each in turns, from this process. So each finds the
 * processor's caches full of what the others have left there, and all have the same moments of a machine that is faster now and slower then.
 * @returns the time for one request, in microseconds, of each.
 */
export async function inStep(all: readonly Asked[], seconds: number): Promise<number[]> {
  const agent = connections();
  try {
    const before = all.map((each) => each.cpu());
    const until = performance.now() + seconds * 1_000;
    const first = sent;
    while (performance.now() < until) {
      const number = sent++;
      for (let place = 0; place < all.length; place++) {
        // Who comes after whom changes each time.
        const requests = all[(number + place) % all.length]?.requests ?? [];
        const request = requests[number % requests.length];
        if (request) await send(request, { agent, room: '', text: numbered(number) });
      }
    }
    return all.map((each, index) => (each.cpu() - (before[index] ?? Number.NaN)) / (sent - first));
  } finally {
    agent.destroy();
  }
}
