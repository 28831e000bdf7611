import { expect, test } from 'vitest';
import { OWN_REQUEST_DIFFERENCES, OWN_RESPONSE_DIFFERENCES } from '../contract/own-differences.ts';
import { bytesOf, ownRequestCases, ownResponseCases, requestCases, responseCases } from './corpus.ts';

const REQUESTS = [...requestCases(), ...ownRequestCases()];
const RESPONSES = [...responseCases(), ...ownResponseCases()];

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
  for (const cases of [REQUESTS, RESPONSES]) {
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length);
    expect(cases.every(({ want }) => /^(fwd\d|\d{3}|ok|abort|none|close)$/.test(want))).toBe(true);
  }
});

test.each([
  { side: 'requests', cases: ownRequestCases(), differences: OWN_REQUEST_DIFFERENCES },
  { side: 'answers', cases: ownResponseCases(), differences: OWN_RESPONSE_DIFFERENCES },
])('$side: where the engines differ, both verdicts are lawful', ({ cases, differences }) => {
  const unlawful = Object.entries(differences).filter(
    ([id, { verdict }]) => !cases.find((one) => one.id === id)?.lawful.includes(verdict),
  );
  expect(unlawful.map(([id]) => id)).toEqual([]);
});
