import { expect, test } from 'vitest';
import { bytesOf, requestCases, responseCases } from './corpus.ts';

test.each([
  { name: 'plain text', given: 'GET /', want: 'GET /' },
  { name: 'line ends and tabs', given: '\\r\\n\\t\\\\', want: '\r\n\t\\' },
  { name: 'hexadecimal bytes', given: '\\x00\\xfFa', want: '\0\xffa' },
  { name: 'a doubled percent sign', given: '%%0d', want: '%0d' },
  { name: 'a repetition', given: 'a@3@b\\n@c', want: 'ab\nb\nb\nc' },
  { name: 'an @ that repeats nothing', given: 'user@host', want: 'user@host' },
])('bytesOf reads $name', ({ given, want }) => {
  expect(bytesOf(given).toString('latin1')).toBe(want);
});

test('every case has a name of its own and a first verdict', () => {
  for (const cases of [requestCases(), responseCases()]) {
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    expect(cases.every(({ want }) => /^(fwd\d|\d{3}|ok|abort|none|close)$/.test(want))).toBe(true);
  }
});
