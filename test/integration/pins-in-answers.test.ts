// What an answer does with the pin's cookie, the application's cookies and caches.

import { afterEach, describe, expect, test } from 'vitest';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import { NAVIGATION, onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { PIN_KEY, pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

let scene: TwoVersions | undefined;
afterEach(async () => {
  await scene?.stop();
  scene = undefined;
});

/** v1 answers everything with these fields. */
async function answering(
  fields: readonly (readonly [string, string | string[]])[],
  cookie: NonNullable<GatewaySettings['cookie']> = {},
): Promise<TwoVersions> {
  scene = await startTwoVersions({ cookie: { keys: [PIN_KEY], ...cookie } }, (_, response) => {
    response.setHeader('content-type', 'text/html');
    for (const [name, value] of fields) response.setHeader(name, value);
    response.end('<p>hello</p>');
    return true;
  });
  return scene;
}

describe("V05: an application's own Set-Cookie of the pin's name", () => {
  test('is removed; its other cookies stay, byte for byte and in order', async () => {
    const own = [
      'a=1; Path=/',
      'lockstep=1.v2~evil; Path=/; Max-Age=99',
      'b="x, y"; Secure',
      'lockstepped=yes',
      'lockstep=',
    ];
    const { gateway } = await answering([['set-cookie', own]]);
    const answer = await rawRequest(gateway, NAVIGATION);
    const lines = valuesOf(answer, 'set-cookie');
    expect(lines.filter((line) => !line.startsWith('lockstep=1.v1~'))).toEqual([own[0], own[2], own[3]]);
    expect(pinsSent(answer)).toHaveLength(1);
  });

  test('is removed where no pin is sent, too', async () => {
    const { gateway } = await answering([['set-cookie', ['lockstep=evil', 'c=3']]]);
    const answer = await rawRequest(gateway, [`Cookie: lockstep=${pinOf({ version: 'v1' })}`, ...NAVIGATION]);
    expect(valuesOf(answer, 'set-cookie')).toEqual(['c=3']);
  });
});

describe('V06: an answer that carries a pin is kept by no shared cache', () => {
  test.each([
    { given: 'public, max-age=600', want: ['private', 'max-age=600'] },
    {
      given: 's-maxage=31536000, stale-while-revalidate',
      want: ['private', 'no-cache', 'stale-while-revalidate'],
    },
    { given: 'max-age=0, must-revalidate', want: ['private', 'max-age=0', 'must-revalidate'] },
    { given: 'no-store', want: ['no-store'] },
    { given: '', want: ['private', 'no-cache'] },
  ])('a document with Cache-Control "$given"', async ({ given, want }) => {
    const { gateway } = await answering([
      ...(given === '' ? [] : ([['cache-control', given]] as const)),
      ['vary', 'Accept-Encoding, X-A'],
    ]);
    const answer = await rawRequest(gateway, NAVIGATION);
    expect(pinsSent(answer)).toHaveLength(1);
    const directives = onlyValue(answer, 'cache-control').split(/\s*,\s*/);
    expect(directives).toEqual(expect.arrayContaining(want));
    expect(directives.join()).not.toMatch(/public|s-maxage/);
    expect(onlyValue(answer, 'vary')).toBe('Accept-Encoding, X-A');
  });

  test('an asset that caches may keep passes as it came, without a pin', async () => {
    const { gateway } = await answering([['cache-control', 'public, max-age=31536000, immutable']]);
    const answer = await rawRequest(gateway, ['Sec-Fetch-Dest: script', 'Sec-Fetch-Mode: no-cors']);
    expect(pinsSent(answer)).toEqual([]);
    expect(onlyValue(answer, 'cache-control')).toBe('public, max-age=31536000, immutable');
  });

  test('behind a CDN a shared-cacheable document passes as it came, without a pin', async () => {
    const { gateway } = await answering([['cache-control', 'public, s-maxage=60']], { sharedCache: true });
    const answer = await rawRequest(gateway, NAVIGATION);
    expect(pinsSent(answer)).toEqual([]);
    expect(onlyValue(answer, 'cache-control')).toBe('public, s-maxage=60');
  });
});

describe('V07: the pin is sent when it changes, and other cookies are left alone', () => {
  const others = ['a=1,2', 'b="x; not y"', 'c = d', '=e', 'f=%00\xe9'];
  const seenBy = (own: TwoVersions): readonly string[] => {
    const raw = own.v1.requests.at(-1)!.rawHeaders;
    return raw.filter((_, index) => index % 2 === 1 && raw[index - 1]!.toLowerCase() === 'cookie');
  };

  test('a young pin is not sent again', async () => {
    const { gateway } = await answering([], { idle: '30m' });
    const first = await rawRequest(gateway, NAVIGATION);
    const pin = /^[^;]*/.exec(pinsSent(first)[0]!)![0];
    const second = await rawRequest(gateway, [`Cookie: ${pin}`, ...NAVIGATION]);
    expect(valuesOf(second, 'set-cookie')).toEqual([]);
    expect(valuesOf(second, 'cache-control')).toEqual([]);
  });

  test('one older than a quarter of idle is, and names the same session', async () => {
    const { gateway } = await answering([], { idle: '10m' });
    const pin = pinOf({ version: 'v1', seen: Date.now() - 160_000 });
    const answer = await rawRequest(gateway, [`Cookie: lockstep=${pin}`, ...NAVIGATION]);
    expect(pinsSent(answer)[0]).toMatch(new RegExp(`^lockstep=1\\.v1~${pin.split('~')[1]}~`));
  });

  test('the application sees every cookie as it came', async () => {
    const own = await answering([]);
    const line = [...others.slice(0, 2), `lockstep=${pinOf({ version: 'v1' })}`, ...others.slice(2)].join(
      '; ',
    );
    await rawRequest(own.gateway, [`Cookie: ${line}`]);
    expect(seenBy(own)).toEqual([line]);
  });

  test('with cookie.strip it sees all but the pin', async () => {
    const own = await answering([], { strip: true });
    const pin = `lockstep=${pinOf({ version: 'v1' })}`;
    await rawRequest(own.gateway, [`Cookie: ${[...others.slice(0, 2), pin, ...others.slice(2)].join('; ')}`]);
    expect(seenBy(own).map((line) => line.split('; '))).toEqual([
      others.flatMap((cookie) => cookie.split('; ')),
    ]);
    await rawRequest(own.gateway, [`Cookie: ${pin}`]);
    expect(seenBy(own).join('')).not.toContain('lockstep');
  });

  test('HEAD, OPTIONS and 304 carry none', async () => {
    const own = await answering([]);
    for (const method of ['HEAD', 'OPTIONS']) {
      expect(pinsSent(await rawRequest(own.gateway, NAVIGATION, { method }))).toEqual([]);
    }
  });
});
