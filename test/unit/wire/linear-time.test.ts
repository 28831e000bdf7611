import { describe, expect, it } from 'vitest';
import { stripCookie } from '../../../src/core/cookie-header.ts';
import { costRatio, dribbleHead, headOf, readAnswer, readChunks, readHead } from '../../fuzz/costs.ts';

const KIB = 1_024;

// A linear reader costs at most 16 times as much for 16 times as many octets, a quadratic one 256 times.
const AT_MOST = 20;

describe('a head of 16 KiB costs at most 20 times one of 1 KiB', () => {
  it.each([
    ['with one long value', (octets: number) => headOf(octets, `X: ${'v'.repeat(octets - 60)}\r\n`)],
    ['with lines of 200 octets', (octets: number) => headOf(octets, `X: ${'v'.repeat(195)}\r\n`)],
    ['with values of white space', (octets: number) => headOf(octets, `X: ${' \t'.repeat(90)}\r\n`)],
    ['with cookies', (octets: number) => headOf(octets, `Cookie: ${'a=b; '.repeat(40)}\r\n`)],
    ['with nominations', (octets: number) => headOf(octets, `Connection: ${'x, '.repeat(60)}\r\n`)],
    [
      'with nominations beside fields',
      (octets: number) =>
        headOf(
          octets,
          `Connection: ${'x,'.repeat(octets / 5)}\r\n${`X: ${'v'.repeat(120)}\r\n`.repeat(octets / 256)}`,
        ),
    ],
    ['with commas for nominations', (octets: number) => headOf(octets, `Connection: ${','.repeat(180)}\r\n`)],
  ])('%s', (_name, head) => {
    const [small, large] = [head(KIB), head(16 * KIB)];
    expect(
      costRatio(
        () => readHead(small),
        () => readHead(large),
        AT_MOST,
      ),
    ).toBeLessThan(AT_MOST);
  });

  it('of an answer', () => {
    const answer = (octets: number): Buffer =>
      Buffer.from(
        `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${`X: ${'v'.repeat(195)}\r\n`.repeat(octets / 200)}\r\n`,
      );
    const [small, large] = [answer(KIB), answer(16 * KIB)];
    expect(
      costRatio(
        () => readAnswer(small),
        () => readAnswer(large),
        AT_MOST,
      ),
    ).toBeLessThan(AT_MOST);
  });

  it('octet by octet', () => {
    const line = `X: ${'v'.repeat(195)}\r\n`;
    const [small, large] = [headOf(KIB, line), headOf(16 * KIB, line)];
    expect(
      costRatio(
        () => dribbleHead(small),
        () => dribbleHead(large),
        AT_MOST,
      ),
    ).toBeLessThan(AT_MOST);
  });
});

describe('costs grow with the length and not with its square', () => {
  const body = (chunk: string, count: number): Buffer => Buffer.from(`${chunk.repeat(count)}0\r\n\r\n`);
  it.each([
    ['100,000 one-byte chunks', (times: number) => body('1\r\na\r\n', 6_250 * times), 1_000_000],
    ['one-byte chunks, octet by octet', (times: number) => body('1\r\na\r\n', 200 * times), 1],
    [
      'chunk extensions of 4 KiB',
      (times: number) => body(`1;e=${'x'.repeat(4_000)}\r\na\r\n`, times),
      1_000_000,
    ],
    [
      'trailers',
      (times: number) => Buffer.from(`0\r\n${`X: ${'t'.repeat(95)}\r\n`.repeat(5 * times)}\r\n`),
      1_000_000,
    ],
    [
      'a 1 KiB trailer, octet by octet',
      (times: number) => Buffer.from(`0\r\nX: ${'t'.repeat(64 * times)}\r\n\r\n`),
      1,
    ],
  ])('%s', (_name, given, step) => {
    const [small, large] = [given(1), given(16)];
    expect(
      costRatio(
        () => readChunks(small, step),
        () => readChunks(large, step),
        AT_MOST,
      ),
    ).toBeLessThan(AT_MOST);
  });

  it('3,000 cookies (V08)', () => {
    const cookies = (count: number): string => 'a=b; '.repeat(count);
    const [small, large] = [cookies(187), cookies(3_000)];
    expect(
      costRatio(
        () => stripCookie(small, 'lockstep'),
        () => stripCookie(large, 'lockstep'),
        AT_MOST,
      ),
    ).toBeLessThan(AT_MOST);
  });

  it('96 fields beside 6', () => {
    const fields = (count: number): Buffer => headOf(40 + 5 * count, 'X:1\r\n');
    const [small, large] = [fields(6), fields(96)];
    expect(
      costRatio(
        () => readHead(small),
        () => readHead(large),
        AT_MOST,
      ),
    ).toBeLessThan(AT_MOST);
  });
});
