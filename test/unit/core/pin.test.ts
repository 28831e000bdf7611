import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isSessionId,
  newSessionId,
  PinKeys,
  type PinReading,
  readPins,
  signPin,
  verifyPin,
} from '../../../src/core/pin.ts';
import type { Pin } from '../../../src/core/route.ts';

const NOW = Date.UTC(2026, 0, 15, 12);
const SESSION = 'AbCdEfGhIjKlMn_-';
const PIN: Pin = { version: 'v1', session: SESSION, first: NOW - 60_000, seen: NOW, upstream: '' };
const KEYS = new PinKeys(['first secret'], 'lockstep', null);

const BASE64URL = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'];
const word = (minLength: number, maxLength: number) =>
  fc.string({ unit: fc.constantFrom(...BASE64URL), minLength, maxLength });

const anyPin: fc.Arbitrary<Pin> = fc
  .record({
    version: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/),
    session: word(16, 16),
    times: fc.tuple(fc.nat({ max: 36 ** 10 - 1 }), fc.nat({ max: 36 ** 10 - 1 })),
    upstream: fc.oneof(fc.constant(''), word(8, 8)),
  })
  .map(({ times, ...rest }) => ({ ...rest, first: Math.min(...times), seen: Math.max(...times) }));

/** What somebody with the right key, but without our code, would write. */
function forged(body: string, fields: readonly string[], secret = 'first secret'): string {
  const mac = createHmac('sha256', secret).update(['lockstep-pin-1', 'lockstep', '', ...fields].join('\0'));
  return `1.${body}~${mac.digest().toString('base64url', 0, 16)}`;
}

describe('a signed pin', () => {
  test('reads back as it was', () => {
    fc.assert(
      fc.property(anyPin, (pin) => {
        expect(verifyPin(KEYS, signPin(KEYS, pin))).toEqual(pin);
      }),
    );
  });

  test('is written as the design says, with a MAC of 128 bits', () => {
    const text = signPin(KEYS, { ...PIN, upstream: 'aaaabbbb' });
    const times = `${PIN.first.toString(36)}~${PIN.seen.toString(36)}`;
    expect(text.slice(0, -22)).toBe(`1.v1~${SESSION}~${times}~aaaabbbb~`);
    expect(Buffer.from(text.slice(-22), 'base64url')).toHaveLength(16);
    expect(signPin(KEYS, PIN).slice(0, -22)).toBe(`1.v1~${SESSION}~${times}~`);
  });

  test('fits a cookie without being encoded, even at its longest', () => {
    const longest = {
      version: `v${'.'.repeat(63)}`,
      session: SESSION,
      first: 36 ** 10 - 1,
      seen: 36 ** 10 - 1,
      upstream: 'u'.repeat(32),
    };
    const text = signPin(KEYS, longest);
    expect(text).toMatch(/^[A-Za-z0-9._~-]{1,200}$/);
    expect(verifyPin(KEYS, text)).toEqual(longest);
  });

  test('V04 does not verify with any one character changed', () => {
    const anyChar = fc.oneof(
      fc.constantFrom(...BASE64URL, '.', '~'),
      fc.string({ minLength: 1, maxLength: 1 }),
    );
    fc.assert(
      fc.property(anyPin, fc.nat(), anyChar, (pin, position, char) => {
        const text = signPin(KEYS, pin);
        const at = position % text.length;
        fc.pre(text[at] !== char);
        expect(verifyPin(KEYS, text.slice(0, at) + char + text.slice(at + 1))).toBeNull();
      }),
      { numRuns: 1000 },
    );
  });

  test('V04 does not verify with the unused bits of its MAC set', () => {
    const text = signPin(KEYS, PIN);
    const twins = BASE64URL.map((char) => text.slice(0, -1) + char);
    expect(twins.filter((twin) => verifyPin(KEYS, twin) !== null)).toEqual([text]);
  });

  test('V04 does not verify truncated or extended at any place', () => {
    const text = signPin(KEYS, PIN);
    for (let length = 0; length < text.length; length++) {
      expect(verifyPin(KEYS, text.slice(0, length))).toBeNull();
      expect(verifyPin(KEYS, text.slice(text.length - length))).toBeNull();
    }
    for (const more of ['A', '~', '=', ' ', '\n']) expect(verifyPin(KEYS, text + more)).toBeNull();
  });

  test.each([
    { name: 'another key', keys: new PinKeys(['other secret'], 'lockstep', null) },
    { name: 'another cookie name', keys: new PinKeys(['first secret'], 'lockstep2', null) },
    { name: 'another domain', keys: new PinKeys(['first secret'], 'lockstep', 'example.com') },
    { name: 'a name that swallowed the domain', keys: new PinKeys(['first secret'], 'lock', 'step') },
  ])('V04 does not verify under $name', ({ keys }) => {
    expect(verifyPin(KEYS, signPin(KEYS, PIN))).toEqual(PIN);
    expect(verifyPin(keys, signPin(KEYS, PIN))).toBeNull();
    expect(verifyPin(KEYS, signPin(keys, PIN))).toBeNull();
  });

  test('V04 has a field moved to its neighbour only by a new signature', () => {
    const text = signPin(KEYS, { ...PIN, upstream: 'aaaabbbb' });
    expect(verifyPin(KEYS, text.replace('~aaaabbbb', ''))).toBeNull();
    expect(verifyPin(KEYS, text.replace('~aaaabbbb', '~aaaabbb~b'))).toBeNull();
  });
});

