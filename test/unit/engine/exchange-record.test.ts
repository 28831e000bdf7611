import { describe, expect, it } from 'vitest';
import type { Decision } from '../../../src/core/route.ts';
import { recordOf, Timings } from '../../../src/engine/exchange-record.ts';

const NOW = 1_764_000_000_000;
const outcome = {
  status: 200,
  upstream: '',
  bytesIn: 0,
  bytesOut: 0,
  peer: '10.0.0.1',
  failure: null,
  retries: 0,
  isStream: false,
};

function decision(session: string, pin: { session: string; first: number } | null): Decision {
  return {
    action: 'forward',
    reason: 'new',
    kind: 'safe',
    version: null,
    session,
    pin: pin === null ? null : { version: 'v1', seen: NOW, upstream: '', ...pin },
    pinAction: 'none',
    hasStrayPins: false,
    dropConditionals: false,
    upstreamTag: '',
    failure: null,
    reload: false,
    holdMs: 0,
  };
}

describe('the beginning of the session in a record', () => {
  it.each([
    { name: 'is that of the pin that came back', given: decision('s', { session: 's', first: 7 }), want: 7 },
    { name: 'is now for a session that begins', given: decision('s', null), want: NOW },
    {
      name: 'is now for a session that begins in place of an expired one',
      given: decision('new', { session: 'old', first: 7 }),
      want: NOW,
    },
    { name: 'is unknown without a session', given: decision('', null), want: -1 },
    { name: 'is unknown for what never was decided', given: null, want: -1 },
  ])('$name', ({ given, want }) => {
    expect(recordOf(null, given, new Timings(0, NOW), outcome).sessionFirst).toBe(want);
  });
});
