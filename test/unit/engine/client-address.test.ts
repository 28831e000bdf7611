import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientAddress, TrustedProxies } from '../../../src/engine/client-address.ts';

const TRUSTED = new TrustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8:1::/48']);

interface Claim {
  readonly peer: string;
  readonly xff?: string;
  readonly proto?: string;
  readonly host?: string;
  readonly isTls?: boolean;
}

function judge({ peer, xff = '', proto = '', host = '', isTls = false }: Claim) {
  return clientAddress({
    peer,
    forwardedFor: xff,
    forwardedProto: proto,
    forwardedHost: host,
    isTls,
    trusted: TRUSTED,
  });
}

describe('TrustedProxies', () => {
  test.each([
    { ip: '10.0.0.0', want: true },
    { ip: '10.255.255.255', want: true },
    { ip: '11.0.0.0', want: false },
    { ip: '192.0.2.1', want: true },
    { ip: '192.0.2.2', want: false },
    { ip: '::ffff:10.1.2.3', want: true },
    { ip: '::FFFF:0a01:0203', want: true },
    { ip: '0:0:0:0:0:ffff:10.1.2.3', want: true },
    { ip: '::ffff:11.1.2.3', want: false },
    { ip: '2001:db8:1:ffff::1', want: true },
    { ip: '2001:DB8:1::', want: true },
    { ip: '2001:db8:2::1', want: false },
    { ip: '::10.1.2.3', want: false },
    { ip: '', want: false },
    { ip: 'localhost', want: false },
    { ip: '10.0.0.1 ', want: false },
    { ip: '10.1', want: false },
  ])('V10 trusts "$ip": $want', ({ ip, want }) => {
    expect(TRUSTED.isTrusted(ip)).toBe(want);
  });

  test('trusts nobody when none is configured', () => {
    expect(new TrustedProxies([]).isTrusted('127.0.0.1')).toBe(false);
  });

  test.each([
    { cidr: '0.0.0.0/0', inside: '203.0.113.9', outside: '2001:db8::1' },
    { cidr: '127.0.0.1/32', inside: '127.0.0.1', outside: '127.0.0.2' },
    { cidr: '::ffff:10.0.0.0/104', inside: '10.9.9.9', outside: '11.0.0.0' },
    { cidr: '::ffff:127.0.0.1', inside: '127.0.0.1', outside: '127.0.0.2' },
    { cidr: 'fe80::/10', inside: 'fe80::1%eth0', outside: 'fec0::1' },
  ])('takes $cidr', ({ cidr, inside, outside }) => {
    const trusted = new TrustedProxies([cidr]);
    expect([trusted.isTrusted(inside), trusted.isTrusted(outside)]).toEqual([true, false]);
  });

  test.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8x',
    '::/129',
    '10/8',
    '::ffff:10.0.0.0/95',
  ])('does not take "%s", and says so', (cidr) => {
    expect(() => new TrustedProxies([cidr])).toThrow(
      new RangeError(`expected an address or CIDR, got ${cidr}`),
    );
  });
});

describe('from a peer that is not trusted', () => {
  test.each<Claim & { name: string; want: object }>([
    {
      name: 'V10 replaces every X-Forwarded-*',
      peer: '203.0.113.9',
      xff: '10.0.0.1, 198.51.100.1',
      proto: 'https',
      host: 'evil.example',
      want: {
        clientIp: '203.0.113.9',
        isSecure: false,
        forwardedFor: '203.0.113.9',
        forwardedProto: 'http',
        forwardedHost: '',
        isOfTrustedPeer: false,
      },
    },
    {
      name: 'says https where the connection is TLS',
      peer: '203.0.113.9',
      proto: 'http',
      isTls: true,
      want: {
        clientIp: '203.0.113.9',
        isSecure: true,
        forwardedFor: '203.0.113.9',
        forwardedProto: 'https',
        forwardedHost: '',
        isOfTrustedPeer: false,
      },
    },
    {
      name: 'writes a mapped address as IPv4',
      peer: '::ffff:203.0.113.9',
      want: {
        clientIp: '203.0.113.9',
        isSecure: false,
        forwardedFor: '203.0.113.9',
        forwardedProto: 'http',
        forwardedHost: '',
        isOfTrustedPeer: false,
      },
    },
    {
      name: 'writes IPv6 without its zone',
      peer: 'fe80::1%eth0',
      want: {
        clientIp: 'fe80::1',
        isSecure: false,
        forwardedFor: 'fe80::1',
        forwardedProto: 'http',
        forwardedHost: '',
        isOfTrustedPeer: false,
      },
    },
  ])('$name', ({ name: _, want, ...claim }) => {
    expect(judge(claim)).toEqual(want);
  });
});

