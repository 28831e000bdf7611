import { describe, expect, test } from 'vitest';
import { afterDrift, isContested, NO_CONTEST } from '../../../src/haproxy/contest.ts';
import {
  afterLook,
  formatMark,
  type LeaseState,
  type Mark,
  NO_LEASE,
  NO_MARK,
  parseMark,
} from '../../../src/haproxy/lease.ts';

/** A process, and who looks at it. */
class Scene {
  mark: Mark | null = null;
  nowMs = 0;
  isNewProcess = false;
  readonly states = new Map<string, LeaseState>();

  look(self: string): LeaseState['role'] {
    const before = this.states.get(self) ?? NO_LEASE;
    const { mark, isNewProcess, nowMs } = this;
    const after = afterLook(before, { mark, isNewProcess, canMark: true, nowMs, self });
    this.states.set(self, after);
    return after.role;
  }

  /** What follows a look of one that drives or claims. */
  write(self: string): void {
    this.mark = { writer: self, count: this.states.get(self)!.count, everyMs: 2_000 };
  }

  lookAndWrite(self: string): LeaseState['role'] {
    const role = this.look(self);
    if (role === 'claiming' || role === 'driven') this.write(self);
    return role;
  }
}

describe('a lease', () => {
  test('is claimed, and driven by at the next look', () => {
    const scene = new Scene();
    expect(scene.lookAndWrite('a')).toBe('claiming');
    expect(scene.lookAndWrite('a')).toBe('driven');
    expect(scene.lookAndWrite('a')).toBe('driven');
  });

  test('is the later one’s, of two that look before either has written', () => {
    const scene = new Scene();
    expect(scene.look('a')).toBe('claiming');
    expect(scene.look('b')).toBe('claiming');
    scene.write('a');
    scene.write('b');
    expect(scene.lookAndWrite('a')).toBe('standby');
    expect(scene.lookAndWrite('b')).toBe('driven');
    expect(scene.lookAndWrite('a')).toBe('standby');
  });

  test('is kept as long as its mark moves on, and passes when that stands still', () => {
    const scene = new Scene();
    scene.lookAndWrite('a');
    for (let round = 0; round < 20; round++) {
      expect(scene.lookAndWrite('a')).toBe('driven');
      expect(scene.lookAndWrite('b')).toBe('standby');
      scene.nowMs += 2_000;
    }
    // a is gone, without a word.
    const goneMs = scene.nowMs;
    while (scene.lookAndWrite('b') === 'standby') scene.nowMs += 1_000;
    expect(scene.nowMs - goneMs).toBeGreaterThanOrEqual(4_000);
    expect(scene.nowMs - goneMs).toBeLessThan(10_000);
    expect(scene.lookAndWrite('b')).toBe('driven');
  });

  test('of a process that begins anew is its predecessor’s, and not that of who stood by', () => {
    const scene = new Scene();
    scene.lookAndWrite('a');
    scene.lookAndWrite('a');
    scene.lookAndWrite('b');
    scene.nowMs += 60_000;
    scene.mark = null;
    scene.isNewProcess = true;
    expect(scene.lookAndWrite('b')).toBe('standby');
    expect(scene.lookAndWrite('a')).toBe('driven');
    expect(scene.lookAndWrite('b')).toBe('standby');
  });

  test('is given up by one that finds another’s mark', () => {
    const scene = new Scene();
    scene.lookAndWrite('a');
    scene.lookAndWrite('a');
    scene.mark = { writer: 'b', count: 7, everyMs: 2_000 };
    expect(scene.lookAndWrite('a')).toBe('standby');
  });

  test('is not to be had from a HAProxy that keeps no marks: it is driven', () => {
    const sight = { mark: null, isNewProcess: false, canMark: false, nowMs: 0, self: 'a' };
    expect(afterLook(NO_LEASE, sight).role).toBe('driven');
  });

  test('stands in a mark that is read as it was written', () => {
    const mark = { writer: 'a1b2', count: 12, everyMs: 2_000 };
    expect(parseMark(formatMark(mark))).toEqual(mark);
    for (const text of [null, '', NO_MARK, 'a', 'a-b-c', 'a-1', 'a b-1-2'])
      expect(parseMark(text)).toBeNull();
  });
});

describe('a contest', () => {
  const KEY = 'be/web01';

  test('begins with the third time within a minute, and rests for some minutes', () => {
    let contest = NO_CONTEST;
    for (const [nowMs, want] of [
      [0, false],
      [20_000, false],
      [40_000, true],
    ] as const) {
      contest = afterDrift(contest, [KEY], nowMs);
      expect(isContested(contest, nowMs)).toBe(want);
    }
    expect(contest.over).toBe(KEY);
    expect(isContested(contest, 339_999)).toBe(true);
    expect(isContested(contest, 340_000)).toBe(false);
    // It takes three more.
    expect(isContested(afterDrift(contest, [KEY], 340_000), 340_000)).toBe(false);
  });

  test('is none of times that are far apart, or of different servers', () => {
    let contest = NO_CONTEST;
    for (const nowMs of [0, 31_000, 62_000, 93_000]) contest = afterDrift(contest, [KEY], nowMs);
    expect(isContested(contest, 93_000)).toBe(false);
    contest = NO_CONTEST;
    for (const key of ['be/a', 'be/b', 'be/c', 'be/d']) contest = afterDrift(contest, [key], 0);
    expect(isContested(contest, 0)).toBe(false);
  });
});
