// Requests as clients, attackers and broken programs may send them: one to three on a connection, each a head and the
// body that its framing fields promise, or not quite.

import { METHODS } from 'node:http';
import fc from 'fast-check';
import { CHUNKED_BODY } from './chunk-grammar.ts';
import { fieldLine, fieldLines } from './field-grammar.ts';
import { delimiter, LINE_END, mutated, PIECES, seldom } from './mutations.ts';

export interface RequestCase {
  /** latin1: a character is an octet. */
  readonly text: string;
  readonly pieces: readonly number[];
}

const METHOD = seldom(
  fc.constantFrom('GET', 'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH'),
  fc.oneof(
    fc.constantFrom(...METHODS),
    fc.constantFrom(
      'BREW',
      'get',
      'GETT',
      'GE',
      '',
      'G T',
      'DESCRIBE',
      'PRI',
      '!#$',
      'G@T',
      'P\xd6ST',
      'M'.repeat(500),
    ),
  ),
  30,
);

const TARGET_CHARACTERS = fc.constantFrom(
  ...'abz09/?&=%.:;,@!$\'()*+~-_[]{}|\\^`"<>',
  '%2f',
  '%00',
  '../',
  '//',
  '??',
);
const PATH = fc.array(TARGET_CHARACTERS, { maxLength: 12 }).map((parts) => `/${parts.join('')}`);
const ABSOLUTE = fc.constantFrom(
  ...[
    'http://shop.example/a',
    'http://shop.example',
    'http://shop.example?q',
    'HTTP://SHOP.example/',
    'http://other/',
  ],
  ...[
    'https://shop.example/b?c',
    'http:///x',
    'http://a@shop.example/',
    'ftp://shop.example/',
    'http:shop.example',
  ],
  ...['http://shop.example:80/', 'http://[::1]/', 'http://shop.example/http://x/', 'http://shop.example#f'],
  ...[
    'http://shop.example\\@other/',
    'http://shop.example%00/',
    'http://[::1',
    'http:/shop.example/',
    'HTTP://shop.example.',
  ],
);
const TARGET = seldom(
  fc.oneof({ weight: 6, arbitrary: PATH }, { weight: 1, arbitrary: ABSOLUTE }),
  fc.oneof(
    fc.constantFrom(
      '*',
      '',
      'a',
      '/#',
      '/a b',
      '/\t',
      '/\x80',
      '/\x7f',
      '/\0',
      '/\r',
      '/\n',
      'shop.example:443',
      '?',
      '#',
      ...['//other/', '@other', '\\', '/\xc0\xaf', '/%c0%af', 'javascript:1', '**', '/*'],
    ),
    fc.integer({ min: 8_180, max: 8_200 }).map((length) => `/${'p'.repeat(length)}`),
  ),
  40,
);
const VERSION = seldom(
  fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
  fc.constantFrom(
    ...[
      'HTTP/1.2',
      'HTTP/1.9',
      'HTTP/2.0',
      'HTTP/0.9',
      'http/1.1',
      'HTTP/1.1 ',
      'HTTP/11',
      'HTTP/1.10',
      'HTTP/1.',
    ],
    ...['', 'HTTP/1,1', 'HTTP/01.1', 'HTTP/1.1x', 'HTTPS/1.1', 'RTSP/1.0', 'ICE/1.0', 'HTTP /1.1'],
  ),
  40,
);
const SPACE = delimiter(' ', '', '  ', '\t', '\0', '\x0b', '\xa0', '\r');

const HOST_VALUE = seldom(
  fc.constantFrom(
    'shop.example',
    'shop.example',
    'shop.example',
    'SHOP.EXAMPLE',
    'shop.example:80',
    '[::1]',
    '192.0.2.1',
  ),
  fc.constantFrom(
    '',
    'a b',
    'a,b',
    'a@b',
    'a/b',
    'shop.example:',
    'a:b',
    'a:65536',
    '[::1',
    'a\0',
    'a#',
    'other',
    '\xff',
    ...[
      'shop.example.',
      'a%00',
      'a%zz',
      'a;b',
      '$(a)',
      '[::::]',
      '[::1%25eth0]',
      '[1.2.3.4]',
      '[v1.x]',
      'a\\b',
      'a:+1',
    ],
  ),
  60,
);
const HOST_LINE = fieldLine(fc.constantFrom('Host', 'Host', 'host', 'HOST'), HOST_VALUE);
const HOST = seldom(
  HOST_LINE,
  fc.oneof(
    fc.constant(''),
    fc.tuple(HOST_LINE, HOST_LINE).map((lines) => lines.join('')),
  ),
  80,
);

