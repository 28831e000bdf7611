// Field lines: names that the gateway knows and names that it does not, in odd cases, doubled, as underscore twins;
// values with lists, quotes, obs-text and controls; folded lines; and sometimes very many or very long ones.

import fc from 'fast-check';
import { delimiter, LINE_END, seldom } from './mutations.ts';

const KNOWN = [
  ...['Accept', 'User-Agent', 'Cookie', 'Cache-Control', 'Content-Type', 'Authorization', 'If-None-Match'],
  ...[
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'Forwarded',
    'X-Real-IP',
    'x-lockstep-version',
    'x-lockstep-hops',
  ],
  ...[
    'Sec-Fetch-Dest',
    'Set-Cookie',
    'Expires',
    'Range',
    'Content-Encoding',
    'Date',
    'Via',
    'Vary',
    'Trailer',
    'TE',
  ],
  // What proxies, caches and CGI programs obey.
  ...['X-Forwarded-Prefix', 'Proxy', 'Max-Forwards', 'Authorization', 'Location', 'WWW-Authenticate', 'Vary'],
];
const HOP_BY_HOP = ['Connection', 'Keep-Alive', 'Proxy-Connection', 'Upgrade', 'HTTP2-Settings', 'Expect'];
const FRAMING = ['Host', 'Content-Length', 'Transfer-Encoding'];
const UNKNOWN = [
  'X',
  'a',
  'X-Long-Unknown-Name-Of-Somebody',
  "!#$%&'*+-.^_`|~",
  '0',
  '__proto__',
  'constructor',
];
const ODD_NAMES = [
  ...[
    '',
    ' ',
    'X Y',
    'X\t',
    'X;',
    'X(',
    'X\x80',
    'X"',
    'X/',
    'X@',
    'X\0',
    ' X',
    '\tX',
    'X:',
    '\x0bX',
    '[x]',
    'X\x7f',
  ],
  ...[
    'content_length',
    'Transfer_Encoding',
    'x_forwarded_for',
    'HOST',
    'CoNtEnT-lEnGtH',
    'tRANSFER-eNCODING',
  ],
  // As scanners for smuggling spell them.
  ...[
    'Transfer Encoding',
    'Transfer-Encoding x',
    'Transf\x82r-Encoding',
    'Transfer-%45ncoding',
    'Transfer\\Encoding',
    'Content-Length\r',
  ],
  ...[
    'X.Forwarded.For',
    'x_forwarded_prefix',
    'X-Lockstep_Version',
    'http2_settings',
    'sec_fetch_dest',
    'If_None_Match',
  ],
  'N'.repeat(300),
];

const NAME = seldom(
  fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...KNOWN) },
    { weight: 4, arbitrary: fc.constantFrom(...UNKNOWN) },
    { weight: 2, arbitrary: fc.constantFrom(...HOP_BY_HOP) },
  ),
  fc.constantFrom(...ODD_NAMES, ...FRAMING),
  40,
);

const CASED = fc
  .tuple(NAME, fc.constantFrom('as it is', 'as it is', 'as it is', 'lower', 'upper'))
  .map(([name, how]) => (how === 'lower' ? name.toLowerCase() : how === 'upper' ? name.toUpperCase() : name));

