import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Database } from '../../src/db/database.ts';
import { createLocalBus } from '../../src/events/localBus.ts';
import type { Actor } from '../../src/kernel/actor.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createSessions, type Sessions } from '../../src/transport/sessions.ts';
import { captureLog } from '../support/logs.ts';

const day = 24 * 3_600_000;
/** How late a token may end at most. */
const late = 101;

let sessions: Sessions;

beforeEach(() => {
  vi.useFakeTimers();
  sessions = createSessions({
    // Nobody is deactivated.
    database: { engine: { run: async () => [] } } as unknown as Database,
    bus: createLocalBus(),
    log: captureLog().logger,
    onRevoked: () => undefined,
  });
});

afterEach(() => {
  sessions.close();
  vi.useRealTimers();
});

/** Somebody whose token ends after so many milliseconds from now. */
function actorFor(milliseconds: number): Actor {
  return {
    tenantId: newId(),
    id: newId(),
    kind: 'USER',
    role: 'AGENT',
    name: 'Ana',
    permissions: new Set(),
    expiresAt: Date.now() + milliseconds,
  };
}

/** A session of somebody whose token ends then, and how it ended. */
function open(milliseconds: number) {
  const actor = actorFor(milliseconds);
  const ends: { readonly reason: string | null; readonly lateness: number }[] = [];
  const session = {
    actor,
    end: (reason: string | null) => void ends.push({ reason, lateness: Date.now() - actor.expiresAt }),
  };
  sessions.hold(actor, session);
  return { actor, session, ends };
}

function expectExpired({ ends }: ReturnType<typeof open>): void {
  expect(ends[0]).toMatchObject({ reason: 'the token has expired' });
  expect(ends[0]?.lateness).toBeGreaterThanOrEqual(0);
  expect(ends[0]?.lateness).toBeLessThanOrEqual(late);
}

describe('R7 sessions end with their tokens', () => {
  test('each in its time, in whatever order they were opened', () => {
    const times = [3_000, 1_000, 1_040, 60_000, 1_001, 2_000, 1_000, 1_099, 1_101];
    const opened = times.map(open);
    vi.advanceTimersByTime(999);
    expect(opened.flatMap(({ ends }) => ends)).toEqual([]);
    vi.advanceTimersByTime(3_000 + late - 999);
    for (const [index, each] of opened.entries()) {
      if (times[index] === 60_000) expect(each.ends).toEqual([]);
      else expectExpired(each);
    }
    vi.advanceTimersByTime(57_000);
    for (const each of opened) expectExpired(each);
  });

  test('also one that is opened later and ends sooner, and one whose token has ended when it is opened', () => {
    const long = open(10_000);
    vi.advanceTimersByTime(1_000);
    const short = open(500);
    const [over] = [open(-1)];
    vi.advanceTimersByTime(2);
    expect(over?.ends).toMatchObject([{ reason: 'the token has expired' }]);
    expect(short.ends).toEqual([]);
    vi.advanceTimersByTime(500 + late);
    expectExpired(short);
    expect(long.ends).toEqual([]);
    vi.advanceTimersByTime(10_000);
    expectExpired(long);
  });

  test('also in months, which no timer waits for', () => {
    const long = open(60 * day);
    const short = open(30 * day);
    vi.advanceTimersByTime(30 * day - 1);
    expect([...long.ends, ...short.ends]).toEqual([]);
    vi.advanceTimersByTime(1 + late);
    expectExpired(short);
    expect(long.ends).toEqual([]);
    vi.advanceTimersByTime(30 * day);
    expectExpired(long);
  });

  test('with the newer one, where there is one, whether it ends later or sooner', () => {
    const renewed = [
      [2_000, 5_000],
      [5_000, 1_000],
    ].map(([first = 0, second = 0]) => {
      const own = open(first);
      const ends = new Date(Date.now() + second);
      Object.assign(own.actor, { expiresAt: ends });
      sessions.renewed(own.actor);
      return own;
    });
    const [later, sooner] = renewed;
    vi.advanceTimersByTime(1_000 + late);
    expect(later?.ends).toEqual([]);
    expect(sooner?.ends).toMatchObject([{ reason: 'the token has expired' }]);
    vi.advanceTimersByTime(4_000);
    for (const each of renewed) expectExpired(each);
  });

  test('and not when they have ended by themselves, nor do those that take their time hold up the others', () => {
    const gone = open(1_000);
    const slow = open(1_000);
    const other = open(3_000);
    sessions.forget(gone.actor, gone.session);
    // Slow is still held after its end, as a socket is that waits for its client to close it too.
    vi.advanceTimersByTime(3_000 + late);
    expect(gone.ends).toEqual([]);
    expectExpired(slow);
    expectExpired(other);
    expect(sessions.count(gone.actor)).toBe(0);
    expect(sessions.count(other.actor)).toBe(1);
  });
});
