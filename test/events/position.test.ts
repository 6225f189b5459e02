import { describe, expect, test } from 'vitest';
import { positionIn, roomPosition } from '../../src/events/position.ts';
import { ValidationError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/ids.ts';
import { createRandom } from '../support/random.ts';

const id = newId();
const random = createRandom('position');

describe('R5 T6 cursors of a room', () => {
  test('lead back to their version, however large, and are short', () => {
    const edges = [0n, 31n, 32n, 53n, 62n, 63n].flatMap((bits) => [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n]);
    const some = Array.from({ length: 1_000 }, () => BigInt(random.integer(2 ** 48)));
    for (const version of [...edges, ...some]) {
      if (version >= 2n ** 63n) continue;
      const cursor = roomPosition(id, version);
      expect(cursor).toMatch(/^[\w-]{40}$/);
      expect(positionIn([id], cursor, 'after')).toBe(version);
    }
  });

  test('are the same for the same place, and others for others', () => {
    const cursors = [id, newId()].flatMap((room) =>
      [1n, 2n, 2n ** 32n + 1n].map((version) => roomPosition(room, version)),
    );
    expect(new Set(cursors).size).toBe(6);
    expect(roomPosition(id, 1n)).toBe(cursors[0]);
  });

  test('are refused in another room', () => {
    const cursor = roomPosition(id, 42n);
    expect(positionIn([id], cursor, 'after')).toBe(42n);
    expect(positionIn([], cursor, 'after')).toBe(42n);
    expect(() => positionIn([newId()], cursor, 'after')).toThrow('after: a cursor of another room');
    expect(() => positionIn([id, newId()], cursor, 'after')).toThrow('after: a cursor of another room');
  });

  test('are refused when a character is another one, missing or too many', () => {
    const cursor = roomPosition(id, 123_456n);
    const decode = (text: string) => () => positionIn([id], text, 'after');
    for (let index = 0; index < cursor.length; index++) {
      const [before, here = '', after] = [cursor.slice(0, index), cursor[index], cursor.slice(index + 1)];
      for (const other of ['A', 'z', '0', '-', '_', '=', ' ', '\0', 'é']) {
        if (other !== here) expect(decode(before + other + after)).toThrow('after: not a cursor of this list');
      }
      expect(decode(before)).toThrow(ValidationError);
      expect(decode(before + here + here + after)).toThrow(ValidationError);
    }
    expect(decode(roomPosition(id, -1n))).toThrow(ValidationError);
    expect(() => roomPosition('no id', 1n)).toThrow('not a UUID');
  });
});
