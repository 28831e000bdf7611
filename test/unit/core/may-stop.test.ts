import { describe, expect, it } from 'vitest';
import { mayStop, type StopQuestion, type StopVersion, tellObstacles } from '../../../src/core/may-stop.ts';

const busy: StopVersion = {
  id: 'v1',
  state: 'active',
  others: 2,
  promised: 0,
  live: 12,
  streams: 3,
  blockers: ['sessions', 'streams', 'in-flight'],
  emptyAt: null,
};
const empty = { live: 0, streams: 0, blockers: [] } as const;

function asked(version: Partial<StopVersion>, more: Partial<StopQuestion> = {}): readonly string[] {
  const verdict = mayStop({ affinity: 'none', keep: 1, versions: [{ ...busy, ...version }], ...more });
  return verdict.may ? [] : verdict.why;
}

describe('a server may be stopped', () => {
  it.each<[string, Partial<StopVersion>, Partial<StopQuestion>, readonly string[]]>([
    ['while others of its version serve', {}, {}, []],
    ['while one does', { others: 1 }, {}, []],
    [
      'but not the last of the active version',
      { others: 0 },
      {},
      ['last', 'sessions', 'streams', 'in-flight'],
    ],
    ['not even without sessions: new ones come', { others: 0, ...empty }, {}, ['last']],
    [
      'but not the last of a draining one that has sessions',
      { others: 0, state: 'draining' },
      {},
      ['sessions', 'streams', 'in-flight'],
    ],
    [
      'nor one whose sessions were not counted for long enough',
      { others: 0, state: 'draining', ...empty, blockers: ['counting'] },
      {},
      ['counting'],
    ],
    ['but the last of a draining one that is empty', { others: 0, state: 'draining', ...empty }, {}, []],
    ['and the last of an empty canary', { others: 0, state: 'canary', ...empty }, {}, []],
    ['but not when fewer than wanted are left', { others: 1 }, { keep: 2 }, ['capacity']],
    ['unless nobody needs them', { others: 1, state: 'draining', ...empty }, { keep: 2 }, []],
    [
      'but not one that sessions live on',
      { others: 5 },
      { affinity: 'upstream' },
      ['affinity', 'sessions', 'streams', 'in-flight'],
    ],
    ['unless there are none', { others: 5, state: 'draining', ...empty }, { affinity: 'upstream' }, []],
    ['and one that takes no pinned traffic anyhow', {}, { versions: [] }, []],
  ])('%s', (_, version, more, want) => {
    expect(asked(version, more)).toEqual(want);
  });

  it('when none of its versions is against it', () => {
    const versions = [busy, { ...busy, id: 'v2', others: 0, state: 'draining' as const }];
    expect(mayStop({ affinity: 'none', keep: 1, versions })).toMatchObject({
      may: false,
      version: { id: 'v2' },
    });
  });
});

describe('why not', () => {
  it.each<[Partial<StopVersion>, Partial<StopQuestion>, string]>([
    [
      { others: 0, ...empty },
      {},
      'web01 is the last available server of v1, which is active: new sessions come to it.',
    ],
    [
      { others: 0, promised: 1, state: 'draining', live: 1, streams: 0, blockers: ['sessions'] },
      {},
      'web01 is the last available server of v1, which is draining (1 more promised to others): 1 live session.',
    ],
    [{ others: 1 }, { keep: 2 }, 'Only 1 other available server of v1, which is active, would be left.'],
    [
      { blockers: ['sessions', 'counting'], streams: 0 },
      { affinity: 'upstream' },
      'With affinity: upstream, sessions of v1, which is active, live on web01 itself: 12 live sessions, sessions not counted for a whole cookie.idle yet.',
    ],
  ])('is said in a sentence', (version, more, want) => {
    const verdict = mayStop({ affinity: 'none', keep: 1, versions: [{ ...busy, ...version }], ...more });
    expect(verdict.may ? '' : tellObstacles('web01', verdict)).toBe(want);
  });
});
