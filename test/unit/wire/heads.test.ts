import { describe, expect, it } from 'vitest';
import type { CookiePolicy } from '../../../src/core/policy.ts';
import {
  AnswerLines,
  clientInterimHead,
  clientSwitchingHead,
  RequestLines,
  upstreamRequestLine,
} from '../../../src/wire/heads.ts';
import { RequestHead } from '../../../src/wire/request-head.ts';
import { ResponseHead } from '../../../src/wire/response-head.ts';

const COOKIE: CookiePolicy = {
  name: 'lockstep',
  idleMs: 1,
  lifeMs: 1,
  sameSite: 'auto',
  domain: null,
  maxAgeMs: null,
  strip: false,
  sharedCache: false,
};

const OURS = [
  'x-forwarded-for: 192.0.2.1',
  'x-forwarded-proto: http',
  'x-forwarded-host: shop.example',
  'x-lockstep-version: v1',
  'x-lockstep-session: s',
  'x-lockstep-hops: 1',
  '',
  '',
];

function up(
  given: readonly string[],
  options: { strip?: boolean; dropConditionals?: boolean } = {},
): string[] {
  const head = new RequestHead();
  expect(head.read([...given, '', ''].join('\r\n'), { headers: 100, uri: 8192 })).toBeNull();
  const extras = {
    forwardedFor: '192.0.2.1',
    forwardedProto: 'http',
    forwardedHost: 'shop.example',
    isOfTrustedPeer: false,
    hops: 1,
  };
  const { strip = false, dropConditionals = false } = options;
  const lines = new RequestLines(head, extras, { ...COOKIE, strip });
  const line = upstreamRequestLine(head.method, head.target, head.host === '' ? '192.0.2.9:80' : '');
  return (line + lines.all('v1', 's', dropConditionals)).split('\r\n');
}

const GET = ['GET / HTTP/1.1', 'Host: shop.example'];

describe('a request head goes up', () => {
  const rows: readonly (readonly [name: string, given: string[], want: string[]])[] = [
    ['with names and values as they came', ['aCCept: */*', 'X-Odd:\xe9'], ['aCCept: */*', 'X-Odd:\xe9']],
    [
      'without hop-by-hop fields',
      ['Keep-Alive: 5', 'TE: trailers', 'Proxy-Connection: x', 'Upgrade: h2c', 'A: 1'],
      ['A: 1'],
    ],
    ['without what Connection nominates', ['Connection: x-hop, close', 'X-Hop: 1', 'A: 1'], ['A: 1']],
    [
      'V09: with Cookie and Authorization though they are nominated',
      ['Connection: cookie, authorization', 'Cookie: a=1', 'Authorization: b'],
      ['Cookie: a=1', 'Authorization: b'],
    ],
    [
      'V10: without names of ours and their twins',
      ['X-Lockstep-Session: evil', 'x_lockstep_version: evil', 'X-Lockstep-Anything: 1', 'A: 1'],
      ['A: 1'],
    ],
    [
      'V10: without what only proxies say',
      [
        'X-Forwarded-For: 1.1.1.1',
        'Forwarded: for=1',
        'X-Real-IP: 1',
        'X_Forwarded_For: 1',
        'X-Forwarded-Port: 1',
      ],
      [],
    ],
    [
      'without twins of framing fields',
      ['Content_Length: 5', 'transfer_encoding: chunked', 'A_b: 1'],
      ['A_b: 1'],
    ],
    [
      'with conditionals',
      ['If-None-Match: "a"', 'Range: bytes=0-1'],
      ['If-None-Match: "a"', 'Range: bytes=0-1'],
    ],
    ['with two Cookie lines as two', ['Cookie: a=1', 'Cookie: b=2'], ['Cookie: a=1', 'Cookie: b=2']],
  ];
  it.each(rows)('%s', (_name, given, want) => {
    expect(up([...GET, ...given])).toEqual([...GET, ...want, ...OURS]);
  });

  it('without conditionals and ranges for a navigation that is new or re-pinned', () => {
    const given = [
      'If-None-Match: "a"',
      'If-Modified-Since: x',
      'If-Range: x',
      'Range: bytes=0-',
      'If-Match: *',
      'A: 1',
    ];
    expect(up([...GET, ...given], { dropConditionals: true })).toEqual([...GET, 'A: 1', ...OURS]);
  });

  it('with its length or coding written anew, nominated or not', () => {
    const length = [
      'POST / HTTP/1.1',
      'Host: shop.example',
      'Connection: Content-Length',
      'content-length:   5',
    ];
    expect(up(length)).toEqual(['POST / HTTP/1.1', 'Host: shop.example', 'Content-Length: 5', ...OURS]);
    const chunked = [
      'DELETE / HTTP/1.1',
      'Host: shop.example',
      'Connection: Transfer-Encoding',
      'transfer-encoding: CHUNKED',
    ];
    expect(up(chunked)).toEqual([
      'DELETE / HTTP/1.1',
      'Host: shop.example',
      'Transfer-Encoding: chunked',
      ...OURS,
    ]);
  });

  it('V07: without the pin when it is stripped, other cookies untouched', () => {
    expect(up([...GET, 'Cookie: a="1,2"; lockstep=1.v1~x; b'], { strip: true })).toEqual([
      ...GET,
      'Cookie: a="1,2"; b',
      ...OURS,
    ]);
    expect(up([...GET, 'Cookie: lockstep=1', 'A: 1'], { strip: true })).toEqual([...GET, 'A: 1', ...OURS]);
  });

  it('as a handshake only to a WebSocket', () => {
    const given = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Key: x'];
    expect(up([...GET, ...given])).toEqual([
      ...GET,
      'Sec-WebSocket-Key: x',
      'Connection: Upgrade',
      'Upgrade: websocket',
      ...OURS,
    ]);
  });

  it('with a Host when a 1.0 client sent none', () => {
    expect(up(['GET / HTTP/1.0'])).toEqual(['GET / HTTP/1.1', 'Host: 192.0.2.9:80', ...OURS]);
  });
});

