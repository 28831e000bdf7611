import { describe, expect, it } from 'vitest';
import { type Facts, judgeHosts } from '../../../../src/cli/deploy/plan.ts';
import { tellPlan } from '../../../../src/cli/deploy/plan-text.ts';
import type { DeployWish } from '../../../../src/cli/deploy/wish.ts';
import type { VersionState } from '../../../../src/core/versions.ts';
import { statusOf, version } from '../status-fixtures.ts';

const places = [
  { name: 'web03', address: '10.0.0.3:80' },
  { name: 'web04', address: '10.0.0.4:80' },
];
const wish: DeployWish = {
  version: 'v42',
  hosts: [],
  each: './deploy.sh {host}',
  parallel: 1,
  hookTimeoutMs: 900_000,
  port: null,
  upstream: null,
  reports: null,
  isSilent: false,
  sameBuild: false,
  takesOver: false,
  warm: null,
  canary: null,
  timeoutMs: 86_400_000,
  healthTimeoutMs: 300_000,
  patienceMs: 300_000,
  waits: true,
  retires: false,
  keeps: false,
  onFailure: 'stop',
};

const at = (id: string, state: VersionState, ...hosts: readonly number[]) => {
  const [upstream] = version(id).upstreams;
  const upstreams = hosts.map((host) => ({ ...upstream!, address: `10.0.0.${host}:80` }));
  return version(id, { state, upstreams });
};

const judge = (
  others: readonly ReturnType<typeof at>[],
  more: Partial<Facts['wish']> = {},
  isOurs = false,
) => {
  const status = statusOf([at('v41', 'active', 1, 2), ...others]);
  return judgeHosts(status, { wish: { ...wish, ...more }, places, isOurs });
};

describe('hosts', () => {
  it.each([
    { name: 'carry nothing', others: [], want: [] },
    {
      name: 'carry a drained version',
      others: [at('v40', 'drained', 3, 4)],
      want: [['v40', ['10.0.0.3:80', '10.0.0.4:80'], true]],
    },
    {
      name: 'carry a part of a drained version',
      others: [at('v40', 'drained', 3, 5)],
      want: [['v40', ['10.0.0.3:80'], false]],
    },
    {
      name: 'carry one that drains',
      others: [at('v40', 'draining', 4)],
      want: [['v40', ['10.0.0.4:80'], true]],
    },
    { name: 'carry one that has ended', others: [at('v40', 'retired')], want: [] },
  ])('that $name may be deployed to', ({ others, want }) => {
    const verdict = judge(others);
    const standing = verdict.ok ? verdict.standing : [];
    expect(standing.map((one) => [one.version.id, one.addresses, one.isWhole])).toEqual(want);
    expect(verdict.ok).toBe(true);
  });

  it.each([
    { name: 'a canary', others: [at('v40', 'canary', 3)], says: /web03 carries v40, which is a canary/ },
    {
      name: 'a staged one',
      others: [at('v43', 'staged', 3, 4)],
      says: /v43 is staged on web03 and web04/,
    },
  ])('that carry $name are refused', ({ others, says }) => {
    const verdict = judge(others);
    expect(verdict.ok ? '' : verdict.what).toMatch(says);
  });

  it('that carry the active version are refused, and the others named', () => {
    const status = statusOf([at('v41', 'active', 3, 4), at('v40', 'drained', 1, 2)]);
    expect(judgeHosts(status, { wish, places, isOurs: false })).toEqual({
      ok: false,
      what: 'web03 and web04 carry v41, which is active',
      advice: 'deploy to the other half (10.0.0.1:80, 10.0.0.2:80), or promote another version first',
    });
  });
});