describe('key rotation', () => {
  const old = new PinKeys(['old'], 'lockstep', null);
  const both = new PinKeys(['new', 'old'], 'lockstep', null);
  const fresh = new PinKeys(['new'], 'lockstep', null);

  test('V04 accepts a pin of the previous key, and signs with the first', () => {
    expect(verifyPin(both, signPin(old, PIN))).toEqual(PIN);
    expect(verifyPin(fresh, signPin(both, PIN))).toEqual(PIN);
    expect(signPin(both, PIN)).toBe(signPin(fresh, PIN));
  });

  test('V04 refuses a pin of a key that was removed', () => {
    expect(verifyPin(fresh, signPin(old, PIN))).toBeNull();
  });

  test.each([{ secrets: [] }, { secrets: [''] }, { secrets: ['good', ''] }])(
    'does without no key: $secrets',
    ({ secrets }) => {
      expect(() => new PinKeys(secrets, 'lockstep', null)).toThrow(RangeError);
    },
  );
});

describe('a pin that verified before', () => {
  test('verifies again, also when others have taken its place', () => {
    const keys = new PinKeys(['first secret'], 'lockstep', null);
    const text = signPin(keys, PIN);
    expect(verifyPin(keys, text)).toEqual(PIN);
    for (let i = 0; i < 32_000; i++) keys.remember(`other ${i}`, PIN);
    expect(keys.recall(text)).toEqual(PIN);
    for (let i = 0; i < 20_000; i++) keys.remember(`another ${i}`, PIN);
    expect(keys.recall(text)).toBeUndefined();
    expect(verifyPin(keys, text)).toEqual(PIN);
  });

  test('is known again for some, where more take turns than are remembered', () => {
    const keys = new PinKeys(['first secret'], 'lockstep', null);
    let known = 0;
    for (let turn = 0; turn < 2; turn++) {
      for (let i = 0; i < 40_000; i++) {
        if (keys.recall(`one ${i}`) !== undefined) known++;
        else keys.remember(`one ${i}`, PIN);
      }
    }
    expect(known).toBeGreaterThan(20_000);
  });

  test('is known at once, where those that are remembered have been sent anew since', () => {
    const keys = new PinKeys(['first secret'], 'lockstep', null);
    for (let i = 0; i < 32_768; i++) keys.remember(`yesterday ${i}`, PIN);
    const later = { ...PIN, seen: PIN.seen + 3_600_000 };
    for (let i = 0; i < 1_000; i++) keys.remember(`today ${i}`, later);
    for (let i = 0; i < 1_000; i++) expect(keys.recall(`today ${i}`)).toBe(later);
    expect(keys.recall('yesterday 0')).toBeUndefined();
    expect(keys.recall('yesterday 1000')).toBe(PIN);
  });

  test('does not lend its verdict to a text that differs in one character', () => {
    const keys = new PinKeys(['first secret'], 'lockstep', null);
    const text = signPin(keys, PIN);
    expect(verifyPin(keys, text)).not.toBeNull();
    expect(verifyPin(keys, text.replace('1.v1~', '1.v2~'))).toBeNull();
    expect(verifyPin(keys, `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`)).toBeNull();
  });

  test('is remembered only because of a key that is still there', () => {
    const text = signPin(KEYS, PIN);
    expect(verifyPin(KEYS, text)).not.toBeNull();
    expect(verifyPin(new PinKeys(['second secret'], 'lockstep', null), text)).toBeNull();
  });

  test('is not remembered when it did not verify', () => {
    const keys = new PinKeys(['first secret'], 'lockstep', null);
    const text = signPin(new PinKeys(['second secret'], 'lockstep', null), PIN);
    verifyPin(keys, text);
    expect(keys.recall(text)).toBeUndefined();
  });
});

