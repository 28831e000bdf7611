import { describe, expect, test } from 'vitest';
import { PinKeys, signPin, verifyPin } from '../../../src/core/pin.ts';
import {
  isPreviewable,
  type Preview,
  PreviewKeys,
  passedCookies,
  previewedVersion,
  readPreview,
  tellableTarget,
} from '../../../src/core/preview.ts';
import { NOW, versionOf } from './routing-fixtures.ts';

const SECRET = 'a key for tests that is long enough to be one';
const OTHER = 'another key for tests, as long as that one is';
const KEYS = new PreviewKeys([SECRET], 'lockstep', null);
const HOUR = 3_600_000;
const PREVIEW: Preview = {
  version: 'v3',
  id: 'AbCd_-12',
  issuedMs: NOW,
  untilMs: NOW + HOUR,
  scope: 'browser',
};
const TOKEN = KEYS.sign(PREVIEW);

describe('a claim', () => {
  test.each(['browser', 'tab'] as const)('is read back as it was signed (%s)', (scope) => {
    expect(KEYS.verify(KEYS.sign({ ...PREVIEW, scope }))).toEqual({ ...PREVIEW, scope });
  });

  test('verifies with every key, and is signed by the first', () => {
    const rotated = new PreviewKeys([OTHER, SECRET], 'lockstep', null);
    expect(rotated.verify(TOKEN)).toEqual(PREVIEW);
    expect(KEYS.verify(rotated.sign(PREVIEW))).toBeNull();
    expect(new PreviewKeys([OTHER], 'lockstep', null).verify(TOKEN)).toBeNull();
  });

  test.each([
    { name: 'the cookie’s name', keys: new PreviewKeys([SECRET], 'other', null) },
    { name: 'the domain', keys: new PreviewKeys([SECRET], 'lockstep', 'example.org') },
  ])('belongs to $name', ({ keys }) => {
    expect(keys.verify(TOKEN)).toBeNull();
  });

  test('never stands for a pin, nor a pin for it', () => {
    const pins = new PinKeys([SECRET], 'lockstep', null);
    expect(verifyPin(pins, TOKEN)).toBeNull();
    const pin = signPin(pins, {
      version: 'v3',
      session: 'a'.repeat(16),
      first: NOW,
      seen: NOW,
      upstream: '',
    });
    expect(KEYS.verify(pin)).toBeNull();
    // The same fields under the pin's purpose.
    const fields = TOKEN.slice(2).split('~').slice(0, -1);
    expect(KEYS.verify(`1.${fields.join('~')}~${pins.sign(fields.join('\0'))}`)).toBeNull();
  });

  test('verifies with no octet changed, left out or added', () => {
    for (let at = 0; at < TOKEN.length; at++) {
      const other = TOKEN[at] === 'A' ? 'B' : 'A';
      expect(KEYS.verify(TOKEN.slice(0, at) + other + TOKEN.slice(at + 1))).toBeNull();
      expect(KEYS.verify(TOKEN.slice(0, at) + TOKEN.slice(at + 1))).toBeNull();
    }
    expect([
      KEYS.verify(`${TOKEN}A`),
      KEYS.verify(''),
      KEYS.verify('1.'),
      KEYS.verify(`2${TOKEN.slice(1)}`),
    ]).toEqual([null, null, null, null]);
  });

  test.each([
    { version: '' },
    { version: 'a~b' },
    { id: 'short' },
    { untilMs: Number.NaN },
    { issuedMs: -1 },
  ])('is not signed when it could not be read back: %j', (change) => {
    expect(() => KEYS.sign({ ...PREVIEW, ...change })).toThrow(RangeError);
  });
});

