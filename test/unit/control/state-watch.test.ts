import { beforeEach, describe, expect, it } from 'vitest';
import { StateWatch } from '../../../src/control/state-watch.ts';
import type { StateStatus } from '../../../src/core/status.ts';
import { type HandClock, handClock } from './hand-clock.ts';

let clock: HandClock;
let fault: string | null;
let looks: number;
let told: StateStatus[];
let watch: StateWatch;

beforeEach(() => {
  clock = handClock();
  fault = null;
  looks = 0;
  told = [];
  watch = new StateWatch({
    clock,
    probe: async () => {
      looks++;
      if (fault !== null) throw new Error(fault);
    },
    onChange: (status) => told.push(status),
  });
  watch.start();
});

const pass = async (seconds: number) => {
  for (let second = 0; second < seconds; second++) {
    clock.advance(1_000);
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
};

describe('the watch over the state directory', () => {
  it('looks now and then, and says nothing while all is well', async () => {
    await pass(95);
    expect(looks).toBe(3);
    expect(told).toEqual([]);
    expect(watch.status).toMatchObject({ writable: true, error: null });
  });

  it('finds by itself that nothing can be written, once, and since when', async () => {
    await pass(10);
    fault = 'the disk is full';
    await pass(60);
    expect(told).toEqual([{ writable: false, since: '2026-01-01T00:00:30.000Z', error: 'the disk is full' }]);
    expect(watch.status).toBe(told[0]);
  });

  it('looks more often then, and finds soon that it is well again', async () => {
    watch.wrote('the disk is full');
    fault = 'the disk is full';
    await pass(12);
    expect(looks).toBe(2);
    fault = null;
    await pass(4);
    expect(told.map(({ writable }) => writable)).toEqual([false, true]);
    expect(watch.status).toEqual({ writable: true, since: '2026-01-01T00:00:15.000Z', error: null });
  });

  it('takes the word of a change that was stored, or was not', () => {
    watch.wrote(null);
    expect(told).toEqual([]);
    watch.wrote('read-only');
    watch.wrote('read-only');
    watch.wrote(null);
    expect(told.map(({ writable }) => writable)).toEqual([false, true]);
  });

  it('has one timer at a time, and none when it is stopped', async () => {
    watch.wrote('read-only');
    watch.start();
    expect(clock.waiting).toBe(1);
    await watch.stop();
    expect(clock.waiting).toBe(0);
    watch.wrote(null);
    expect(clock.waiting).toBe(0);
  });
});
