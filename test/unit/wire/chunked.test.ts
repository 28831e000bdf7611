import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChunkedReader, chunkEnd, encodeChunk, encodeInPlace } from '../../../src/wire/chunked.ts';
import { spanText } from '../../fuzz/readings.ts';

const LIMITS = { chunkExt: 64, trailers: 256, headers: 10 };

/** Reads `text` in pieces of `step` octets. */
function readAll(text: string, step = text.length) {
  const reader = new ChunkedReader(LIMITS);
  const bytes = Buffer.from(text, 'latin1');
  let body = '';
  let consumed = 0;
  for (let at = 0; at < bytes.length && !reader.isDone && !reader.hasFailed; at += step) {
    const piece = bytes.subarray(at, at + step);
    const end = reader.read(piece, 0);
    consumed = at + end;
    body += spanText(piece, reader.spans);
  }
  return { reader, body, consumed, state: reader.isDone ? 'done' : reader.hasFailed ? 'failed' : 'more' };
}

describe('a chunked body', () => {
  const rows: readonly (readonly [name: string, given: string, want: { state: string; body?: string }])[] = [
    ['of two chunks is read', '5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n', { state: 'done', body: 'hello!' }],
    ['with capital hex is read', 'A\r\n0123456789\r\n0\r\n\r\n', { state: 'done', body: '0123456789' }],
    ['with extensions is read', '5;a=b;c="d\\"e"\r\nhello\r\n0;x\r\n\r\n', { state: 'done', body: 'hello' }],
    ['with several zeros as its last size is read', '00000\r\n\r\n', { state: 'done', body: '' }],
    ['without its end wants more', '5\r\nhel', { state: 'more', body: 'hel' }],
    ['with a size that is no hex fails', 'Z\r\n', { state: 'failed' }],
    ['with a signed size fails', '+5\r\nhello\r\n', { state: 'failed' }],
    ['with 0x fails', '0x5\r\nhello\r\n', { state: 'failed' }],
    ['with an empty size fails', '\r\nhello\r\n', { state: 'failed' }],
    ['with a space behind its size fails', '5 \r\nhello\r\n', { state: 'failed' }],
    ['with a space before its size fails', ' 5\r\nhello\r\n', { state: 'failed' }],
    ['with a bare LF behind its size fails', '5\nhello\r\n', { state: 'failed' }],
    ['with a bare LF in an extension fails', '5;a\nhello\r\n', { state: 'failed' }],
    ['with CR and no LF fails', '5\rXhello', { state: 'failed' }],
    ['with a bare LF behind its data fails', '5\r\nhello\n', { state: 'failed' }],
    ['with more data than its size fails', '5\r\nhello!!\r\n', { state: 'failed' }],
    ['with a size that overflows fails', '10000000000000005\r\n', { state: 'failed' }],
    ['with a size of 2^53 fails', '20000000000000\r\n', { state: 'failed' }],
    ['with forty zeros fails', `${'0'.repeat(40)}5\r\n`, { state: 'failed' }],
    ['with a semicolon and no name fails', '5;\r\nhello\r\n', { state: 'failed' }],
    ['with an unfinished quote fails', '5;a="b\r\nhello\r\n', { state: 'failed' }],
    ['with a long extension fails', `5;${'a'.repeat(65)}\r\n`, { state: 'failed' }],
    ['with a negative last size fails', '5\r\nhello\r\n-0x0\r\n\r\n', { state: 'failed' }],
    ['with a bare LF in its trailers fails', '0\r\nX: 1\n\r\n', { state: 'failed' }],
    ['with a folded trailer fails', '0\r\nX: 1\r\n 2\r\n\r\n', { state: 'failed' }],
    ['with long trailers fails', `0\r\nX: ${'a'.repeat(300)}\r\n\r\n`, { state: 'failed' }],
    ['with endless trailers fails', `0\r\n${'a'.repeat(300)}`, { state: 'failed' }],
  ];
  it.each(rows)('%s', (_name, given, want) => {
    for (const step of [given.length, 1, 3])
      expect(readAll(given, step), `in pieces of ${step}`).toMatchObject(want);
  });

  it('keeps ordinary trailers and drops those that frame, route or are ours', () => {
    const trailers = [
      'X-T: 1',
      'Content-Length: 9',
      'Host: evil',
      'cookie: a',
      'x-lockstep-version: v1',
      'x_forwarded_for: 1',
    ];
    const { reader } = readAll(`0\r\n${trailers.join('\r\n')}\r\n\r\n`, 2);
    expect(reader.trailers).toBe('X-T: 1\r\n');
  });

  it('ends where it ends, and leaves what follows', () => {
    expect(readAll('0\r\n\r\nGET /').consumed).toBe(5);
    expect(readAll('0\r\nX:POST / HTTP/1.1\r\n\r\nG').consumed).toBe(24);
  });

  it('comes out as it went in, whatever the pieces', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' })),
        fc.integer({ min: 1, max: 50 }),
        (parts, step) => {
          const text = parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');
          const read = readAll(`${text}0\r\n\r\n`, step);
          expect(read.state).toBe('done');
          expect(read.body).toBe(parts.join(''));
        },
      ),
    );
  });

  it('is written as one chunk for each piece read', () => {
    const piece = Buffer.from('1\r\na\r\n1\r\nb\r\n', 'latin1');
    const reader = new ChunkedReader(LIMITS);
    reader.read(piece, 0);
    expect(encodeChunk(piece, reader.spans, reader.spanBytes).toString()).toBe('2\r\nab\r\n');
    const start = encodeInPlace(piece, reader.spans, reader.spanBytes);
    expect(piece.toString('latin1', start, chunkEnd(reader.spans, reader.spanBytes))).toBe('2\r\nab\r\n');
  });

  it('is not written in its place where there is no room for its size or its end', () => {
    expect(encodeInPlace(Buffer.alloc(20), [2, 10], 8)).toBe(-1);
    expect(encodeInPlace(Buffer.alloc(20), [3, 19], 16)).toBe(-1);
    expect(encodeInPlace(Buffer.alloc(20), [4, 18], 14)).toBe(1);
  });

  it('is the same in its place and in memory of its own, however it was cut, and nothing else changes', () => {
    const chunk = fc.tuple(fc.string({ minLength: 1, maxLength: 40 }), fc.constantFrom('', ';a=b', ';c="d"'));
    fc.assert(
      fc.property(fc.array(chunk, { minLength: 1, maxLength: 12 }), fc.nat(400), (chunks, cut) => {
        const coded = chunks.map(([data, extension]) => {
          const { length } = Buffer.from(data);
          return `${length.toString(16)}${extension}\r\n${data}\r\n`;
        });
        const rest = 'GET / HTTP/1.1';
        const whole = Buffer.from(`${'.'.repeat(64)}${coded.join('')}0\r\n\r\n${rest}`);
        const limit = Math.min(whole.length, 64 + cut);
        const reader = new ChunkedReader({ ...LIMITS, chunkExt: 1_000 });
        const end = reader.read(whole, 64, limit);
        if (reader.spanBytes === 0) return;
        const behind = whole.toString('latin1', Math.max(end, limit) + 2);
        const want = encodeChunk(whole, reader.spans, reader.spanBytes).toString('latin1');
        const start = encodeInPlace(whole, reader.spans, reader.spanBytes);
        expect(start).toBeGreaterThan(0);
        expect(whole.toString('latin1', start, chunkEnd(reader.spans, reader.spanBytes))).toBe(want);
        expect(whole.toString('latin1', Math.max(end, limit) + 2)).toBe(behind);
        if (reader.isDone) expect(whole.toString('latin1', end)).toBe(rest);
      }),
    );
  });
});