describe('of a request', () => {
  const cookie = (...tokens: string[]) => tokens.map((token) => `lockstep-preview=${token}`).join('; ');
  const tab = KEYS.sign({ ...PREVIEW, scope: 'tab' });

  test.each([
    { name: 'the cookie counts', cookie: `a=b; ${cookie(TOKEN)}; lockstep=x`, field: '', want: PREVIEW },
    { name: 'the field counts', cookie: '', field: tab, want: { ...PREVIEW, scope: 'tab' } },
    { name: 'a claim for the cookie does not count in the field', cookie: '', field: TOKEN, want: null },
    { name: 'nor one for the field in the cookie', cookie: cookie(tab), field: '', want: null },
    { name: 'the field goes first', cookie: cookie(TOKEN), field: tab, want: { ...PREVIEW, scope: 'tab' } },
    { name: 'forged ones hide nothing', cookie: cookie(`${TOKEN}x`, TOKEN, 'y'), field: 'z', want: PREVIEW },
    { name: 'there is none', cookie: 'lockstep=x', field: '', want: null },
  ])('$name', ({ cookie: line, field, want }) => {
    expect(readPreview(KEYS, line, 'lockstep', field)).toEqual(want);
  });

  test('of several the one that was made last counts', () => {
    const later = KEYS.sign({ ...PREVIEW, issuedMs: NOW + 1, version: 'v4' });
    for (const line of [cookie(TOKEN, later), cookie(later, TOKEN)]) {
      expect(readPreview(KEYS, line, 'lockstep', '')?.version).toBe('v4');
    }
  });
});

describe('it opens its version', () => {
  const opened = (version: ReturnType<typeof versionOf>, nowMs = NOW) =>
    previewedVersion(PREVIEW, new Map([[version.id, version]]), nowMs)?.id ?? null;

  test.each([
    ['staged', true],
    ['canary', true],
    ['active', true],
    ['draining', true],
    ['drained', false],
    ['retired', false],
    ['cut off', false],
  ] as const)('while it is %s: %s', (state, is) => {
    const version = versionOf('v3', 3, state);
    expect([isPreviewable(version), opened(version)]).toEqual([is, is ? 'v3' : null]);
  });

  test('but not when that takes nothing but moves, or is gone', () => {
    expect(opened(versionOf('v3', 3, 'draining', { repin: 'forced' }))).toBeNull();
    expect(opened(versionOf('v4', 4, 'active'))).toBeNull();
  });

  test('until its time is over', () => {
    const version = versionOf('v3', 3, 'staged');
    expect([opened(version, NOW + HOUR - 1), opened(version, NOW + HOUR)]).toEqual(['v3', null]);
  });

  test('unless the previews of the version were ended after it was made', () => {
    expect(opened(versionOf('v3', 3, 'staged', { previewsEndedMs: NOW - 1 }))).toBe('v3');
    expect(opened(versionOf('v3', 3, 'staged', { previewsEndedMs: NOW }))).toBeNull();
  });
});

test.each([
  { given: 'a=b; lockstep=p; lockstep-preview=t; c=d', strip: false, want: 'a=b; lockstep=p; c=d' },
  { given: 'a=b; lockstep=p; lockstep-preview=t; c=d', strip: true, want: 'a=b; c=d' },
  { given: 'lockstep-preview=t', strip: false, want: '' },
  { given: 'a=b;lockstep=p', strip: false, want: 'a=b;lockstep=p' },
])('the application never sees it: $given', ({ given, strip, want }) => {
  const policy = { name: 'lockstep', strip } as Parameters<typeof passedCookies>[1];
  expect(passedCookies(given, policy)).toBe(want);
});

test.each([
  { given: '/.lockstep/preview?t=secret&to=/', want: '/.lockstep/preview?[secret]' },
  { given: '/.lockstep/preview', want: '/.lockstep/preview' },
  // Damaged on its way, by a chat or a person, and answered with a 404.
  { given: '/.lockstep/preview/?t=secret', want: '/.lockstep/preview?[secret]' },
  { given: '/.lockstep/preview%3Ft=secret', want: '/.lockstep/preview?[secret]' },
  { given: '/?t=x', want: '/?t=x' },
])('what is told of $given', ({ given, want }) => {
  expect(tellableTarget(given)).toBe(want);
});
