import { describe, expect, it } from 'vitest';
import { RequestHead } from '../../../src/wire/request-head.ts';

const LIMITS = { headers: 100, uri: 8192 };

function read(text: string) {
  const head = new RequestHead();
  return { head, refused: head.read(text, LIMITS) };
}

const withHost = (line: string, ...fields: string[]) =>
  [line, 'Host: shop.example', ...fields, '', ''].join('\r\n');

describe('a request head is refused', () => {
  const rows: readonly (readonly [name: string, given: string, want: string])[] = [
    ['without a request line', '\r\n\r\n', 'malformed'],
    ['with two spaces', withHost('GET  / HTTP/1.1'), 'malformed'],
    ['with a space in the target', withHost('GET /a b HTTP/1.1'), 'malformed'],
    ['with a control character in the target', withHost('GET /\x01 HTTP/1.1'), 'malformed'],
    ['with an octet above 7 bit in the target', withHost('GET /\xe9 HTTP/1.1'), 'malformed'],
    ['with a fragment', withHost('GET /#top HTTP/1.1'), 'malformed'],
    ['with a target that is no path', withHost('GET foo HTTP/1.1'), 'malformed'],
    ['with an asterisk for GET', withHost('GET * HTTP/1.1'), 'malformed'],
    ['with HTTP/0.9', 'GET /\r\n\r\n', 'malformed'],
    ['with the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\n', 'malformed'],
    ['with HTTP/2.0', withHost('GET / HTTP/2.0'), 'bad-version'],
    ['with a lower-case version', withHost('GET / http/1.1'), 'malformed'],
    ['with a longer version', withHost('GET / HTTP/1.1x'), 'malformed'],
    ['with a space behind the version', withHost('GET / HTTP/1.1 '), 'malformed'],
    ['with a method that is no token', withHost('G(T / HTTP/1.1'), 'malformed'],
    [
      'for CONNECT',
      'CONNECT shop.example:443 HTTP/1.1\r\nHost: shop.example:443\r\n\r\n',
      'method-not-allowed',
    ],
    ['for TRACE', withHost('TRACE / HTTP/1.1'), 'method-not-allowed'],
    ['with a long target', withHost(`GET /${'a'.repeat(8192)} HTTP/1.1`), 'uri-too-long'],
    [
      'with too many fields',
      withHost('GET / HTTP/1.1', ...Array.from({ length: 100 }, () => 'A: 1')),
      'head-too-large',
    ],
    ['without Host', 'GET / HTTP/1.1\r\n\r\n', 'malformed'],
    ['with two Hosts', withHost('GET / HTTP/1.1', 'Host: other'), 'malformed'],
    ['with a second Host behind a space', withHost('GET / HTTP/1.1', 'Host : other'), 'malformed'],
    ['with an empty Host', 'GET / HTTP/1.1\r\nHost: \r\n\r\n', 'malformed'],
    ['with userinfo in Host', 'GET / HTTP/1.1\r\nHost: localhost@evil\r\n\r\n', 'malformed'],
    ['with a list in Host', 'GET / HTTP/1.1\r\nHost: a,b\r\n\r\n', 'malformed'],
    ['with two ports in Host', 'GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n', 'malformed'],
    ['with a port out of range', 'GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n', 'malformed'],
    ['with an absolute target for another host', withHost('GET http://evil.example/ HTTP/1.1'), 'malformed'],
    ['with userinfo in an absolute target', withHost('GET http://u@shop.example/ HTTP/1.1'), 'malformed'],
    ['with another scheme', withHost('GET ftp://shop.example/ HTTP/1.1'), 'malformed'],
    ['with a folded field', withHost('GET / HTTP/1.1', 'X: a', ' b'), 'malformed'],
    ['with an empty field name', withHost('GET / HTTP/1.1', ': x'), 'malformed'],
    ['with a field without a colon', withHost('GET / HTTP/1.1', 'nocolon'), 'malformed'],
    ['with a bare CR in a value', withHost('GET / HTTP/1.1', 'X: a\rb'), 'malformed'],
    ['with a bare LF in a value', withHost('GET / HTTP/1.1', 'X: a\nY: b'), 'malformed'],
    ['with NUL in a name', withHost('GET / HTTP/1.1', 'X\0: a'), 'malformed'],
    ['with NUL in a value', withHost('GET / HTTP/1.1', 'X: \0'), 'malformed'],
    [
      'with both lengths',
      withHost('POST / HTTP/1.1', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
      'malformed',
    ],
    [
      'with two equal lengths',
      withHost('POST / HTTP/1.1', 'Content-Length: 1', 'content-length: 1'),
      'malformed',
    ],
    ['with a list of lengths', withHost('POST / HTTP/1.1', 'Content-Length: 1, 1'), 'malformed'],
    ['with a signed length', withHost('POST / HTTP/1.1', 'Content-Length: +1'), 'malformed'],
    ['with a padded length', withHost('POST / HTTP/1.1', 'Content-Length: 01'), 'malformed'],
    ['with an empty length', withHost('POST / HTTP/1.1', 'Content-Length:'), 'malformed'],
    ['with a length of 2^53', withHost('POST / HTTP/1.1', 'Content-Length: 9007199254740992'), 'malformed'],
    [
      'with a length that wraps',
      withHost('POST / HTTP/1.1', 'Content-Length: 18446744073709551616'),
      'malformed',
    ],
    ['with chunked twice', withHost('POST / HTTP/1.1', 'Transfer-Encoding: chunked, chunked'), 'malformed'],
    [
      'with chunked in two lines',
      withHost('POST / HTTP/1.1', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'),
      'malformed',
    ],
    ['with chunked not last', withHost('POST / HTTP/1.1', 'Transfer-Encoding: chunked, gzip'), 'malformed'],
    ['with a coding and no chunked', withHost('POST / HTTP/1.1', 'Transfer-Encoding: gzip'), 'malformed'],
    ['with an empty coding', withHost('POST / HTTP/1.1', 'Transfer-Encoding:'), 'malformed'],
    [
      'with an unknown coding before chunked',
      withHost('POST / HTTP/1.1', 'Transfer-Encoding: gzip, chunked'),
      'unknown-coding',
    ],
    ['with a coding in HTTP/1.0', withHost('POST / HTTP/1.0', 'Transfer-Encoding: chunked'), 'malformed'],
    [
      'with an expectation other than 100-continue',
      withHost('POST / HTTP/1.1', 'Expect: y 100-continue'),
      'expectation-failed',
    ],
  ];
  it.each(rows)('%s', (_name, given, want) => {
    expect(read(given).refused).toBe(want);
  });
});

describe('a request head is read', () => {
  it('with its method, target, version and host', () => {
    const { head, refused } = read(withHost('get //evil.example/x?a={b}|c HTTP/1.1'));
    expect(refused).toBeNull();
    expect(head).toMatchObject({
      method: 'get',
      target: '//evil.example/x?a={b}|c',
      minor: 1,
      host: 'shop.example',
    });
  });

  it('with a higher minor version as 1.1', () => {
    expect(read(withHost('GET / HTTP/1.7')).head.minor).toBe(1);
  });

  it('in absolute-form, reduced to its path', () => {
    expect(read(withHost('GET HTTP://SHOP.example/a?b HTTP/1.1')).head.target).toBe('/a?b');
    expect(read(withHost('GET http://shop.example?b HTTP/1.1')).head.target).toBe('/?b');
  });

  it('in asterisk-form for OPTIONS', () => {
    expect(read(withHost('OPTIONS * HTTP/1.1'))).toMatchObject({ refused: null, head: { target: '*' } });
  });

  it('of HTTP/1.0 without Host, closing after its answer', () => {
    const { head, refused } = read('GET / HTTP/1.0\r\n\r\n');
    expect(refused).toBeNull();
    expect(head).toMatchObject({ minor: 0, host: '', hasHostField: false, keepsAlive: false });
  });

  it('with white space around values and octets above 7 bit kept', () => {
    const { head } = read(withHost('GET / HTTP/1.1', 'X: \t \xe9\xff \t '));
    expect(head.fields.value(1)).toBe('\xe9\xff');
  });

  it.each([
    ['localhost:8080', true],
    ['[::1]:80', true],
    ['[::1]', true],
    ['[::1', false],
    ['[evil]', false],
    ['a/b', false],
  ])('with host %s: %s', (host, isRead) => {
    expect(read(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).refused === null).toBe(isRead);
  });

  it.each([
    ['asks for both', ['Upgrade: websocket', 'Connection: keep-alive, Upgrade'], true],
    ['lacks Connection', ['Upgrade: websocket'], false],
    ['asks for another protocol', ['Upgrade: h2c', 'Connection: Upgrade'], false],
    ['asks for two protocols', ['Upgrade: websocket, h2c', 'Connection: Upgrade'], false],
    ['has a body', ['Upgrade: websocket', 'Connection: Upgrade', 'Content-Length: 1'], false],
  ])('as a WebSocket handshake only when it is one: %s', (_name, fields, want) => {
    expect(read(withHost('GET /ws HTTP/1.1', ...fields)).head.isWebSocket).toBe(want);
  });

  it('without a trace of the head before it', () => {
    const head = new RequestHead();
    head.read(
      withHost('POST / HTTP/1.1', 'Content-Length: 5', 'Connection: close, x-a', 'Expect: 100-continue'),
      LIMITS,
    );
    head.read(withHost('GET / HTTP/1.1'), LIMITS);
    expect(head).toMatchObject({
      contentLength: -1,
      expectsContinue: false,
      hasBody: false,
      keepsAlive: true,
    });
    expect(head.connection.nominated).toBeNull();
  });
});
