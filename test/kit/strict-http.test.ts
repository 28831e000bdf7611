// The second opinion must have one: an oracle that takes everything proves nothing.

import { describe, expect, test } from 'vitest';
import { readAnswer, readRequest, valuesOf } from './strict-http.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('the strict reader of requests', () => {
  const head = 'POST /x HTTP/1.1\r\nHost: a\r\n';
  test.each([
    { name: 'two lengths', given: `${head}Content-Length: 1\r\nContent-Length: 1\r\n\r\na` },
    {
      name: 'length and coding',
      given: `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    },
    { name: 'an unknown coding', given: `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n` },
    { name: 'two codings', given: `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n` },
    { name: 'a length with a sign', given: `${head}Content-Length: +1\r\n\r\na` },
    { name: 'a length with leading zeros', given: `${head}Content-Length: 01\r\n\r\na` },
    { name: 'a length list', given: `${head}Content-Length: 1, 1\r\n\r\na` },
    { name: 'a bare LF', given: `${head}X: a\nY: b\r\n\r\n` },
    { name: 'a bare LF in a head that is not complete', given: `${head}X: a\n` },
    { name: 'a bare CR', given: `${head}X: a\rb\r\n\r\n` },
    { name: 'a NUL', given: `${head}X: \0\r\n\r\n` },
    { name: 'a folded line', given: `${head}X: a\r\n b\r\n\r\n` },
    { name: 'a space before the colon', given: `${head}X : a\r\n\r\n` },
    { name: 'an empty name', given: `${head}: a\r\n\r\n` },
    { name: 'no Host', given: 'GET / HTTP/1.1\r\n\r\n' },
    { name: 'two Hosts', given: `${head}Host: b\r\n\r\n` },
    { name: 'a Host with a path', given: 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n' },
    { name: 'a space in the target', given: 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n' },
    { name: 'another protocol', given: 'GET / HTTP/2.0\r\nHost: a\r\n\r\n' },
    {
      name: 'a chunk size with a sign',
      given: `${head}Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n`,
    },
    {
      name: 'chunk data past its size',
      given: `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n`,
    },
    {
      name: 'a chunk line with a bare LF',
      given: `${head}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`,
    },
    { name: 'a bare LF among trailers', given: `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n` },
  ])('refuses $name', ({ given }) => {
    expect(readRequest(bytes(given)).state).toBe('broken');
  });

  test.each([
    {
      name: 'a hop-by-hop field',
      given: `${head}Keep-Alive: 5\r\nContent-Length: 0\r\n\r\n`,
      want: 'Keep-Alive',
    },
    {
      name: 'an upgrade nobody asked for',
      given: `${head}Upgrade: x\r\nContent-Length: 0\r\n\r\n`,
      want: 'Upgrade',
    },
    { name: 'a nominated field', given: `${head}Connection: x-a\r\nContent-Length: 0\r\n\r\n`, want: 'x-a' },
    { name: 'an underscore twin', given: `${head}Content_Length: 5\r\n\r\n`, want: 'twin' },
    {
      name: 'a chunk extension',
      given: `${head}Transfer-Encoding: chunked\r\n\r\n1;a=b\r\na\r\n0\r\n\r\n`,
      want: 'extension',
    },
    {
      name: 'leading zeros',
      given: `${head}Transfer-Encoding: chunked\r\n\r\n01\r\na\r\n0\r\n\r\n`,
      want: 'zeros',
    },
    {
      name: 'a length as a trailer',
      given: `${head}Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n`,
      want: 'trailer',
    },
  ])('names the leak of $name', ({ given, want }) => {
    const reading = readRequest(bytes(given));
    expect(reading).toMatchObject({ state: 'complete', message: { leaks: [expect.stringContaining(want)] } });
  });

  test('reads chunks and trailers, and says where the next request begins', () => {
    const first = `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n`;
    const reading = readRequest(bytes(`${first}GET /2 HTTP/1.1\r\nHost: a\r\n\r\n`));
    if (reading.state !== 'complete') throw new Error(reading.state);
    expect(reading.message.body.toString()).toBe('abc0123456789');
    expect(reading.message.trailers).toEqual([['X-T', '1']]);
    expect(reading.message.leaks).toEqual([]);
    expect(reading.end).toBe(first.length);
  });

  test('gives the same verdict on every prefix: incomplete until it is complete', () => {
    const whole = bytes(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n`);
    const states = Array.from(
      { length: whole.length + 1 },
      (_, n) => readRequest(whole.subarray(0, n)).state,
    );
    expect(states.slice(0, -1).every((state) => state === 'incomplete')).toBe(true);
    expect(states.at(-1)).toBe('complete');
  });
});

describe('the strict reader of answers', () => {
  test.each([
    { name: 'a 204 with a length', given: 'HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n' },
    { name: 'a four-digit status', given: 'HTTP/1.1 1000 X\r\n\r\n' },
    { name: 'no status line', given: 'hello\r\n\r\n' },
    {
      name: 'length and coding',
      given: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n',
    },
  ])('refuses $name', ({ given }) => {
    expect(readAnswer(bytes(given), 0, 'GET', false).state).toBe('broken');
  });

  test.each([
    { name: 'HEAD', method: 'HEAD', given: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n' },
    { name: '304', method: 'GET', given: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n' },
    { name: '103', method: 'GET', given: 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' },
  ])('expects no body with $name', ({ given, method }) => {
    expect(readAnswer(bytes(given), 0, method, false)).toMatchObject({
      state: 'complete',
      end: given.length,
    });
  });

  test('ends a body without a length only where the connection ends', () => {
    const given = bytes('HTTP/1.1 200 OK\r\n\r\nabc');
    expect(readAnswer(given, 0, 'GET', false).state).toBe('incomplete');
    const reading = readAnswer(given, 0, 'GET', true);
    expect(reading.state === 'complete' && reading.message.body.toString()).toBe('abc');
  });

  test('keeps equal field names apart, in order', () => {
    const given = bytes('HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n');
    const reading = readAnswer(given, 0, 'GET', false);
    expect(reading.state === 'complete' && valuesOf(reading.message, 'set-cookie')).toEqual(['a', 'b']);
  });
});
