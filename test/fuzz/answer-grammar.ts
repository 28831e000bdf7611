// Answers as applications, other proxies and broken programs may give them: interim ones, then one, framed by length,
// by chunks, by the connection's end, or not quite.

import fc from 'fast-check';
import { CHUNKED_BODY } from './chunk-grammar.ts';
import { fieldLine, fieldLines } from './field-grammar.ts';
import { delimiter, LINE_END, mutated, PIECES, seldom } from './mutations.ts';

export interface AnswerCase {
  /** latin1: a character is an octet. The upstream ends the connection behind it. */
  readonly text: string;
  /** Of the request that is answered so. */
  readonly method: string;
  readonly pieces: readonly number[];
}

const VERSION = seldom(
  fc.constantFrom('HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0'),
  fc.constantFrom(
    'HTTP/1.2',
    'HTTP/2.0',
    'HTTP/0.9',
    'http/1.1',
    'HTTP/1.',
    'HTTP/11',
    'ICY',
    '',
    'HTTP/1.1\t',
    'RTSP/1.0',
  ),
  60,
);
const STATUS = seldom(
  fc.constantFrom('200', '200', '204', '302', '304', '404', '500', '206', '299', '599'),
  fc.constantFrom('999', '099', '20', '2000', '', '2x0', ' 200', '101', '100', '600', '-20', '0x2'),
  40,
);
const REASON = seldom(
  fc.constantFrom('OK', '', 'Not Found', 'caf\xe9', 'a  b', 'O:K'),
  fc.constantFrom('a\0b', 'a\rb', '\x7f', 'a\nb', '\t', 'a\x01', 'r'.repeat(500)),
  60,
);
const SPACE = delimiter(' ', '', '  ', '\t', '\0', '\xa0');

const BODY = fc.oneof(
  fc.constantFrom('hello', 'a', '', 'HTTP/1.1 200 OK\r\n\r\n', '0\r\n\r\n', '\0\xff'),
  fc.integer({ min: 1, max: 200 }).map((length) => 'b'.repeat(length)),
);

const WITH_LENGTH = BODY.chain((body) =>
  fieldLine(
    fc.constantFrom('Content-Length', 'content-length'),
    seldom(
      fc.constant(String(body.length)),
      fc.constantFrom(
        `+${body.length}`,
        `0${body.length}`,
        '5, 5',
        '',
        '-1',
        '9007199254740992',
        'x',
        `${body.length + 3}`,
      ),
      15,
    ),
  ).map((lines) => ({ lines, body })),
);
const WITH_CHUNKS = fc
  .tuple(
    fieldLine(
      fc.constantFrom('Transfer-Encoding', 'transfer-encoding'),
      seldom(
        fc.constantFrom('chunked', 'Chunked'),
        fc.constantFrom('gzip, chunked', 'chunked, chunked', 'x', '', 'identity'),
      ),
    ),
    CHUNKED_BODY,
  )
  .map(([lines, body]) => ({ lines, body }));
const WITH_BOTH = fc
  .tuple(WITH_LENGTH, WITH_CHUNKS)
  .map(([length, chunks]) => ({ lines: length.lines + chunks.lines, body: chunks.body }));

/** The same framing field twice, as it is or in other words. */
const WITH_TWO = fc
  .tuple(fc.oneof(fc.tuple(WITH_LENGTH, WITH_LENGTH), fc.tuple(WITH_CHUNKS, WITH_CHUNKS)), fc.boolean())
  .map(([[first, second], isSame]) => ({
    lines: first.lines + (isSame ? first : second).lines,
    body: first.body,
  }));

const FRAMED = fc.oneof(
  { weight: 10, arbitrary: WITH_LENGTH },
  { weight: 20, arbitrary: WITH_CHUNKS },
  { weight: 5, arbitrary: BODY.map((body) => ({ lines: '', body })) },
  { weight: 5, arbitrary: fc.constant({ lines: 'Content-Length: 0\r\n', body: '' }) },
  { weight: 1, arbitrary: WITH_BOTH },
  { weight: 1, arbitrary: WITH_TWO },
);

const INTERIM = fc
  .tuple(fc.constantFrom('100', '102', '103', '101', '199'), fieldLines(2))
  .map(([status, lines]) => `HTTP/1.1 ${status} x\r\n${lines}\r\n`);

const ANSWER = fc
  .tuple(
    seldom(fc.constant<string[]>([]), fc.array(INTERIM, { minLength: 1, maxLength: 3 }), 10),
    fc.tuple(VERSION, SPACE, STATUS, SPACE, REASON, LINE_END),
    fieldLines(3),
    FRAMED,
    fc.tuple(fieldLines(1), LINE_END),
  )
  .map(([interim, line, before, framed, after]) =>
    [...interim, ...line, before, framed.lines, ...after, framed.body].join(''),
  );

export const ANSWERS: fc.Arbitrary<AnswerCase> = fc.record({
  text: mutated(ANSWER),
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'HEAD'),
  pieces: PIECES,
});
