import { expect, test } from 'vitest';
import { UnknownPins, type UnknownPinsFound } from '../../../src/observe/unknown-pins.ts';

const START = Date.UTC(2026, 0, 1);

function watching() {
  const found: UnknownPinsFound[] = [];
  const pins = new UnknownPins((one) => found.push(one));
  const ask = (reason: 'new' | 'pin-invalid', count: number, afterMs = 1_000) => {
    for (let i = 0; i < count; i++) pins.record({ reason, startedAt: START + afterMs });
  };
  return { pins, found, ask };
}

test('a few unknown pins prove nothing, many are told with figures, and told again at ten times as many', () => {
  const { pins, found, ask } = watching();
  pins.watch(START);
  ask('new', 15);
  ask('pin-invalid', 19);
  expect(found).toEqual([]);
  ask('pin-invalid', 1, 4_000);
  expect(found).toEqual([{ unknown: 20, requests: 35, sinceStartMs: 4_000 }]);
  ask('pin-invalid', 179);
  expect(found).toHaveLength(1);
  ask('pin-invalid', 1);
  expect(found).toHaveLength(2);
});

test('new sessions are none', () => {
  const { pins, found, ask } = watching();
  pins.watch(START);
  ask('new', 1_000);
  expect(found).toEqual([]);
});

test('a quarter of an hour after the start they may come from anywhere', () => {
  const { pins, found, ask } = watching();
  pins.watch(START);
  ask('pin-invalid', 100, 15 * 60_000 + 1);
  expect(found).toEqual([]);
});

test('nobody watches where a state was stored', () => {
  const { found, ask } = watching();
  ask('pin-invalid', 100);
  expect(found).toEqual([]);
});