interface Framed {
  readonly lines: string;
  readonly body: string;
}

const BODY = fc.oneof(
  fc.constantFrom(
    'hello',
    'a',
    '',
    'GET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n',
    '0\r\n\r\n',
    '\r\n',
    '\0\xff',
  ),
  fc.integer({ min: 1, max: 200 }).map((length) => 'b'.repeat(length)),
);

const WITH_LENGTH: fc.Arbitrary<Framed> = BODY.chain((body) => {
  const digits = String(body.length);
  const value = seldom(
    fc.constant(digits),
    fc.constantFrom(
      ...[
        `+${digits}`,
        `0${digits}`,
        `${digits},${digits}`,
        `-${digits}`,
        `0x${digits}`,
        `${digits} ${digits}`,
        '',
      ],
      ...[
        `${digits}.`,
        `${digits}e0`,
        `${digits};`,
        `"${digits}"`,
        `${digits}\0`,
        '9007199254740991',
        '9007199254740992',
      ],
      ...[
        '18446744073709551616',
        `${digits}\xa0`,
        `${digits}_0`,
        `${body.length + 1}`,
        `${Math.max(body.length - 1, 0)}`,
      ],
    ),
    15,
  );
  return fieldLine(fc.constantFrom('Content-Length', 'Content-Length', 'content-length'), value).map(
    (lines) => ({
      lines,
      body,
    }),
  );
});

const CODING = seldom(
  fc.constantFrom('chunked', 'chunked', 'Chunked', 'CHUNKED'),
  fc.constantFrom(
    ...[
      'chunked, chunked',
      'gzip, chunked',
      'chunked, gzip',
      'chunked;q=1',
      'x',
      'identity',
      '',
      'chunked,',
      ',chunked',
    ],
    ...[
      'chunked\xa0',
      '\x0bchunked',
      '"chunked"',
      'chunked chunked',
      'chunke',
      'xchunked',
      'chunked\0',
      'identity, chunked',
    ],
  ),
  20,
);
const WITH_CHUNKS: fc.Arbitrary<Framed> = fc
  .tuple(fieldLine(fc.constantFrom('Transfer-Encoding', 'transfer-encoding'), CODING), CHUNKED_BODY)
  .map(([lines, body]) => ({ lines, body }));

const WITH_BOTH: fc.Arbitrary<Framed> = fc
  .tuple(WITH_LENGTH, WITH_CHUNKS, fc.constantFrom<('length' | 'chunks')[]>('length', 'chunks'))
  .map(([length, chunks, which]) => ({
    lines: which === 'length' ? length.lines + chunks.lines : chunks.lines + length.lines,
    body: which === 'length' ? length.body : chunks.body,
  }));

/** The same framing field twice, as it is or in other words. */
const WITH_TWO = fc
  .tuple(fc.oneof(fc.tuple(WITH_LENGTH, WITH_LENGTH), fc.tuple(WITH_CHUNKS, WITH_CHUNKS)), fc.boolean())
  .map(([[first, second], isSame]) => ({
    lines: first.lines + (isSame ? first : second).lines,
    body: first.body,
  }));

const FRAMED: fc.Arbitrary<Framed> = fc.oneof(
  { weight: 20, arbitrary: fc.constant({ lines: '', body: '' }) },
  { weight: 10, arbitrary: WITH_LENGTH },
  { weight: 24, arbitrary: WITH_CHUNKS },
  { weight: 1, arbitrary: WITH_BOTH },
  { weight: 1, arbitrary: WITH_TWO },
);

const EMPTY_LINES = seldom(
  fc.constant(''),
  fc.constantFrom('\r\n', '\r\n\r\n', '\r\n'.repeat(4), '\r\n'.repeat(5), '\n', '\r', ' ', '\r\n\n', '\0'),
  40,
);
const WEBSOCKET = seldom(fc.constant(''), fc.constant('Connection: Upgrade\r\nUpgrade: websocket\r\n'), 60);

const REQUEST = fc
  .tuple(
    fc.tuple(EMPTY_LINES, METHOD, SPACE, TARGET, SPACE, VERSION, LINE_END),
    fc.tuple(HOST, fieldLines(3), WEBSOCKET),
    FRAMED,
    fc.tuple(fieldLines(1), LINE_END),
  )
  .map(([line, before, framed, after]) => [...line, ...before, framed.lines, ...after, framed.body].join(''));

/** What comes on one connection. */
export const REQUESTS: fc.Arbitrary<RequestCase> = fc.record({
  text: mutated(fc.array(REQUEST, { minLength: 1, maxLength: 3 }).map((requests) => requests.join(''))),
  pieces: PIECES,
});
