import { describe, expect, it } from 'vitest';
import { parsePool, parseUpstreamUrl, splitAddress } from '../../../src/core/pool.ts';

describe('parseUpstreamUrl', () => {
  it.each([
    { given: 'http://127.0.0.1:9101', want: '127.0.0.1:9101' },
    { given: 'http://web01', want: 'web01:80' },
    { given: 'http://web01/', want: 'web01:80' },
    { given: 'HTTP://Web01.Example.COM:8080', want: 'web01.example.com:8080' },
    { given: 'http://shop_web_1:3000', want: 'shop_web_1:3000' },
    { given: 'http://host:00080', want: 'host:80' },
    { given: 'http://host:65535', want: 'host:65535' },
    { given: 'http://[::1]:9101', want: '[::1]:9101' },
    { given: 'http://[2001:DB8:0:0::0001]', want: '[2001:db8::1]:80' },
    { given: 'http://169.253.0.1', want: '169.253.0.1:80' },
    { given: 'http://169.254.example.com', want: null },
    { given: 'http://[fe8::1]', want: '[fe8::1]:80' },
  ])('reads $given as $want', ({ given, want }) => {
    const parsed = parseUpstreamUrl(given);
    if (want === null) expect(parsed.ok).toBe(false);
    else expect(parsed).toEqual({ ok: true, address: want });
  });

  it.each([
    '',
    'http://',
    'http:///',
    'web01:80',
    '//web01',
    'https://web01',
    'ftp://web01',
    'http:web01',
    ' http://web01',
    'http://web01 ',
    'http://web01\n',
    'http://we\tb01',
    'http://web01:',
    'http://web01:0',
    'http://web01:65536',
    'http://web01:-1',
    'http://web01:8o',
    'http://web01/app',
    'http://web01//',
    'http://web01?x',
    'http://web01#x',
    'http://web01\\app',
    'http://user@web01',
    'http://user:secret@web01',
    'http://web..01',
    'http://.web01',
    'http://-web01',
    'http://web%30',
    'http://wéb',
    'http://::1',
    'http://[::1',
    'http://[::1]x',
    'http://[1:2:3]',
    'http://[fe80::1%25eth0]',
    'http://256.0.0.1',
    'http://127.1',
    'http://0x7f000001',
    'http://2130706433',
    'http://010.0.0.1',
    `http://${'a'.repeat(64)}`,
    `http://${'a.'.repeat(200)}a`,
  ])('refuses %j', (given) => {
    expect(parseUpstreamUrl(given).ok).toBe(false);
  });

  it.each([
    'http://169.254.169.254',
    'http://169.254.0.1:8080',
    'http://[::ffff:169.254.169.254]',
    'http://[::FFFF:A9FE:A9FE]',
    'http://[fe80::1]',
    'http://[febf::1]',
    'http://0xa9fea9fe',
    'http://2852039166',
  ])('M10: refuses the link-local address %s', (given) => {
    expect(parseUpstreamUrl(given).ok).toBe(false);
  });

  it('M09: never repeats a password', () => {
    expect(JSON.stringify(parseUpstreamUrl('https://ci:s3cret@web01/x'))).not.toContain('s3cret');
  });
});

describe('parsePool', () => {
  it('reads several, in their order', () => {
    expect(parsePool(['http://b', 'http://a:1'])).toEqual({ ok: true, addresses: ['b:80', 'a:1'] });
  });

  it('refuses none and duplicates', () => {
    expect(parsePool([]).ok).toBe(false);
    expect(parsePool(['http://a', 'http://A:80/']).ok).toBe(false);
  });
});

describe('splitAddress', () => {
  it.each([
    { given: 'web01:80', want: { host: 'web01', port: 80 } },
    { given: '[2001:db8::1]:8080', want: { host: '2001:db8::1', port: 8080 } },
  ])('splits $given', ({ given, want }) => {
    expect(splitAddress(given)).toEqual(want);
  });
});
