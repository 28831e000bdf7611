import { describe, expect, test } from 'vitest';
import { wantsColour } from '../../../src/cli/terminal.ts';
import { count, printable, tellClock, tellSpan, wrap } from '../../../src/cli/text.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test.each([
  { given: -5, want: '0s' },
  { given: 999, want: '0s' },
  { given: 59_999, want: '59s' },
  { given: MINUTE, want: '1m' },
  { given: HOUR - 1, want: '59m' },
  { given: HOUR, want: '1h' },
  { given: 11 * HOUR + 39 * MINUTE, want: '11h 39m' },
  { given: 24 * HOUR, want: '1d' },
  { given: 76 * HOUR, want: '3d 4h' },
])('a span of $given ms is told as $want', ({ given, want }) => {
  expect(tellSpan(given)).toBe(want);
});

test.each([
  { at: '2026-03-01T03:12:00Z', timeZone: 'UTC', want: '03:12' },
  { at: '2026-03-01T00:00:00Z', timeZone: 'UTC', want: '00:00' },
  { at: '2026-03-02T00:05:00Z', timeZone: 'UTC', want: '2026-03-02 00:05' },
  { at: '2026-03-01T03:12:00Z', timeZone: 'Asia/Tokyo', want: '12:12' },
])('$at is told as $want in $timeZone', ({ at, timeZone, want }) => {
  expect(tellClock(Date.parse(at), Date.parse('2026-03-01T03:12:00Z'), timeZone)).toBe(want);
});

test('nouns agree with their number', () => {
  expect([count(0, 'session'), count(1, 'session'), count(2, 'session')]).toEqual([
    '0 sessions',
    '1 session',
    '2 sessions',
  ]);
});

test('a text from the network cannot move the cursor or turn the line around', () => {
  expect(printable('a\u001b[2J\r\nb\u009b31m\u202ec')).toBe('a [2J b 31m c');
});

describe('wrap', () => {
  test('keeps lines within 80 columns and indents those after the first', () => {
    const lines = wrap('word '.repeat(40).trim(), '    ');
    expect(lines.map((line) => line.length).every((length) => length <= 80)).toBe(true);
    expect(lines[0]).toMatch(/^word/);
    expect(lines[1]).toMatch(/^ {4}word/);
    expect(lines.join(' ').split(/ +/)).toHaveLength(40);
  });

  test('leaves a word whole that is longer than a line: it may be there to be typed', () => {
    const long = 'x'.repeat(100);
    expect(wrap(`a ${long} b`, '  ')).toEqual(['a', `  ${long}`, '  b']);
  });
});

test.each([
  { isTerminal: true, env: {}, want: true },
  { isTerminal: false, env: {}, want: false },
  { isTerminal: true, env: { NO_COLOR: '1' }, want: false },
  { isTerminal: true, env: { NO_COLOR: '' }, want: true },
  { isTerminal: true, env: { TERM: 'dumb' }, want: false },
])('colour with $env on a terminal ($isTerminal): $want', ({ isTerminal, env, want }) => {
  expect(wantsColour(isTerminal, env)).toBe(want);
});
