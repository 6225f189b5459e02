import { describe, expect, test } from 'vitest';
import { writeTime } from '../../src/kernel/time.ts';
import { createRandom } from '../support/random.ts';

describe('C4: times are written as ISO 8601', () => {
  test('as Date writes them, whatever the order of the days', () => {
    const random = createRandom('times');
    const edges = [
      0, -1, 1, 86_399_999, 86_400_000, -86_400_000, -62_167_219_200_000, 253_402_300_800_000, 8.64e15, -8.64e15,
    ];
    const others = Array.from({ length: 5_000 }, () => random.integer(1e14) - 5e13);
    for (const time of [...edges, ...others, ...edges]) {
      const date = new Date(time);
      expect(writeTime(date)).toBe(date.toISOString());
    }
  });

  test('a date that is none is refused', () => {
    expect(() => writeTime(new Date(Number.NaN))).toThrow(RangeError);
    expect(writeTime(new Date(0))).toBe('1970-01-01T00:00:00.000Z');
  });
});
