import { setTimeout as delay } from 'node:timers/promises';

const patience = 60_000;

/**
 * Waits until a counter has advanced by so much.
 * @throws Error when it does not advance any more.
 */
export async function progress(counter: () => number, by: number): Promise<void> {
  const goal = counter() + by;
  await eventually(
    () => `a counter at ${counter()} to reach ${goal}`,
    () => counter() >= goal,
  );
}

/** As waitFor, for what takes longer on a machine that is busy recovering. @throws Error that says what was waited for. */
export async function eventually(what: () => string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + patience;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what()}`);
    await delay(20);
  }
}