describe('from a trusted peer', () => {
  test.each([
    { name: 'nothing', xff: '', client: '10.0.0.1', chain: '10.0.0.1' },
    { name: 'the client', xff: '203.0.113.9', client: '203.0.113.9', chain: '203.0.113.9, 10.0.0.1' },
    {
      name: 'the client and a trusted proxy',
      xff: '203.0.113.9, 192.0.2.1',
      client: '203.0.113.9',
      chain: '203.0.113.9, 192.0.2.1, 10.0.0.1',
    },
    {
      name: 'V10 what the client itself had sent, which goes no further',
      xff: '10.0.0.7, 198.51.100.1, 203.0.113.9, 192.0.2.1',
      client: '203.0.113.9',
      chain: '203.0.113.9, 192.0.2.1, 10.0.0.1',
    },
    {
      name: 'trusted proxies only',
      xff: '10.0.0.3, 10.0.0.2',
      client: '10.0.0.3',
      chain: '10.0.0.3, 10.0.0.2, 10.0.0.1',
    },
    { name: 'junk', xff: 'unknown', client: '10.0.0.1', chain: '10.0.0.1' },
    {
      name: 'junk behind a trusted proxy',
      xff: '203.0.113.9, junk, 10.0.0.2',
      client: '10.0.0.2',
      chain: '10.0.0.2, 10.0.0.1',
    },
    { name: 'an empty entry', xff: '203.0.113.9,', client: '10.0.0.1', chain: '10.0.0.1' },
    { name: 'a port', xff: '203.0.113.9:5123', client: '203.0.113.9', chain: '203.0.113.9, 10.0.0.1' },
    { name: 'IPv6', xff: '2001:DB8:2:0::9', client: '2001:db8:2::9', chain: '2001:db8:2::9, 10.0.0.1' },
    {
      name: 'IPv6 in brackets',
      xff: '[2001:db8:2::9]',
      client: '2001:db8:2::9',
      chain: '2001:db8:2::9, 10.0.0.1',
    },
    {
      name: 'IPv6 with a port',
      xff: '[2001:db8:2::9]:443,[2001:db8:1::1]:80',
      client: '2001:db8:2::9',
      chain: '2001:db8:2::9, 2001:db8:1::1, 10.0.0.1',
    },
    {
      name: 'a mapped address',
      xff: '::ffff:203.0.113.9',
      client: '203.0.113.9',
      chain: '203.0.113.9, 10.0.0.1',
    },
    { name: 'an open bracket', xff: '[2001:db8:2::9', client: '10.0.0.1', chain: '10.0.0.1' },
    { name: 'IPv4 in brackets', xff: '[203.0.113.9]', client: '10.0.0.1', chain: '10.0.0.1' },
    { name: 'words behind brackets', xff: '[2001:db8:2::9]x', client: '10.0.0.1', chain: '10.0.0.1' },
    { name: 'a port that is none', xff: '203.0.113.9:x', client: '10.0.0.1', chain: '10.0.0.1' },
    { name: 'an octal look-alike', xff: '0203.0.113.9', client: '10.0.0.1', chain: '10.0.0.1' },
  ])('reads $name', ({ xff, client, chain }) => {
    expect(judge({ peer: '10.0.0.1', xff })).toMatchObject({ clientIp: client, forwardedFor: chain });
  });

  test.each([
    { proto: 'https', isTls: false, want: 'https' },
    { proto: 'HTTPS ', isTls: false, want: 'https' },
    { proto: 'http', isTls: true, want: 'http' },
    { proto: '', isTls: true, want: 'https' },
    { proto: '', isTls: false, want: 'http' },
    { proto: 'wss', isTls: false, want: 'http' },
    { proto: 'https, http', isTls: false, want: 'http' },
    { proto: '__proto__', isTls: true, want: 'https' },
  ])('takes X-Forwarded-Proto "$proto" (TLS here: $isTls) as $want', ({ proto, isTls, want }) => {
    const { forwardedProto, isSecure } = judge({ peer: '10.0.0.1', proto, isTls });
    expect({ forwardedProto, isSecure }).toEqual({ forwardedProto: want, isSecure: want === 'https' });
  });

  test.each([
    { host: 'shop.example', want: 'shop.example' },
    { host: 'shop.example:8443', want: 'shop.example:8443' },
    { host: '[2001:db8::1]:80', want: '[2001:db8::1]:80' },
    { host: '', want: '' },
    { host: 'a.example, b.example', want: '' },
    { host: 'user@evil.example', want: '' },
    { host: 'a b', want: '' },
    { host: 'a/b', want: '' },
    { host: 'a'.repeat(261), want: '' },
  ])('takes X-Forwarded-Host "$host" as "$want"', ({ host, want }) => {
    expect(judge({ peer: '10.0.0.1', host }).forwardedHost).toBe(want);
  });

  test('V10 never believes an entry left of the first untrusted one, and passes on addresses only', () => {
    const entry = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.ipV4().map((ip) => `${ip}:80`),
      fc.constantFrom('10.0.0.2', '192.0.2.1', 'junk', '', '[', ']', '[]:1', ':', '::'),
      fc.string({ maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 6 }), fc.array(entry, { maxLength: 3 }), (left, right) => {
        const told = [...right, '203.0.113.9', '10.0.0.2'].join(',');
        const honest = judge({ peer: '10.0.0.1', xff: '203.0.113.9,10.0.0.2' });
        expect(judge({ peer: '10.0.0.1', xff: `${left.join(',')},${told}` })).toEqual(honest);
        expect(judge({ peer: '10.0.0.1', xff: left.join(',') }).forwardedFor).toMatch(/^[0-9a-f.:, ]+$/);
      }),
    );
  });
});
