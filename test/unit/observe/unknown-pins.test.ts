import { expect, test } from 'vitest';
import { LOOK_MS, UnknownPins, type UnknownPinsFound } from '../../../src/observe/unknown-pins.ts';
import { handClock } from '../control/hand-clock.ts';

function watching() {
  const found: UnknownPinsFound[] = [];
  const counts = { requests: 0, unknown: 0 };
  const clock = handClock();
  const onFound = (one: UnknownPinsFound) => found.push(one);
  const pins = new UnknownPins({ ...clock, counts: () => ({ ...counts }), onFound });
  const ask = (reason: 'new' | 'pin-invalid', count: number) => {
    counts.requests += count;
    if (reason === 'pin-invalid') counts.unknown += count;
    clock.advance(LOOK_MS);
  };
  return { pins, found, ask, clock };
}

test('a few unknown pins prove nothing, many are told with figures, and told again at ten times as many', () => {
  const { pins, found, ask } = watching();
  pins.watch();
  ask('new', 15);
  ask('pin-invalid', 19);
  expect(found).toEqual([]);
  ask('pin-invalid', 1);
  expect(found).toEqual([{ unknown: 20, requests: 35, sinceStartMs: 3 * LOOK_MS }]);
  ask('pin-invalid', 179);
  expect(found).toHaveLength(1);
  ask('pin-invalid', 1);
  expect(found).toHaveLength(2);
});

test('a flood between two looks is told once', () => {
  const { pins, found, ask } = watching();
  pins.watch();
  ask('pin-invalid', 5_000);
  ask('new', 1);
  expect(found).toEqual([{ unknown: 5_000, requests: 5_000, sinceStartMs: LOOK_MS }]);
});

test('new sessions are none', () => {
  const { pins, found, ask } = watching();
  pins.watch();
  ask('new', 1_000);
  expect(found).toEqual([]);
});

test('a quarter of an hour after the start they may come from anywhere: nobody looks any more', () => {
  const { pins, found, ask, clock } = watching();
  pins.watch();
  clock.advance(15 * 60_000 + LOOK_MS);
  ask('pin-invalid', 100);
  expect(found).toEqual([]);
  expect(clock.waiting).toBe(0);
});

test('nobody watches where a state was stored, or after the end', () => {
  const { pins, found, ask, clock } = watching();
  ask('pin-invalid', 100);
  expect(found).toEqual([]);
  pins.watch();
  pins.stop();
  ask('pin-invalid', 100);
  expect(found).toEqual([]);
  expect(clock.waiting).toBe(0);
});
