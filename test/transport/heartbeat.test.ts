import { expect, test, vi } from 'vitest';
import { createHeartbeat } from '../../src/transport/heartbeat.ts';

test('R3 each member is asked once in an interval, and by itself a quarter later, as long as it stays', () => {
  vi.useFakeTimers();
  const every = 6_400;
  const heartbeat = createHeartbeat(every);
  const start = Date.now();
  const member = () => {
    const asked: [string, number][] = [];
    const note = (what: string) => () => void asked.push([what, Date.now() - start]);
    return { asked, beat: note('beat'), insist: note('insist') };
  };
  const [staying, leaving] = [member(), member()];
  heartbeat.join(staying);
  const place = heartbeat.join(leaving);
  vi.advanceTimersByTime(3 * every);
  heartbeat.leave(leaving, place);
  vi.advanceTimersByTime(every);
  heartbeat.stop();
  vi.useRealTimers();

  const beats = staying.asked.filter(([what]) => what === 'beat').map(([, at]) => at);
  expect(beats).toHaveLength(4);
  for (const [index, at] of beats.entries()) {
    expect(at - (beats[index - 1] ?? at - every)).toBe(every);
    const insisted = staying.asked.some(([what, time]) => what === 'insist' && time === at + every / 4);
    expect(insisted || at + every / 4 > 4 * every).toBe(true);
  }
  expect(leaving.asked.filter(([what]) => what === 'beat')).toHaveLength(3);
});
