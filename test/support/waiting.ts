import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 5;
/** A first start on the embedded database took 15 s on a busy machine. */
const timeoutMs = 40_000;

/**
 * Waits until the condition holds.
 * @throws Error that says what was waited for, when it has not come after a long time.
 */
export async function waitFor(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${typeof what === 'string' ? what : what()}`);
    await delay(pollMs);
  }
}
