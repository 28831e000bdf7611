import { expect, test } from 'vitest';
import { Outage } from '../../../src/control/outage.ts';

test('an outage lasts at least its time, and ends when its upstream is back', () => {
  const outage = new Outage();
  outage.begin('server-error', 10_000, 1_000);
  expect([outage.isOut, outage.mustStay(10_999), outage.mustStay(11_000), outage.count]).toEqual([
    true,
    true,
    false,
    1,
  ]);
  outage.end(12_000);
  expect([outage.isOut, outage.mustStay(12_000)]).toEqual([false, false]);
});

test('an outage soon after the last one lasts twice as long', () => {
  const outage = new Outage();
  outage.begin('server-error', 10_000, 0);
  outage.end(10_000);
  outage.begin('server-error', 10_000, 15_000);
  expect([outage.mustStay(34_999), outage.mustStay(35_000), outage.count]).toEqual([true, false, 2]);
});