describe('hostile values', () => {
  const values = [
    '',
    'v1',
    'v'.repeat(10_240),
    `1.${'~'.repeat(190)}`,
    '1.v1',
    '1.~~~~',
    '1.v1~~~~',
    '%00',
    '\0',
    '\xff',
    'v1,v2',
    '../v1',
    '__proto__',
    'constructor',
    'toString',
    '1.__proto__~constructor~0~0~hasOwnProperty',
    '1.v1~%00~0~0~',
    '\u{1f512}',
    '\r\nSet-Cookie: x=1',
    `"${signPin(KEYS, PIN)}"`,
    ` ${signPin(KEYS, PIN)}`,
    encodeURIComponent(signPin(KEYS, PIN)).replaceAll('~', '%7E'),
    signPin(KEYS, PIN).replace('1.', '2.'),
    signPin(KEYS, PIN).toUpperCase(),
  ];

  test.each(values.map((value) => ({ value })))('V02 does not verify: $value', ({ value }) => {
    expect(verifyPin(KEYS, value)).toBeNull();
  });

  test('V02 never verify and never throw, whatever they are', () => {
    const shaped = fc
      .array(fc.oneof(word(0, 22), fc.string()), { minLength: 3, maxLength: 7 })
      .map((fields) => `1.${fields.join('~')}`);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), shaped), (text) => verifyPin(KEYS, text) === null),
      { numRuns: 1000 },
    );
  });

  const first = PIN.first.toString(36);
  const seen = PIN.seen.toString(36);
  const rows = [
    { name: 'first after seen', fields: ['v1', SESSION, seen, first] },
    { name: 'a leading zero', fields: ['v1', SESSION, `0${first}`, seen] },
    { name: 'a time in upper case', fields: ['v1', SESSION, first.toUpperCase(), seen.toUpperCase()] },
    { name: 'an empty time', fields: ['v1', SESSION, '', seen] },
    { name: 'a negative time', fields: ['v1', SESSION, '-1', seen] },
    { name: 'a time beyond exact numbers', fields: ['v1', SESSION, first, 'zzzzzzzzzzz'] },
    { name: 'an empty version', fields: ['', SESSION, first, seen] },
    { name: 'a version with a slash', fields: ['a/b', SESSION, first, seen] },
    { name: 'a version too long', fields: ['v'.repeat(65), SESSION, first, seen] },
    { name: 'a short session', fields: ['v1', SESSION.slice(1), first, seen] },
    { name: 'a session of other characters', fields: ['v1', `${SESSION.slice(1)}+`, first, seen] },
    { name: 'an upstream of other characters', fields: ['v1', SESSION, first, seen, '127.0.0.1:80'] },
  ];

  test.each(rows)('does not verify with $name, though rightly signed', ({ fields }) => {
    const signed = fields.length === 4 ? [...fields, ''] : fields;
    expect(verifyPin(KEYS, forged(fields.join('~'), signed))).toBeNull();
  });

  test('does not verify with an empty upstream, a second spelling of none', () => {
    const fields = ['v1', SESSION, first, seen];
    expect(verifyPin(KEYS, forged(fields.join('~'), [...fields, '']))).toEqual(PIN);
    expect(verifyPin(KEYS, forged([...fields, ''].join('~'), [...fields, '']))).toBeNull();
  });
});

describe('signPin', () => {
  test('T20 keeps a session whose clock stepped back behind its beginning', () => {
    const text = signPin(KEYS, { ...PIN, first: NOW, seen: NOW - 86_400_000 });
    expect(verifyPin(KEYS, text)).toMatchObject({ first: NOW - 86_400_000, seen: NOW - 86_400_000 });
  });

  test.each([
    { name: 'a fraction', pin: { ...PIN, seen: NOW + 0.5 } },
    { name: 'a negative time', pin: { ...PIN, first: -1 } },
    { name: 'no time', pin: { ...PIN, seen: Number.NaN } },
    { name: 'a version with a tilde', pin: { ...PIN, version: 'v~1' } },
    { name: 'no session', pin: { ...PIN, session: '' } },
    { name: 'an upstream address', pin: { ...PIN, upstream: '10.0.0.1:80' } },
  ])('throws for what could not be read back: $name', ({ pin }) => {
    expect(() => signPin(KEYS, pin)).toThrow(RangeError);
  });
});