describe('hosts whose versions are found out', () => {
  const server = (host: number) => ({
    name: `web0${host}`,
    address: `10.0.0.${host}:80`,
    source: 'config' as const,
    version: 'v40',
    reported: 'v40',
    why: null,
  });
  it.each([
    { name: 'carry a staged version', servers: [3, 4], others: [at('v40', 'staged', 3, 4)], says: null },
    { name: 'carry the new one', servers: [3, 4], others: [at('v42', 'staged', 3)], says: null },
    { name: 'carried the new one once', servers: [3, 4], others: [at('v42', 'retired')], says: null },
    {
      name: 'carry one that was cut off',
      servers: [3, 4],
      others: [at('v42', 'cut off')],
      says: /the id v42 was used/,
    },
    { name: 'are known in part', servers: [3], others: [], says: /the versions of 1 of these 2 hosts/ },
    {
      name: 'are to be retired',
      servers: [3, 4],
      others: [],
      more: { retires: true },
      says: /comes back by itself — deploy without --retire/,
    },
    {
      name: 'are to report otherwise',
      servers: [3, 4],
      others: [],
      more: { reports: 'sha' },
      says: /deploy without --reports/,
    },
  ])('and $name', ({ servers, others, more = {}, says }) => {
    const discovery = { servers: servers.map(server), autoPromote: null };
    const status = statusOf([at('v41', 'active', 1, 2), ...others], { discovery });
    const verdict = judgeHosts(status, { wish: { ...wish, ...more }, places, isOurs: false });
    const said = verdict.ok ? null : `${verdict.what} — ${verdict.advice}`;
    if (says === null) expect(said).toBeNull();
    else expect(said).toMatch(says);
  });
});

describe('a version that is there already', () => {
  const canary = { steps: [10, 100], every: '5m' };
  it.each([
    { state: 'staged' as const, more: {}, isOurs: false, says: /--take-over/ },
    { state: 'staged' as const, more: { takesOver: true }, isOurs: false, says: null },
    { state: 'staged' as const, more: {}, isOurs: true, says: null },
    { state: 'drained' as const, more: { takesOver: true }, isOurs: false, says: null },
    { state: 'drained' as const, more: { takesOver: true, canary }, isOurs: false, says: /no canary/ },
    { state: 'draining' as const, more: {}, isOurs: true, says: /v42 drains/ },
    { state: 'canary' as const, more: {}, isOurs: false, says: /canary already/ },
    { state: 'canary' as const, more: {}, isOurs: true, says: null },
    { state: 'retired' as const, more: {}, isOurs: false, says: /the id v42 was used.*--same-build/ },
    { state: 'retired' as const, more: { sameBuild: true }, isOurs: false, says: null },
    { state: 'cut off' as const, more: {}, isOurs: true, says: /the id v42 was used/ },
  ])('$state, ours: $isOurs, $more', ({ state, more, isOurs, says }) => {
    const verdict = judge([at('v42', state, 3, 4)], more, isOurs);
    const said = verdict.ok ? null : `${verdict.what} — ${verdict.advice}`;
    if (says === null) expect(said).toBeNull();
    else expect(said).toMatch(says);
  });
});

describe('the plan', () => {
  it('names the sessions that each step concerns', () => {
    const nowMs = Date.parse('2026-03-01T03:00:00Z');
    const draining = {
      ...at('v40', 'draining', 3, 4),
      sessions: { live: 3, confirmed: 3, streams: 0 },
      drain: {
        startedAt: '2026-03-01T02:00:00Z',
        sessions: 'keep' as const,
        step: 'waiting' as const,
        deadline: null,
        emptyAt: '2026-03-01T03:12:00Z',
        blockers: ['sessions' as const],
      },
    };
    const active = { ...at('v41', 'active', 1, 2), sessions: { live: 128, confirmed: 120, streams: 2 } };
    const status = statusOf([active, draining]);
    const found = judgeHosts(status, { wish, places, isOurs: false });
    if (!found.ok) throw new Error(found.what);
    const canary = { steps: [10, 55, 100], every: '5m' };
    expect(
      tellPlan({ ...wish, canary, retires: true }, places, found, status, { nowMs, timeZone: 'UTC' }),
    ).toEqual([
      '1. v40 still drains on web03 and web04 with 3 live sessions; empty about 03:12 (in 12m). Wait until it is drained, then retire it, because its servers get another build.',
      '2. Run one after the other, each for at most 15m: ./deploy.sh web03; ./deploy.sh web04',
      '3. Put v42 with web03 (10.0.0.3:80), web04 (10.0.0.4:80).',
      '4. Wait until they are up and say that they run v42, for at most 5m.',
      '5. Warm it up as configured, then give v42 10%, 55%, 100% of new sessions, a step each 5m. The 128 live sessions of v41 keep it until they end.',
      '6. Wait until v41 is drained.',
      '7. Retire v41.',
    ]);
  });
});
