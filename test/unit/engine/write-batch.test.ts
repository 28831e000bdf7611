import { expect, test } from 'vitest';
import { WriteBatch } from '../../../src/engine/write-batch.ts';

/** Says who has sent. */
function scene() {
  const batch = new WriteBatch();
  const sent: number[] = [];
  const add = (id: number): void => batch.add({ sendWaiting: () => sent.push(id) });
  return { add, sent };
}

const endOfTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('all send at the end of the turn, in their order', async () => {
  const { add, sent } = scene();
  add(1);
  add(2);
  await Promise.resolve();
  expect(sent).toEqual([]);
  await endOfTurn();
  expect(sent).toEqual([1, 2]);
  add(3);
  await endOfTurn();
  expect(sent).toEqual([1, 2, 3]);
});

test('sixty-four do not wait for it, and those behind them still send', async () => {
  const { add, sent } = scene();
  for (let id = 0; id < 70; id++) add(id);
  expect(sent).toEqual(Array.from({ length: 64 }, (_, id) => id));
  await endOfTurn();
  expect(sent).toHaveLength(70);
});

test('who is added while the others send is sent in the next turn', async () => {
  const batch = new WriteBatch();
  const sent: string[] = [];
  const second = { sendWaiting: () => sent.push('second') };
  batch.add({
    sendWaiting: () => {
      sent.push('first');
      batch.add(second);
    },
  });
  await endOfTurn();
  await endOfTurn();
  expect(sent).toEqual(['first', 'second']);
});