describe('readPins', () => {
  const read = (cookie: string): PinReading => readPins(KEYS, cookie, 'lockstep', NOW);
  const signed = (changes: Partial<Pin>) => signPin(KEYS, { ...PIN, ...changes });
  const older = signed({ version: 'v0', seen: NOW - 1000 });
  const newer = signed({ version: 'v2', seen: NOW - 10 });

  test.each([
    { name: 'no cookie at all', cookie: '', want: { found: 0, verified: 0, version: undefined } },
    {
      name: 'other cookies',
      cookie: 'a=1; lockstep2=x',
      want: { found: 0, verified: 0, version: undefined },
    },
    { name: 'one pin', cookie: `a=1; lockstep=${newer}`, want: { found: 1, verified: 1, version: 'v2' } },
    {
      name: 'V02 one that is none',
      cookie: 'lockstep=v1',
      want: { found: 1, verified: 0, version: undefined },
    },
    {
      name: 'V02 a quoted one',
      cookie: `lockstep="${newer}"`,
      want: { found: 1, verified: 0, version: undefined },
    },
    {
      name: 'V01 two, newest first',
      cookie: `lockstep=${newer}; lockstep=${older}`,
      want: { found: 2, verified: 2, version: 'v2' },
    },
    {
      name: 'V01 two, newest last',
      cookie: `lockstep=${older}; lockstep=${newer}`,
      want: { found: 2, verified: 2, version: 'v2' },
    },
    {
      name: 'V01 a tossed one before and after ours',
      cookie: `lockstep=1.v9~x; lockstep=${older}; lockstep=junk`,
      want: { found: 3, verified: 1, version: 'v0' },
    },
  ])('reads $name', ({ cookie, want }) => {
    const { pin, found, verified } = read(cookie);
    expect({ found, verified, version: pin?.version }).toEqual(want);
  });

  test('V01 reads the same pin in whatever order the copies come', () => {
    const copies = fc.shuffledSubarray([
      ...['va', 'vb', 'vc'].map((version) => signed({ version })),
      ...['vd', 've'].map((version) => signed({ version, seen: NOW + 5000 })),
      older,
      'junk',
    ]);
    fc.assert(
      fc.property(copies, (some) => {
        const cookie = (list: readonly string[]) => list.map((text) => `lockstep=${text}`).join('; ');
        expect(read(cookie(some))).toEqual(read(cookie([...some].sort())));
      }),
    );
  });

  test('counts a seen in the future as now, and first with it', () => {
    const { pin } = read(`lockstep=${signed({ first: NOW + 1, seen: NOW + 60_000 })}`);
    expect(pin).toEqual({ ...PIN, first: NOW, seen: NOW });
  });

  test('does not let a seen in the future win against one of now by its date', () => {
    const ahead = signed({ version: 'a-ahead', seen: NOW + 60_000 });
    const now = signed({ version: 'b-now' });
    expect(read(`lockstep=${ahead}; lockstep=${now}`).pin?.version).toBe('b-now');
  });

  test('V01 looks at the last 16 copies, where the one of the whole site is', () => {
    const tossed = 'lockstep=x; '.repeat(100);
    expect(read(`${tossed}lockstep=${newer}`).pin?.version).toBe('v2');
    expect(read(`lockstep=${newer}; ${tossed}`)).toEqual({ pin: null, found: 16, verified: 0 });
  });
});

describe('session ids', () => {
  test('are 16 characters of base64url, one for each 12 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 12, maxLength: 12 }), (bytes) => {
        const id = newSessionId(bytes);
        expect(isSessionId(id)).toBe(true);
        expect([...Buffer.from(id, 'base64url')]).toEqual([...bytes]);
      }),
    );
  });

  test('take 12 bytes and no other number', () => {
    expect(() => newSessionId(new Uint8Array(11))).toThrow(RangeError);
    expect(() => newSessionId(new Uint8Array(13))).toThrow(RangeError);
  });

  test.each(['', 'short', `${SESSION}A`, `${SESSION.slice(1)}=`, `${SESSION.slice(1)}\n`, `${SESSION}\n`])(
    'are not %j',
    (text) => {
      expect(isSessionId(text)).toBe(false);
    },
  );
});
