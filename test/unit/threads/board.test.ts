import { expect, test } from 'vitest';
import { Board } from '../../../src/threads/board.ts';

const shown = (count: number) => ({
  idleUpstreamConnections: count,
  upstreamConnections: 2 * count,
  exchanges: 3 * count,
});

test('shows what all threads have open, and that each of them beats', () => {
  const board = Board.create(3);
  const of = (thread: number) => new Board(board.handle).beats(thread);
  new Board(board.handle).beat(0, shown(1));
  new Board(board.handle).beat(2, shown(10));
  new Board(board.handle).beat(2, shown(20));
  expect(board.shown).toEqual(shown(21));
  expect([0, 1, 2].map(of)).toEqual([1, 0, 2]);
});

test('a thread that is gone has nothing open, but what it counted stays', () => {
  const board = Board.create(2);
  board.beat(0, shown(1));
  board.beat(1, shown(5));
  board.add(1, { droppedLines: 7, deniedRetries: 1 });
  board.zeroThread(1);
  expect(board.shown).toEqual(shown(1));
  board.add(1, { droppedLines: 2, deniedRetries: 3 });
  board.add(0, { droppedLines: 1, deniedRetries: 0 });
  expect(board.counted).toEqual({ droppedLines: 10, deniedRetries: 4 });
});
