import { expect, test } from 'vitest';
import { ConnectionCount } from '../../../src/engine/connection-count.ts';

test('the limit holds over all threads, and refuses nobody while there is room', () => {
  const all = ConnectionCount.create(3);
  const threads = [0, 1, 2].map((thread) => new ConnectionCount(all.handle, thread));
  // All of them may be with one thread.
  expect(Array.from({ length: 5 }, () => threads[1]!.enter(5))).toEqual([true, true, true, true, true]);
  expect(threads.map((thread) => thread.enter(5))).toEqual([false, false, false]);
  expect([all.open, all.refused]).toEqual([5, 3]);
  threads[1]!.leave();
  expect(threads[2]!.enter(5)).toBe(true);
  expect([all.open, all.refused]).toEqual([5, 3]);
});

test('a thread that is gone leaves its places to the others; what it refused stays counted', () => {
  const all = ConnectionCount.create(2);
  const other = new ConnectionCount(all.handle, 1);
  for (let i = 0; i < 3; i++) other.enter(3);
  other.enter(3);
  all.zeroThread(1);
  expect([all.open, all.refused]).toEqual([0, 1]);
  expect([1, 2, 3].map(() => all.enter(3))).toEqual([true, true, true]);
});