/** What the gateway says where the application says nothing. */
const OWN_DATE = 'Date: Thu, 01 Jan 1970 00:00:00 GMT';
const NO_EDITS = {
  setCookies: [],
  cacheControl: null,
  update: null,
  preview: null,
  isDocument: false,
  isPosted: false,
};

function answerHead(lines: readonly string[]): ResponseHead {
  const head = new ResponseHead();
  expect(head.read([...lines, '', ''].join('\r\n'), 'GET', 100)).toBeNull();
  return head;
}

function down(lines: readonly string[], extras = {}): string[] {
  const about = {
    version: 'v1',
    edits: NO_EDITS,
    framing: 'length' as const,
    closes: false,
    date: 'Thu, 01 Jan 1970 00:00:00 GMT',
  };
  const head = new AnswerLines(answerHead(lines), 'lockstep').all({ ...about, ...extras }).split('\r\n');
  return head.filter((line) => line !== OWN_DATE);
}

describe('an answer head goes down', () => {
  const OK = ['HTTP/1.1 200 OK'];
  const END = ['Content-Length: 3', 'x-lockstep-version: v1', '', ''];

  it('without hop-by-hop and nominated fields', () => {
    const given = [
      'Connection: x-hop, close',
      'X-Hop: 1',
      'Keep-Alive: timeout=5',
      'Proxy-Connection: x',
      'Content-Length: 3',
    ];
    expect(down([...OK, ...given])).toEqual([...OK, ...END]);
  });

  it('V05: without the application’s cookie of the pin’s name, with its others in order', () => {
    const given = [
      'Set-Cookie: a=1',
      'Set-Cookie: lockstep=evil; Path=/',
      'Set-Cookie: b=2',
      'Content-Length: 3',
    ];
    expect(down([...OK, ...given])).toEqual([...OK, 'Set-Cookie: a=1', 'Set-Cookie: b=2', ...END]);
  });

  it('without what an upstream says in our name', () => {
    expect(down([...OK, 'x-lockstep-version: v9', 'x-lockstep-reload: 1', 'Content-Length: 3'])).toEqual([
      ...OK,
      ...END,
    ]);
  });

  it('with the space before a colon dropped', () => {
    expect(down([...OK, 'X-A : 1', 'Content-Length : 3'])).toEqual([...OK, 'X-A: 1', ...END]);
  });

  it('V06: with the pin and a private Cache-Control in place of its own', () => {
    const edits = {
      ...NO_EDITS,
      setCookies: ['lockstep=1'],
      cacheControl: 'private',
      update: 'v2',
      isDocument: true,
    };
    expect(
      down(
        [
          ...OK,
          'Cache-Control: public',
          'CDN-Cache-Control: max-age=9',
          'Surrogate-Control: x',
          'Vary: a',
          'Content-Length: 3',
        ],
        { edits, closes: true },
      ),
    ).toEqual([
      ...OK,
      'Vary: a',
      'Content-Length: 3',
      'Connection: close',
      'x-lockstep-version: v1',
      'server-timing: lockstep;desc="v1"',
      'x-lockstep-update: v2',
      'Cache-Control: private',
      'Set-Cookie: lockstep=1',
      '',
      '',
    ]);
  });

  it.each([
    ['one of its own where there is none', 'A: 1', OWN_DATE],
    ["the application's otherwise", 'DATE: yesterday', 'DATE: yesterday'],
  ])('with a Date: %s', (_name, line, want) => {
    const lines = new AnswerLines(answerHead([...OK, line, 'Content-Length: 3']), 'l');
    const date = OWN_DATE.slice('Date: '.length);
    const sent = lines.all({ version: 'v1', edits: NO_EDITS, framing: 'length', closes: false, date });
    expect(sent.split('\r\n').filter((one) => /^date:/i.test(one))).toEqual([want]);
  });

  it('without a length for 204', () => {
    expect(down(['HTTP/1.1 204 No Content', 'Content-Length: 3'], { framing: 'none' })).toEqual([
      'HTTP/1.1 204 No Content',
      'x-lockstep-version: v1',
      '',
      '',
    ]);
  });

  it('as an interim answer with nothing of ours', () => {
    const head = answerHead(['HTTP/1.1 103 Early Hints', 'Link: </a>', 'Set-Cookie: a=1', 'Connection: x']);
    expect(clientInterimHead(head)).toBe('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n');
  });

  it('as the answer to a handshake', () => {
    const head = answerHead([
      'HTTP/1.1 101 Switching Protocols',
      'Upgrade: websocket',
      'Connection: upgrade',
      'Sec-WebSocket-Accept: x',
      'Set-Cookie: a=1',
      'Set-Cookie: lockstep=1',
    ]);
    expect(clientSwitchingHead(head, 'v1', 'lockstep').split('\r\n')).toEqual([
      'HTTP/1.1 101 Switching Protocols',
      'Sec-WebSocket-Accept: x',
      'Set-Cookie: a=1',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'x-lockstep-version: v1',
      '',
      '',
    ]);
  });
});
