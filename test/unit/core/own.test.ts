// Own paths: which they are, and that such a request has no version, no session and nothing that it could forge.
import { describe, expect, it, test } from 'vitest';
import { decideQueued, decideUnavailable } from '../../../src/core/dead-pin.ts';
import type { Routing } from '../../../src/core/decision.ts';
import { innerFields, innerOf, isOwnTarget } from '../../../src/core/own.ts';
import type { Decision, RequestFacts } from '../../../src/core/route.ts';
import { EMPTY_TABLE } from '../../../src/core/table.ts';

describe('isOwnTarget', () => {
  const rows: readonly [target: string, want: boolean][] = [
    ['/.lockstep/version', true],
    ['/.lockstep/', true],
    ['/.lockstep', true],
    ['/.lockstep?v=v1', true],
    ['/.lockstep/../shop', true], // nobody here resolves dots, and no application sees it
    ['/.lockstepper', false],
    ['/.Lockstep/version', false],
    ['/%2elockstep/version', false],
    ['//.lockstep/version', false],
    ['/shop/.lockstep/version', false],
    ['/?/.lockstep/version', false],
    ['/.', false],
    ['/', false],
    ['*', false],
    ['', false],
  ];
  test.each(rows)('%j: %j', (target, want) => {
    expect(isOwnTarget(target)).toBe(want);
  });
});

describe('innerFields', () => {
  const inner = innerOf({ socketPath: '/nowhere', paths: [] });
  const decision = { reason: 'own', version: inner.version, pin: null } as unknown as Decision;
  const facts = { tab: '', target: '/.lockstep/version', clientIp: '198.51.100.7', isSecure: true };
  const told = (more: Partial<RequestFacts>, pin: Decision['pin'] = null) => {
    const fields = innerFields({ ...decision, pin }, { ...facts, ...more } as RequestFacts);
    return Object.fromEntries(fields.flatMap((name, i) => (i % 2 === 0 ? [[name, fields[i + 1]]] : [])));
  };

  it('tells the client, its scheme, and nothing that is not known', () => {
    expect(told({})).toEqual({
      'x-lockstep-reason': 'own',
      'x-lockstep-client': '198.51.100.7',
      'x-lockstep-scheme': 'https',
    });
  });

  it('tells of the pin its version and session', () => {
    const pin = { version: 'v1', session: 'abc', first: 1, seen: 1, upstream: '' };
    expect(told({}, pin)).toMatchObject({ 'x-lockstep-pin': 'v1', 'x-lockstep-session': 'abc' });
  });

  test.each([
    ['the header of its script', { tab: 'v1' }, 'v1'],
    ['the query, where no header can be set', { target: '/.lockstep/events?a=1&v=v2' }, 'v2'],
    ['the header before the query', { tab: 'v1', target: '/.lockstep/events?v=v2' }, 'v1'],
    ['the query, where the header is no id', { tab: 'a b', target: '/.lockstep/events?v=v2' }, 'v2'],
    [
      'nothing that is no id',
      { tab: 'v1\r\nx-evil: 1', target: '/.lockstep/events?v=%0d%0ax-evil:1' },
      undefined,
    ],
    ['nothing too long', { tab: 'v'.repeat(65) }, undefined],
  ])('takes the page’s version from %s', (_, more, want) => {
    expect(told(more)['x-lockstep-page']).toBe(want);
  });
});

test('an own path whose server is away is refused: no version is asked in its place, no wait is begun', () => {
  const { version } = innerOf({ socketPath: '/nowhere', paths: [] });
  const asked = { action: 'forward', reason: 'own', version, holdMs: 0 } as unknown as Decision;
  // Without table or sources: neither has a say.
  const routing = { pin: null, kind: 'navigation', hasStrayPins: false } as unknown as Routing;
  expect(decideUnavailable(asked, routing, 0)).toMatchObject({
    action: 'refuse',
    reason: 'own',
    failure: 'no-upstream',
    holdMs: 0,
  });
});

test('an own path that waits for its turn keeps it, whatever table comes meanwhile', () => {
  const { version } = innerOf({ socketPath: '/nowhere', paths: [] });
  const asked = { action: 'forward', reason: 'own', version, holdMs: 0 } as unknown as Decision;
  const routing = { table: EMPTY_TABLE, pin: null, kind: 'safe' } as unknown as Routing;
  expect(decideQueued(asked, routing)).toBe(asked);
});
