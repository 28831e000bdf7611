import { describe, expect, test } from 'vitest';
import { renderExplanation } from '../../../src/cli/explanation-text.ts';
import type { ToldExplanation } from '../../../src/core/explain.ts';
import { explanation } from './explanation-fixtures.ts';

const NOW = { nowMs: Date.parse('2026-03-01T03:14:00Z'), timeZone: 'UTC' };
const render = (more: Partial<ToldExplanation> = {}, columns = 80) =>
  renderExplanation(explanation(more), { ...NOW, columns });

test('says where it would go, which sources were asked, and who of the pool it could be', () => {
  expect(render()).toBe(`GET /cart is a navigation. It would go to v1, now at 127.0.0.1:9101 (pinned):
its version is v1.

SOURCE              NAMES  VERDICT  WHY
x-lockstep-version  -      absent   the request has no such header
pin                 v1     won      its version is v1
new session         -      unasked  there is one before it

UPSTREAM            WANTED   HEALTH   IN FLIGHT
127.0.0.1:9101      enabled  up               3  chosen
127.0.0.1:9102      enabled  down             0

Session abcdefghijklmnop. The answer refreshes the pin when that is due.
`);
});

const past = {
  id: 'p-1',
  time: '2026-03-01T03:12:00.000Z',
  status: 502,
  failure: 'upstream-reset',
  retries: 1,
  totalMs: 12.5,
} as const;

test('says what became of a request that was', () => {
  expect(render({ past }).split('\n\n')[0]).toBe(
    `GET /cart was a navigation. It came 03:12 (2m ago), went to v1 at 127.0.0.1:9101
and got 502 (upstream-reset) in 13 ms, after it was sent once more. Why there
(pinned): its version is v1.`,
  );
  expect(render({ past })).toContain('3  was chosen\n');
  expect(render({ past: { ...past, status: 0, failure: 'client-gone', retries: 0 } })).toContain(
    'got no answer (client-gone) in 13 ms.',
  );
});

describe('a refusal', () => {
  const refused = {
    action: 'refuse',
    reason: 'pin-gone',
    failure: 'dead-pin',
    status: 409,
    reload: true,
    chosen: null,
    why: 'it is a dead pin: v1 is drained and takes no pinned traffic',
  } as const;

  test('says with what, and lists no pool', () => {
    const text = render(refused);
    expect(text.split('\n\n')[0]!.replaceAll('\n', ' ')).toBe(
      'GET /cart is a navigation. It would be answered by the gateway: 409 dead-pin, which tells the page to reload (pin-gone): it is a dead pin: v1 is drained and takes no pinned traffic.',
    );
    expect(text).not.toContain('UPSTREAM');
  });

  test('that comes after a wait says how long', () => {
    expect(render({ ...refused, holdMs: 5_000 })).toContain(
      'It would wait for up to 5s, then be answered by the',
    );
  });

  test('before any source was asked has none', () => {
    const text = render({
      ...refused,
      failure: 'unknown-host',
      status: 421,
      sources: [],
      version: null,
      session: null,
    });
    expect(text).not.toContain('SOURCE');
    expect(text.replaceAll('\n', ' ')).toContain('421 unknown-host');
  });

  test('of what was no request says so', () => {
    expect(
      render({ ...refused, method: '', past, version: null, sources: [] }).replaceAll('\n', ' '),
    ).toMatch(/^What came was no request that could be read\. It came 03:12 \(2m ago\), went nowhere and/);
  });
});

test('says what becomes of it when nobody of the pool is there, and how new sessions are shared', () => {
  const otherwise = {
    action: 'forward',
    reason: 'failover',
    version: { id: 'v2', state: 'active' },
    failure: null,
    status: null,
    reload: false,
    holdMs: 0,
    afterMs: 5_000,
  } as const;
  const shares = [
    { version: 'v3', percent: 10 },
    { version: 'v2', percent: 90 },
  ];
  const text = render({ chosen: null, otherwise, shares });
  expect(text).toContain('None of them is available. If none becomes so, it will go to v2 after 5s.');
  expect(text).toContain('New sessions: v3 10%, v2 90%.');
});

test.each([40, 60, 80, 120])('fits %i columns', (columns) => {
  const lines = render(
    { past, why: 'a reason that goes on and on, and is told in many words' },
    columns,
  ).split('\n');
  expect(lines.filter((line) => line.length > columns)).toEqual([]);
});

test('a text of the network cannot move the cursor', () => {
  expect(
    render({
      target: '/\u001b[2J',
      sources: [{ source: 'pin', names: null, verdict: 'won', why: 'a\u001b[2Jb' }],
    }),
  ).not.toContain('\u001b');
});

test('a path of the gateway’s own goes to nobody', () => {
  const own = { reason: 'own', version: null, why: 'its path is one of the gateway itself' } as const;
  const none = {
    sources: [],
    upstreams: [],
    shares: [],
    chosen: null,
    session: null,
    pinAction: 'none',
  } as const;
  expect(render({ ...own, ...none })).toBe(
    [
      'GET /cart is a navigation. It would be answered by the gateway itself (own): its',
      'path is one of the gateway itself.',
      '',
      'The answer leaves the pin alone.',
      '',
    ].join('\n'),
  );
  expect(render({ ...own, ...none, past })).toContain('went to the gateway itself');
});