const CONNECTION = fc.constantFrom(
  ...['keep-alive', 'Upgrade', 'close', 'Close', 'x', 'cookie', 'keep-alive, Upgrade', 'upgrade,close'],
  ...[
    ',',
    ',close',
    'close,',
    'keep-alive\t,close',
    '"close"',
    'close;q=1',
    'clos',
    'closer',
    '',
    'TE, X-Hop',
  ],
  ...[
    'content-length',
    'host, transfer-encoding',
    '\xa0close',
    'x-lockstep-version',
    'keep-alive,keep-alive',
  ],
  ...['\xa0upgrade', 'upgrade\xa0', 'x-a ,\tX', 'expect', 'HTTP2-Settings, Upgrade'],
);
const UPGRADE = fc.constantFrom(
  ...['websocket', 'WebSocket', 'h2c', 'websocket, h2c', 'h2c, websocket', '', 'tls/1.0'],
  ...['\xa0websocket', 'websocket/13', 'websocket,', '"websocket"'],
);
const EXPECT = fc.constantFrom(
  ...['100-continue', '100-Continue', '100-CONTINUE', '200-ok', '', '100-continue, 100-continue'],
  ...['y 100-continue', '"100-continue"', '100-continue;a=b', '\xa0100-continue'],
);
const LENGTH = fc.constantFrom(
  '0',
  '5',
  '00',
  '+5',
  '-1',
  '5 5',
  '5,5',
  '',
  '0x5',
  '9007199254740992',
  '\xb2',
);
const CODING = fc.constantFrom(
  'chunked',
  'Chunked',
  'gzip, chunked',
  'identity',
  '',
  'chunked, chunked',
  'x',
);

const TEXT = fc
  .array(fc.constantFrom(...'abcXYZ019 \t,;="\\()<>@[]{}?/:-_.~%#&+*!$\'`^|\x80\xa0\xff'), { maxLength: 24 })
  .map((letters) => letters.join(''));
const PLAIN = fc.constantFrom(
  '1',
  'a=1; b=2',
  'text/html, */*;q=0.8',
  '"quoted, text"',
  '',
  '192.0.2.1',
  'no-cache',
);
const ODD_VALUES = fc.constantFrom(
  ...[
    'a\0b',
    'a\rb',
    'a\nb',
    'a\x01',
    '\x7f',
    'a\x1fb',
    'a\r\n b',
    'a\r\n\tb',
    'a\r\n \r\n',
    '\x0b',
    '\x0c',
    'a\x08',
  ],
  'v'.repeat(2_000),
);

function valueFor(name: string): fc.Arbitrary<string> {
  switch (name.toLowerCase()) {
    case 'connection':
      return CONNECTION;
    case 'upgrade':
      return UPGRADE;
    case 'expect':
      return EXPECT;
    case 'content-length':
      return LENGTH;
    case 'transfer-encoding':
      return CODING;
    default:
      return ANY_VALUE;
  }
}

const ANY_VALUE = seldom(fc.oneof(PLAIN, TEXT), ODD_VALUES, 60);

const COLON = delimiter(':', ' :', '\t:', '', ';', '=', '::', '\0:', ' ', '\r\n:', '\xa0:', '\x0b:');
const BEFORE = seldom(
  fc.constantFrom(' ', ' ', '', '\t', '   '),
  fc.constantFrom('\x0b', '\r\n ', '\xa0', '\0', '\x0c'),
  150,
);
const AFTER = seldom(
  fc.constantFrom('', '', '', '', '', '', '', '', ' ', '\t '),
  fc.constantFrom('\x0b', '\0', '\x0c', '\xa0'),
  150,
);

/** `name: value` with its line end. */
export function fieldLine(name: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(name, COLON, BEFORE, value, AFTER, LINE_END).map((parts) => parts.join(''));
}

const FIELD_LINE = CASED.chain((name) => fieldLine(fc.constant(name), valueFor(name)));

/** Blocks that come near a limit: very many lines (limits.headers), cookies, or one very long value. */
const CROWDED = fc.oneof(
  fc.integer({ min: 96, max: 102 }).map((count) => 'X: 1\r\n'.repeat(count)),
  fc.integer({ min: 1, max: 15_950 }).map((length) => `X: ${'v'.repeat(length)}\r\n`),
  fc.integer({ min: 15_900, max: 16_400 }).map((length) => `X: ${'v'.repeat(length)}\r\n`),
  fc.integer({ min: 1, max: 2_500 }).map((count) => `Cookie: ${'a=b; '.repeat(count)}\r\n`),
);

/** Any number of lines, '' for none. */
export function fieldLines(maxLength: number): fc.Arbitrary<string> {
  const few = fc.array(FIELD_LINE, { maxLength }).map((lines) => lines.join(''));
  return seldom(few, CROWDED, 400);
}
