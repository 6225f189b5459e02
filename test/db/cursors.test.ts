import { describe, expect, test } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/db/cursors.ts';
import { parsePage, toPage } from '../../src/db/pages.ts';
import { ValidationError } from '../../src/kernel/errors.ts';
import { newId } from '../../src/kernel/ids.ts';

const id = newId();

describe('T6 cursors', () => {
  test('give back what went in, whatever is in the text', () => {
    const name = 'Zoë "].[ 名 😀';
    const cursor = encodeCursor('users', [name, id]);
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(decodeCursor('users', ['text', 'uuid'], cursor, 'after')).toEqual([name, id]);
  });

  test('of another kind, damaged or cut are refused, whichever character it is', () => {
    const cursor = encodeCursor('rooms', [1, id]);
    const decode = (text: string) => () => decodeCursor('rooms', ['time', 'uuid'], text, 'after');
    expect(decode(cursor)).not.toThrow();
    expect(() => decodeCursor('members', ['time', 'uuid'], cursor, 'after')).toThrow(ValidationError);
    for (let index = 0; index < cursor.length - 1; index++) {
      const other = cursor[index] === 'A' ? 'B' : 'A';
      expect(decode(cursor.slice(0, index) + other + cursor.slice(index + 1))).toThrow('after: not a cursor');
      expect(decode(cursor.slice(0, index))).toThrow(ValidationError);
    }
  });
});

describe('T6 pages', () => {
  const decode = (cursor: string) => cursor;
  const request = (args: Parameters<typeof parsePage>[0], lastByDefault = false) =>
    parsePage(args, decode, lastByDefault);

  test('are of 50 from the start where nothing is said, or from the end where that is the custom', () => {
    expect(request({})).toEqual({ size: 50, backward: false, after: null, before: null });
    expect(request({}, true)).toMatchObject({ size: 50, backward: true });
    expect(request({ before: 'b' })).toMatchObject({ backward: true, before: 'b' });
    expect(request({ after: 'a' }, true)).toMatchObject({ backward: false, after: 'a' });
    expect(request({ first: 5, before: 'b' }, true)).toMatchObject({ size: 5, backward: false });
    expect(request({ last: 5, after: 'a' })).toMatchObject({ size: 5, backward: true });
    expect(request({ first: null, last: null, after: null, before: null })).toEqual(request({}));
  });

  test.each([{ first: 0 }, { first: 101 }, { first: -1 }, { last: 0 }, { last: 101 }, { first: 1, last: 1 }])(
    'of %j are refused',
    (args) => {
      expect(() => request(args)).toThrow(ValidationError);
    },
  );

  test('tell what is before and after them', () => {
    expect(toPage(request({ first: 2 }), [1, 2, 3])).toEqual({
      rows: [1, 2],
      hasNextPage: true,
      hasPreviousPage: false,
    });
    expect(toPage(request({ first: 2, after: 'a' }), [1, 2])).toEqual({
      rows: [1, 2],
      hasNextPage: false,
      hasPreviousPage: true,
    });
    expect(toPage(request({ last: 2 }), [3, 2, 1])).toEqual({
      rows: [2, 3],
      hasNextPage: false,
      hasPreviousPage: true,
    });
    expect(toPage(request({ last: 2, before: 'b' }), [2, 1])).toEqual({
      rows: [1, 2],
      hasNextPage: true,
      hasPreviousPage: false,
    });
  });
});
