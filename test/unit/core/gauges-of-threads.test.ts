// Gauges that several data-plane threads share; here each "thread" is one that attached (the real ones: see the
// integration tests).

import { describe, expect, test } from 'vitest';
import { Gauges } from '../../../src/core/gauges.ts';

describe.each([1, 2, 3, 16, 17])('gauges of %s threads', (threads) => {
  const gaugesOfAll = () => {
    const control = new Gauges({ threads });
    return {
      control,
      all: Array.from({ length: threads }, (_, thread) => Gauges.attach(control.handle, thread)),
    };
  };

  test('sum what each thread counted, and mix up no slots', () => {
    const { control, all } = gaugesOfAll();
    all.forEach((gauges, thread) => {
      for (let request = 0; request <= thread; request++) gauges.enter(65_535, 4_095);
      gauges.enter(1, 10);
      gauges.leave(1, 10);
      gauges.streamOpened(65_535);
      gauges.connectionOpened(4_095);
      gauges.queueJoined(2);
    });
    const sum = (threads * (threads + 1)) / 2;
    for (const gauges of [control, ...all]) {
      expect([gauges.inFlight(4_095), gauges.inFlight(4_094), gauges.inFlight(10)]).toEqual([sum, 0, 0]);
      expect([gauges.versionInFlight(65_535), gauges.versionInFlight(1)]).toEqual([sum, 0]);
      expect([gauges.versionStreams(65_535), gauges.connections(4_095), gauges.versionQueued(2)]).toEqual([
        threads,
        threads,
        threads,
      ]);
    }
  });

  test('lose what a dead thread counted, and nothing else', () => {
    const { control, all } = gaugesOfAll();
    for (const gauges of all) {
      gauges.enter(1, 10);
      gauges.streamOpened(1);
      gauges.connectionOpened(10);
      gauges.queueJoined(1);
    }
    control.zeroThread(threads - 1);
    expect([
      control.inFlight(10),
      control.versionInFlight(1),
      control.versionStreams(1),
      control.connections(10),
      control.versionQueued(1),
    ]).toEqual(Array(5).fill(threads - 1));
    const successor = Gauges.attach(control.handle, threads - 1);
    successor.enter(1, 10);
    successor.leave(1, 10);
    expect(control.inFlight(10)).toBe(threads - 1);
  });

  test('let in no more than the limit, of all threads', () => {
    const { control, all } = gaugesOfAll();
    const entered = all.map((gauges) => gauges.enter(1, 10, 2));
    expect(entered.filter((isIn) => isIn).length).toBe(Math.min(2, threads));
    expect([control.inFlight(10), control.versionInFlight(1)]).toEqual(Array(2).fill(Math.min(2, threads)));
  });

  test('tell all of health, shares and faults in a row', () => {
    const { control, all } = gaugesOfAll();
    control.setHealth(10, 'down');
    control.setShare(10, 1);
    for (const gauges of all) gauges.connectFailed(10);
    for (const gauges of all) {
      expect([gauges.isRoutable(10), gauges.share(10), gauges.isRamping]).toEqual([false, 1, true]);
      expect(gauges.connectFaults(10)).toBe(threads);
    }
    all[0]!.connected(10);
    expect(control.connectFaults(10)).toBe(0);
  });

  test('refuse a thread that is none', () => {
    const { control } = gaugesOfAll();
    for (const thread of [-1, threads, Number.NaN]) {
      expect(() => Gauges.attach(control.handle, thread)).toThrow(RangeError);
    }
  });
});

test.each([0, -1, 1.5, Number.NaN])('there are no gauges of %s threads', (threads) => {
  expect(() => new Gauges({ threads })).toThrow(RangeError);
});
