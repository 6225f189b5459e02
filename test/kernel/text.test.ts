import { expect, test } from 'vitest';
import { parseText } from '../../src/kernel/text.ts';

test('T6 text is trimmed, and its length counted in characters as people see them in Unicode', () => {
  expect(parseText('body', '  a b \n', { min: 1, max: 3 })).toBe('a b');
  expect(parseText('body', '😀😀😀', { max: 3 })).toBe('😀😀😀');
  expect(() => parseText('body', '😀😀😀😀', { max: 3 })).toThrow('body: must not have more than 3 characters');
  expect(() => parseText('body', 'abcd', { max: 3 })).toThrow('body: must not have more than 3 characters');
  expect(() => parseText('body', ' \u3000 ', { min: 1, max: 3 })).toThrow('body: must not be empty');
  expect(parseText('topic', ' ', { max: 3 })).toBe('');
});

test('T6 text that the database cannot hold is refused', () => {
  expect(() => parseText('body', 'a\0b', { max: 9 })).toThrow('body: must not contain a NUL character');
  expect(() => parseText('body', 'a\ud800b', { max: 9 })).toThrow('body: must not contain half a surrogate pair');
});
