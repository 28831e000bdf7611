// P9, "every wait has a finite default": the defaults beside the values that the hardening list proposes after HAProxy's,
// nginx's, Envoy's, Node's, Pingora's and Caddy's. A row that differs says why; a limit without a row is a failure.

import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.ts';
import type { Limits } from '../../../src/core/policy.ts';
import { shortestOf } from '../../../src/engine/deadlines.ts';

const KIB = 1_024;
const MINUTE_MS = 60_000;

interface Row {
  readonly limit: keyof Limits;
  readonly proposed: number | null;
  /** The default, where it is another one, and why. */
  readonly but?: { readonly is: number | null; readonly why: string };
}

const ROWS: readonly Row[] = [
  { limit: 'headerTimeoutMs', proposed: 10_000 },
  { limit: 'bodyProgressMs', proposed: 30_000 },
  { limit: 'clientIdleMs', proposed: MINUTE_MS },
  { limit: 'connectMs', proposed: 3_000 },
  { limit: 'firstByteMs', proposed: MINUTE_MS },
  {
    limit: 'upstreamIdleMs',
    proposed: MINUTE_MS,
    but: {
      is: 50_000,
      why: 'of unused connections, and less than the 60 s after which many applications close theirs',
    },
  },
  { limit: 'sendProgressMs', proposed: MINUTE_MS },
  { limit: 'tunnelIdleMs', proposed: 60 * MINUTE_MS },
  { limit: 'headBytes', proposed: 16 * KIB },
  { limit: 'headers', proposed: 100 },
  { limit: 'uri', proposed: 8 * KIB },
  { limit: 'responseHead', proposed: 32 * KIB },
  { limit: 'body', proposed: null },
  { limit: 'chunkExt', proposed: 4 * KIB },
  { limit: 'trailers', proposed: 8 * KIB },
  {
    limit: 'requestsPerConnection',
    proposed: 1_000,
    but: { is: null, why: 'the contract of the configuration says null; no wait depends on it' },
  },
  {
    limit: 'shutdownMs',
    proposed: 30_000,
  },
  {
    limit: 'halfCloseMs',
    proposed: null,
    but: { is: 50, why: 'the list has none: nginx closes at once, HAProxy waits for the answer' },
  },
  // The list asks for them, and for their being finite, without a figure.
  { limit: 'upstreamConnections', proposed: 5_000 },
  { limit: 'queue', proposed: 256 },
  { limit: 'queueTimeoutMs', proposed: 5_000 },
  {
    limit: 'retries',
    proposed: 1,
    but: {
      is: 0.2,
      why: 'the proposed one retry of a request holds; this is the share of requests that may have it',
    },
  },
  { limit: 'retriesPerSecond', proposed: 10 },
  { limit: 'connections', proposed: 10_000 },
  { limit: 'sessions', proposed: 1_000_000 },
];

describe('P9: the defaults', () => {
  const parsed = parseConfig('', 'lockstep.yaml', {});
  if (!parsed.ok) throw new Error('an empty file does not parse');
  const { limits } = parsed.config;

  test.each(ROWS)('$limit is what is proposed, or another value for a reason', ({ limit, proposed, but }) => {
    expect(limits[limit]).toBe(but === undefined ? proposed : but.is);
    if (but !== undefined) expect(but.is).not.toBe(proposed);
  });

  test('have a row each', () => {
    expect(new Set(ROWS.map(({ limit }) => limit))).toEqual(new Set(Object.keys(limits)));
  });

  test('let no wait be endless', () => {
    const waits = Object.entries(limits).filter(([name]) => name.endsWith('Ms'));
    expect(waits.length).toBeGreaterThan(9);
    for (const [name, ms] of waits) expect(Number.isFinite(ms) && ms! > 0, name).toBe(true);
  });

  test('are looked at every quarter of a second at least', () => {
    expect(Math.min(250, shortestOf(limits) / 4)).toBeLessThanOrEqual(1_000);
  });
});
