import { describe, expect, it } from 'vitest';
import { readBindAddresses, readServerAddress } from '../../../../src/haproxy/import/address.ts';
import { parseBytes, parseTime } from '../../../../src/haproxy/import/time.ts';

describe('the address of a server', () => {
  it.each([
    { given: '10.0.0.1:80', want: '10.0.0.1:80' },
    { given: 'Web01.Internal:8080', want: 'web01.internal:8080' },
    { given: '10.0.0.1', want: '10.0.0.1:8000' },
    { given: '[2001:DB8::1]:80', want: '[2001:db8::1]:80' },
    { given: '2001:db8::1:80', want: '[2001:db8::1]:80' },
    { given: 'ipv4@10.0.0.1:80', want: '10.0.0.1:80' },
    { given: 'ipv6@::1:80', want: '[::1]:80' },
    { given: 'tcp@10.0.0.1:80', want: '10.0.0.1:80' },
  ])('$given is $want', ({ given, want }) => {
    expect(readServerAddress(given, 8000)).toMatchObject({ ok: true, address: want });
  });

  it.each([
    { given: '/run/app.sock', want: /UNIX/ },
    { given: 'unix@app.sock', want: /UNIX/ },
    { given: 'abns@app', want: /abns@/ },
    { given: 'quic4@10.0.0.1:443', want: /QUIC/ },
    { given: 'rhttp@x', want: /rhttp@/ },
    { given: '0.0.0.0:80', want: /client asked for/ },
    { given: '*:80', want: /client asked for/ },
    { given: ':80', want: /no host/ },
    { given: '10.0.0.1:+100', want: /client's/ },
    { given: '10.0.0.1:http', want: /no port/ },
    { given: '10.0.0.1:0', want: /port from 1/ },
    { given: '169.254.169.254:80', want: /link-local/ },
    { given: 'user@host:80', want: /user@/ },
    { given: '10.0.0.1/8:80', want: /host/ },
  ])('$given is none: $want', ({ given, want }) => {
    expect(readServerAddress(given, 8000)).toEqual({ ok: false, why: expect.stringMatching(want) });
  });

  it('has a port, or the only one of its listeners', () => {
    expect(readServerAddress('10.0.0.1', null)).toMatchObject({ ok: false });
  });
});

describe('the addresses of a listener', () => {
  it.each([
    { given: ':80', want: ['0.0.0.0:80'] },
    { given: '*:80', want: ['0.0.0.0:80'] },
    { given: ':::80', want: ['[::]:80'] },
    { given: 'ipv6@:80', want: ['[::]:80'] },
    { given: '[::1]:80', want: ['[::1]:80'] },
    {
      given: '10.0.0.1:80,10.0.0.2:8080-8082',
      want: ['10.0.0.1:80', '10.0.0.2:8080', '10.0.0.2:8081', '10.0.0.2:8082'],
    },
    { given: 'Edge.internal:80', want: ['edge.internal:80'] },
  ])('$given', ({ given, want }) => {
    expect(readBindAddresses(given).map((read) => read.ok && read.address)).toEqual(want);
  });

  it.each(['80', '*:', '/run/x', 'fd@3', 'quic4@:443', ':1-65535', ':90-80', ':70000', 'a b:80'])(
    '%s are none',
    (given) => {
      expect(readBindAddresses(given)).toEqual([{ ok: false, why: expect.stringMatching(/./) }]);
    },
  );
});

describe('times and sizes', () => {
  it.each([
    { given: '5000', want: 5_000 },
    { given: '5s', want: 5_000 },
    { given: '2d', want: 172_800_000 },
    { given: '1500us', want: 2 },
    { given: '0', want: 0 },
    { given: '1.5s', want: null },
    { given: '-1', want: null },
    { given: '5 s', want: null },
  ])('$given is $want ms', ({ given, want }) => {
    expect(parseTime(given)).toBe(want);
  });

  it('are seconds where HAProxy counts in seconds', () => {
    expect(parseTime('30', 's')).toBe(30_000);
  });

  it('are bytes', () => {
    expect([parseBytes('16384'), parseBytes('32k'), parseBytes('1M'), parseBytes('x')]).toEqual([
      16_384,
      32_768,
      1_048_576,
      null,
    ]);
  });
});
