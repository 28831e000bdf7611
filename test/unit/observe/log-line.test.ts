// A line of the access log parses back to what happened, and is one line, whatever clients send (V12).

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineBlock } from '../../../src/observe/line-block.ts';
import { longestLine, writeDropped } from '../../../src/observe/log-line.ts';
import { exchange, lineOf } from './exchange-record.ts';

function written(write: (block: LineBlock) => void): string {
  const block = new LineBlock(1_000);
  write(block);
  return block.written.toString('latin1');
}

test('writes every field, in the habits of pino', () => {
  const line = lineOf(
    exchange({ failure: 'connect-failed', retries: 1, isStream: true, connectMs: 0.0004 }),
    'k3f9x-1a',
  );
  expect(line.endsWith('}\n')).toBe(true);
  expect(Object.entries(JSON.parse(line))).toEqual(
    Object.entries({
      level: 30,
      time: 1_764_000_000_000,
      id: 'k3f9x-1a',
      method: 'GET',
      url: '/cart',
      host: 'shop.example',
      status: 200,
      version: 'v1',
      reason: 'pinned',
      session: 'abc',
      upstream: '127.0.0.1:9101',
      bytesIn: 0,
      bytesOut: 512,
      connectMs: 0,
      firstByteMs: 1.25,
      totalMs: 2.5,
      gatewayMs: 0.042,
      client: '10.0.0.1',
      error: 'connect-failed',
      retries: 1,
      stream: true,
    }),
  );
});

test('what did not happen is null', () => {
  const line = JSON.parse(lineOf(exchange({ firstByteMs: -1, gatewayMs: Number.NaN }), 'p-1'));
  expect(line).toMatchObject({ connectMs: null, firstByteMs: null, gatewayMs: null, error: null });
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.string({
    unit: fc.constantFrom(
      '"',
      '\\',
      '\n',
      '\r',
      '\0',
      '\x7f',
      '\x85',
      '\u2028',
      '\u2029',
      '\ud800',
      'ÿ',
      '/',
    ),
  }),
);

test('V12: hostile text parses back and makes no second line', () => {
  fc.assert(
    fc.property(hostile, hostile, hostile, (url, host, client) => {
      const line = lineOf(
        exchange({ url, host, client, session: url, method: host, version: client }),
        'p-1',
      );
      expect(line).toMatch(/^[\x20-\x7e]+\n$/);
      expect(JSON.parse(line)).toMatchObject({
        url,
        host,
        client,
        session: url,
        method: host,
        version: client,
      });
    }),
    { numRuns: 500 },
  );
});

test('times parse back to the microsecond', () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e7, noNaN: true }), (totalMs) => {
      const read = JSON.parse(lineOf(exchange({ totalMs }), 'p-1')).totalMs;
      expect(Math.abs(read - totalMs)).toBeLessThanOrEqual(0.000501);
    }),
  );
});

test('no line is longer than was said before it', () => {
  fc.assert(
    fc.property(hostile, hostile, (url, version) => {
      const record = exchange({ url, host: url, version, startedAt: Number.MAX_SAFE_INTEGER, totalMs: 1e12 });
      expect(lineOf(record, 'p-1').length).toBeLessThanOrEqual(longestLine(record));
    }),
  );
});

test('plain text is only put in quotes', () => {
  expect(written((block) => block.quoted('/a?b=c&d={}~'))).toBe('"/a?b=c&d={}~"');
  expect(written((block) => block.quoted(''))).toBe('""');
});

test('whole numbers are written as they are', () => {
  const edges = [0, 9, 10, 99, 100, 999_999_999, 1e9, 1e9 + 1, 1_764_000_000_000, Number.MAX_SAFE_INTEGER];
  for (const value of edges) expect(written((block) => block.integer(value))).toBe(String(value));
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      expect(written((block) => block.integer(value))).toBe(String(value));
    }),
  );
});

test('a gap says how many lines are missing', () => {
  expect(JSON.parse(written((block) => writeDropped(block, 7, 5)))).toEqual({
    level: 40,
    time: 5,
    msg: 'access log dropped lines',
    dropped: 7,
  });
});
