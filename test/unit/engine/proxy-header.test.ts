import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownHeader } from '../../../src/core/proxy-header.ts';
import { canonical } from '../../../src/engine/client-address.ts';
import { type ConnectionEnds, proxyHeader } from '../../../src/engine/proxy-header.ts';
import { readProxyHeader } from '../../../src/engine/proxy-protocol.ts';
import { binaryHeader, FIRST_VERSION, ipv6Block, secondVersion } from '../../kit/proxy-headers.ts';

const ENDS = { client: '192.0.2.7', clientPort: 40_000, local: '198.51.100.1', localPort: 443 };
const ENDS6 = { client: '2001:db8::7', clientPort: 40_000, local: '2001:db8:1::1', localPort: 443 };
const MIXED = { ...ENDS6, client: '192.0.2.7' };
const TO6 = [0x2001, 0xdb8, 1, 0, 0, 0, 0, 1];

const ROWS: readonly {
  name: string;
  kind: 'v1' | 'v2';
  ends: ConnectionEnds | null;
  want: string | Buffer;
}[] = [
  { name: 'IPv4', kind: 'v1', ends: ENDS, want: FIRST_VERSION },
  { name: 'IPv6', kind: 'v1', ends: ENDS6, want: 'PROXY TCP6 2001:db8::7 2001:db8:1::1 40000 443\r\n' },
  { name: 'both', kind: 'v1', ends: MIXED, want: 'PROXY TCP6 ::ffff:192.0.2.7 2001:db8:1::1 40000 443\r\n' },
  { name: 'nobody', kind: 'v1', ends: null, want: 'PROXY UNKNOWN\r\n' },
  { name: 'IPv4', kind: 'v2', ends: ENDS, want: secondVersion() },
  {
    name: 'IPv6',
    kind: 'v2',
    ends: ENDS6,
    want: binaryHeader({
      family: 0x21,
      block: ipv6Block([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7], TO6, [40_000, 443]),
    }),
  },
  {
    name: 'both',
    kind: 'v2',
    ends: MIXED,
    want: binaryHeader({
      family: 0x21,
      block: ipv6Block([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0207], TO6, [40_000, 443]),
    }),
  },
  {
    name: 'IPv4 in IPv6 with its dots',
    kind: 'v2',
    ends: { ...ENDS6, client: '::203.0.113.9' },
    want: binaryHeader({
      family: 0x21,
      block: ipv6Block([0, 0, 0, 0, 0, 0, 0xcb00, 0x7109], TO6, [40_000, 443]),
    }),
  },
  { name: 'nobody', kind: 'v2', ends: null, want: binaryHeader({ family: 0 }) },
];

describe('the header of a client', () => {
  it.each(ROWS)('is written as the specification has it: $kind, $name', ({ kind, ends, want }) => {
    expect(proxyHeader(kind, ends)).toBe(typeof want === 'string' ? want : want.toString('latin1'));
  });

  it('says the same to whoever reads it, whatever the addresses', () => {
    const ip = fc
      .oneof(fc.ipV4(), fc.ipV6())
      .map(canonical)
      .filter((address) => address !== '');
    const port = fc.integer({ min: 0, max: 65_535 });
    const ends = fc.record({ client: ip, clientPort: port, local: ip, localPort: port });
    fc.assert(
      fc.property(ends, fc.constantFrom('v1' as const, 'v2' as const), (given, kind) => {
        const written = Buffer.from(proxyHeader(kind, given), 'latin1');
        expect(readProxyHeader(written)).toEqual({ length: written.length, ends: given, isTls: false });
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the header of the gateway’s own connections', () => {
  it('is UNKNOWN, or LOCAL', () => {
    expect(ownHeader('v1')).toBe('PROXY UNKNOWN\r\n');
    expect(Buffer.from(ownHeader('v2'), 'latin1')).toEqual(binaryHeader({ command: 0x20, family: 0 }));
  });
});
