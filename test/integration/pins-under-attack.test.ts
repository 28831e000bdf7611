// What clients and attackers do to pins: copies, junk, forgeries, pins of versions that are gone. V1 drains, V2 is active.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PinKeys, readPins, verifyPin } from '../../src/core/pin.ts';
import { NAVIGATION, onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { PIN_KEY, pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

const OLD_KEY = 'the key before, which still has to verify';
const served = (message: Parameters<typeof onlyValue>[0]): string => onlyValue(message, 'x-app-version');

let scene: TwoVersions;
beforeAll(async () => {
  scene = await startTwoVersions({ cookie: { keys: [PIN_KEY, OLD_KEY], idle: '10m' } });
  await scene.gateway.admin.promote('v2');
});
afterAll(() => scene?.stop());

describe('V01: of several pins the one that verifies and was seen last counts', () => {
  const now = Date.now();
  const older = pinOf({ version: 'v2', seen: now - 60_000 });
  const latest = pinOf({ version: 'v1', seen: now - 1_000 });
  const forged = pinOf({ version: 'v2', seen: now, key: 'somebody else has made this key' });
  test.each([
    { name: 'two in one line', lines: [`Cookie: lockstep=${older}; lockstep=${latest}`] },
    {
      name: 'two in one line, the other way round',
      lines: [`Cookie: lockstep=${latest}; lockstep=${older}`],
    },
    { name: 'two lines', lines: [`Cookie: lockstep=${older}`, `Cookie: lockstep=${latest}`] },
    {
      name: 'two lines, the other way round',
      lines: [`Cookie: lockstep=${latest}`, `Cookie: lockstep=${older}`],
    },
    {
      name: 'a forged one tossed from another host',
      lines: [`Cookie: lockstep=${forged}; lockstep=${latest}`],
    },
    { name: 'a forged one after it', lines: [`Cookie: lockstep=${latest}; a=b; lockstep=${forged}`] },
  ])('$name', async ({ lines }) => {
    for (let n = 0; n < 3; n++) expect(served(await rawRequest(scene.gateway, lines))).toBe('v1');
  });

  // A sibling host can set a copy for each path that begins the page's own; browsers send those first.
  test('a hundred forged ones for longer paths do not hide the one of the whole site', async () => {
    const tossed = `lockstep=${forged}; `.repeat(90);
    const lines = [`Cookie: ${tossed}lockstep=${latest}`, ...NAVIGATION];
    const answer = await rawRequest(scene.gateway, lines);
    expect(served(answer)).toBe('v1');
    expect(pinsSent(answer), 'nor is another session begun').toEqual([]);
  });

  test('clears the host-only copy where the pin belongs to a domain, when it is sent again', async () => {
    const cookie = { keys: [PIN_KEY], domain: 'shop.example', idle: '10m' };
    const withDomain = await startTwoVersions({ cookie });
    try {
      const pins = [1, 2].map((n) =>
        pinOf({ version: 'v1', seen: now - 200_000 - n, domain: 'shop.example' }),
      );
      const answer = await rawRequest(withDomain.gateway, [
        `Cookie: lockstep=${pins.join('; lockstep=')}`,
        ...NAVIGATION,
      ]);
      const cleared = valuesOf(answer, 'set-cookie').filter((line) => /;\s*Max-Age=0/i.test(line));
      expect(cleared).toHaveLength(1);
      expect(cleared[0]).toMatch(/^lockstep=;/);
      expect(cleared[0]).not.toMatch(/domain/i);
    } finally {
      await withDomain.stop();
    }
  });
});

describe('V02: a pin that does not verify is ignored, replaced, and never echoed', () => {
  test.each([
    { name: 'empty', value: '' },
    { name: '10 kB', value: 'a'.repeat(10_000) },
    { name: 'an encoded NUL', value: '%00' },
    { name: 'a byte that is no UTF-8', value: '\xff\xfe' },
    { name: 'a quoted version', value: '"v1"' },
    { name: 'a list of versions', value: 'v1,v2' },
    { name: 'a path', value: '../v1' },
    { name: '__proto__', value: '__proto__' },
    { name: 'constructor', value: 'constructor' },
    { name: 'a bare version', value: 'v1' },
    { name: 'a pin of __proto__', value: '1.__proto__~AAAAAAAAAAAAAAAA~1~1~AAAAAAAAAAAAAAAAAAAAAA' },
    { name: 'a signed pin of an unknown version', value: pinOf({ version: 'v99' }) },
    { name: 'a signed pin of "constructor"', value: pinOf({ version: 'constructor' }) },
  ])('$name', async ({ value }) => {
    const answer = await rawRequest(scene.gateway, [`Cookie: lockstep=${value}`, ...NAVIGATION]);
    expect(answer.status).toBe(200);
    expect(served(answer)).toBe('v2');
    expect(pinsSent(answer)).toHaveLength(1);
    expect(pinsSent(answer)[0]).toMatch(/^lockstep=1\.v2~/);
    if (value !== '' && value !== 'v1') expect(JSON.stringify(answer.fields)).not.toContain(value);
  });

  test.each(['v99', '__proto__', 'constructor', 'v1,v2', '../v1'])(
    'a tab header that says %s',
    async (value) => {
      const pin = pinOf({ version: 'v1' });
      const answer = await rawRequest(scene.gateway, [
        `X-Lockstep-Version: ${value}`,
        `Cookie: lockstep=${pin}`,
      ]);
      expect(served(answer)).toBe('v1');
      expect(onlyValue(answer, 'x-lockstep-version')).toBe('v1');
    },
  );
});

describe('V03: a victim cannot be fixed to a version that takes no pinned traffic', () => {
  test('a verified pin of a version that is gone is dead, whoever set it', async () => {
    await scene.gateway.admin.put('v0', ['http://127.0.0.1:9'], {});
    await scene.gateway.admin.retire('v0');
    const lines = [`Cookie: lockstep=${pinOf({ version: 'v0' })}`];
    const api = await rawRequest(scene.gateway, [...lines, 'Sec-Fetch-Dest: empty', 'Sec-Fetch-Mode: cors'], {
      target: '/api/x',
    });
    expect(api.status).toBe(409);
    expect(onlyValue(api, 'x-lockstep-error')).toBe('dead-pin');
    const page = await rawRequest(scene.gateway, [...lines, ...NAVIGATION]);
    expect(served(page)).toBe('v2');
    expect(pinsSent(page)[0]).toMatch(/^lockstep=1\.v2~/);
  });

  test.each([
    { name: 'a query marker', target: '/?dpl=v1', lines: [] },
    { name: 'a header marker', target: '/', lines: ['X-Deployment-Id: v1'] },
    { name: 'a cookie marker', target: '/', lines: ['Cookie: __vdpl=v1'] },
    { name: 'a staged version in the tab header', target: '/', lines: ['X-Lockstep-Version: v9'] },
  ])('$name is nothing while markers are off', async ({ target, lines }) => {
    const answer = await rawRequest(scene.gateway, [...lines, ...NAVIGATION], { target });
    expect(served(answer)).toBe('v2');
  });

  test('a __Host- pin is Secure, HttpOnly, for the whole path and no domain', async () => {
    const host = await startTwoVersions({ cookie: { keys: [PIN_KEY], name: '__Host-lockstep' } });
    try {
      const answer = await rawRequest(host.gateway, NAVIGATION);
      const [pin = ''] = pinsSent(answer, '__Host-lockstep');
      for (const part of [/;\s*Secure/i, /;\s*HttpOnly/i, /;\s*Path=\/(;|$)/i, /;\s*SameSite=(Lax|None)/i]) {
        expect(pin).toMatch(part);
      }
      expect(pin).not.toMatch(/domain=/i);
    } finally {
      await host.stop();
    }
  });

  test('a staged version is reached by no pin and no tab header, whoever signed it', async () => {
    await scene.gateway.admin.put('v7', ['http://127.0.0.1:9'], {});
    const { versions } = await scene.gateway.admin.status();
    expect(versions.find(({ id }) => id === 'v7')?.state).toBe('staged');
    for (const lines of [[`Cookie: lockstep=${pinOf({ version: 'v7' })}`], ['X-Lockstep-Version: v7']]) {
      const page = await rawRequest(scene.gateway, [...lines, ...NAVIGATION]);
      expect(served(page)).toBe('v2');
      expect(onlyValue(page, 'x-lockstep-version')).toBe('v2');
      const unsafe = await rawRequest(scene.gateway, lines, { target: '/api/x', method: 'POST' });
      expect(unsafe.status).toBe(409);
    }
  });

  test('cut off, a version is gone at once, and its pins are dead', async () => {
    const own = await startTwoVersions();
    try {
      await own.gateway.admin.promote('v2');
      const lines = [`Cookie: lockstep=${pinOf({ version: 'v1' })}`];
      expect(served(await rawRequest(own.gateway, lines, { target: '/api/x' }))).toBe('v1');
      await own.gateway.admin.cutoff('v1', 'CVE in this build');
      expect((await rawRequest(own.gateway, lines, { target: '/api/x' })).status).toBe(409);
      const tab = ['X-Lockstep-Version: v1'];
      expect((await rawRequest(own.gateway, tab, { target: '/api/x', method: 'POST' })).status).toBe(409);
      expect(own.v1.requestCount()).toBe(1);
    } finally {
      await own.stop();
    }
  });
});

describe('V04: a forged pin is ignored', () => {
  const good = pinOf({ version: 'v1' });
  const [version, session, first, seen, mac = ''] = good.split('~');
  const other = pinOf({ version: 'v2' });
  const flipped = `${mac.slice(0, -3)}${mac.at(-3) === 'A' ? 'B' : 'A'}${mac.slice(-2)}`;
  test.each([
    {
      name: 'one character of the MAC is another',
      value: [version, session, first, seen, flipped].join('~'),
    },
    { name: 'the MAC is cut short', value: good.slice(0, -1) },
    { name: 'the MAC is empty', value: [version, session, first, seen, ''].join('~') },
    {
      name: 'the MAC is of another pin',
      value: [version, session, first, seen, other.split('~')[4]].join('~'),
    },
    { name: 'the version is another', value: other.replace('1.v2~', '1.v1~') },
    { name: 'the session is another', value: [version, 'A'.repeat(16), first, seen, mac].join('~') },
    { name: 'it was seen later', value: [version, session, first, 'zzzzzzzz', mac].join('~') },
    { name: 'it has another key', value: pinOf({ version: 'v1', key: 'a key that nobody configured' }) },
    { name: 'it is of a cookie of another name', value: pinOf({ version: 'v1', cookieName: 'other' }) },
    { name: 'it is of another domain', value: pinOf({ version: 'v1', domain: 'sibling.example' }) },
  ])('$name', async ({ value }) => {
    const answer = await rawRequest(scene.gateway, [`Cookie: lockstep=${value}`, ...NAVIGATION]);
    expect(served(answer)).toBe('v2');
    expect(pinsSent(answer)[0]).toMatch(/^lockstep=1\.v2~/);
  });

  test('and an honest one is not', async () => {
    const answer = await rawRequest(scene.gateway, [`Cookie: lockstep=${good}`, ...NAVIGATION]);
    expect(served(answer)).toBe('v1');
    expect(pinsSent(answer), 'nor sent again while it is young').toEqual([]);
  });

  test('a pin of the key before is taken, and sent again under the first one', async () => {
    const pin = pinOf({ version: 'v1', key: OLD_KEY, seen: Date.now() - 200_000 });
    const answer = await rawRequest(scene.gateway, [`Cookie: lockstep=${pin}`, ...NAVIGATION]);
    expect(served(answer)).toBe('v1');
    const [sent = ''] = pinsSent(answer);
    const value = /^lockstep=([^;]*)/.exec(sent)?.[1] ?? '';
    expect(verifyPin(new PinKeys([PIN_KEY], 'lockstep', null), value)).toMatchObject({ version: 'v1' });
  });
});

describe('pins that make something grow', () => {
  test('V02 forged ones, each another, leave no session and no label behind', async () => {
    const before = await scene.gateway.admin.status();
    const sessionsOf = (status: typeof before): number =>
      status.versions.reduce((sum, { sessions }) => sum + sessions.confirmed, 0);
    const forged = Array.from({ length: 500 }, (_, n) =>
      pinOf({ version: `w${n}`, key: 'a key that nobody configured' }),
    );
    for (const pin of forged)
      await rawRequest(scene.gateway, [`Cookie: lockstep=${pin}`], { method: 'HEAD' });
    expect(sessionsOf(await scene.gateway.admin.status())).toBe(sessionsOf(before));
  });

  test('one that is sent three hundred times is one session', async () => {
    const own = await startTwoVersions();
    try {
      const lines = [`Cookie: lockstep=${pinOf({ version: 'v1' })}`];
      for (let n = 0; n < 300; n++) await rawRequest(own.gateway, lines, { method: 'HEAD' });
      const { versions } = await own.gateway.admin.status();
      expect(versions.find(({ id }) => id === 'v1')?.sessions.confirmed).toBe(1);
    } finally {
      await own.stop();
    }
  });
});

describe('V08: a Cookie header of 8 kB is read in linear time', () => {
  const hostile = [
    { name: '3000 pairs', cookie: 'a=;'.repeat(2_700) },
    { name: 'leading delimiters', cookie: `${';=,'.repeat(2_600)}` },
    { name: 'many pins that do not verify', cookie: 'lockstep=1.v1~x;'.repeat(500) },
    { name: 'many spaces', cookie: `a=${' '.repeat(8_000)};b` },
  ];
  test.each(hostile)('$name take less than a millisecond', ({ cookie }) => {
    const keys = new PinKeys([PIN_KEY], 'lockstep', null);
    const times = Array.from({ length: 50 }, () => {
      const start = performance.now();
      readPins(keys, cookie, 'lockstep', Date.now());
      return performance.now() - start;
    });
    expect(Math.min(...times)).toBeLessThan(1);
  });

  // Of cookies of the pin's own name only the last few are looked at, or they would cost a MAC each.
  test.each(hostile)('$name hide no pin', async ({ cookie }) => {
    const pin = pinOf({ version: 'v1' });
    const lines = [`Cookie: ${cookie}; lockstep=${pin}`];
    expect(served(await rawRequest(scene.gateway, lines))).toBe('v1');
  });
});
