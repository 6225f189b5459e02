import { expect, test } from 'vitest';
import { isLater } from '../../src/events/viewerPosition.ts';

test('R5 of two snapshots the later one is told, also when nothing is running in it any more', () => {
  const inOrder = ['10:11:10', '10:12:10,11', '10:12:10', '12:12:', '12:14:12'];
  for (const [index, snapshot] of inOrder.entries()) {
    expect(inOrder.map((than) => isLater(snapshot, than))).toEqual(inOrder.map((_, place) => place <= index));
  }
});
