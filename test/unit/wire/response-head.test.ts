import { describe, expect, it } from 'vitest';
import { ResponseHead } from '../../../src/wire/response-head.ts';

function read(text: string, method = 'GET') {
  const head = new ResponseHead();
  return { head, refused: head.read(text, method, 100) };
}

const answer = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;

describe('an answer head is refused', () => {
  it.each([
    ['without a status line', 'GARBAGE\r\n\r\n'],
    ['with four digits', answer('HTTP/1.1 1000 X')],
    ['with two digits', answer('HTTP/1.1 99 X')],
    ['with HTTP/2', answer('HTTP/2.0 200 OK')],
    ['with a control character in its reason', answer('HTTP/1.1 200 O\x01K')],
    ['with two lengths', answer('HTTP/1.1 200 OK', 'Content-Length: 3', 'Content-Length: 3')],
    ['with length and coding', answer('HTTP/1.1 200 OK', 'Content-Length: 3', 'Transfer-Encoding: chunked')],
    ['with an unknown coding', answer('HTTP/1.1 200 OK', 'Transfer-Encoding: foo')],
    ['with a coding in HTTP/1.0', answer('HTTP/1.0 200 OK', 'Transfer-Encoding: chunked')],
    ['with an empty length', answer('HTTP/1.1 200 OK', 'Content-Length: ')],
    ['with a negative length', answer('HTTP/1.1 200 OK', 'Content-Length: -3')],
    ['with an empty name', answer('HTTP/1.1 200 OK', ': x')],
    ['with a folded field', answer('HTTP/1.1 200 OK', 'X: a', ' b')],
  ])('%s', (_name, given) => {
    expect(read(given).refused).toBe('upstream-invalid');
  });
});

describe('the end of an answer is found (RFC 9112 §6.3)', () => {
  const rows: readonly (readonly [string, string, string, string])[] = [
    ['by length', answer('HTTP/1.1 200 OK', 'Content-Length: 3'), 'GET', 'length'],
    ['by an empty length', answer('HTTP/1.1 200 OK', 'Content-Length: 0'), 'GET', 'none'],
    ['by chunks', answer('HTTP/1.1 200 OK', 'Transfer-Encoding: Chunked'), 'GET', 'chunked'],
    ['by the end of the connection', answer('HTTP/1.1 200 OK'), 'GET', 'close'],
    ['at once for HEAD', answer('HTTP/1.1 200 OK', 'Content-Length: 3'), 'HEAD', 'none'],
    ['at once for 204', answer('HTTP/1.1 204 No Content', 'Content-Length: 3'), 'GET', 'none'],
    ['at once for 304', answer('HTTP/1.1 304 Not Modified', 'Content-Length: 3'), 'GET', 'none'],
    [
      'with a space before the colon dropped',
      answer('HTTP/1.1 200 OK', 'Content-Length : 3'),
      'GET',
      'length',
    ],
    ['with no reason', answer('HTTP/1.1 200 ', 'Content-Length: 3'), 'GET', 'length'],
    ['with no space and no reason', answer('HTTP/1.1 200', 'Content-Length: 3'), 'GET', 'length'],
  ];
  it.each(rows)('%s', (_name, given, method, want) => {
    const { head, refused } = read(given, method);
    expect(refused).toBeNull();
    expect(head.framing).toBe(want);
  });
});

describe('a connection to an upstream is kept', () => {
  it.each([
    ['HTTP/1.1 by default', answer('HTTP/1.1 200 OK', 'Content-Length: 3'), true],
    ['not after close', answer('HTTP/1.1 200 OK', 'Content-Length: 3', 'Connection: x-hop, Close'), false],
    ['not with HTTP/1.0', answer('HTTP/1.0 200 OK', 'Content-Length: 3'), false],
    ['not when its end is the answer’s end', answer('HTTP/1.1 200 OK'), false],
  ])('%s', (_name, given, want) => {
    expect(read(given).head.keepsAlive).toBe(want);
  });
});
