// Chunked bodies: sizes in odd notations, extensions in every form, trailers of all kinds, wrong ends.

import fc from 'fast-check';
import { fieldLines } from './field-grammar.ts';
import { LINE_END, seldom } from './mutations.ts';

const DATA = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'hello', 'GET / HTTP/1.1', '0\r\n\r\n', '\r\n', '\0\xff') },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 300 }).map((length) => 'd'.repeat(length)) },
);

type Notation = (size: number) => string;
const hex: Notation = (size) => size.toString(16);
const SIZE: fc.Arbitrary<Notation> = seldom(
  fc.constantFrom<Notation[]>(
    hex,
    hex,
    hex,
    (size) => hex(size).toUpperCase(),
    (size) => `0${hex(size)}`,
  ),
  fc.constantFrom<Notation[]>(
    ...[
      (size: number) => `+${hex(size)}`,
      (size: number) => ` ${hex(size)}`,
      (size: number) => `${hex(size)} `,
    ],
    ...[
      (size: number) => `0x${hex(size)}`,
      (size: number) => `-${hex(size)}`,
      (size: number) => `${hex(size)}\t`,
    ],
    ...[(size: number) => hex(size + 1), (size: number) => hex(size - 1), (size: number) => `${hex(size)}.`],
    ...[() => '', () => 'g', () => '10000000000000000', () => 'ffffffffffffffff', () => '20000000000000'],
    ...[(size: number) => hex(size).padStart(16, '0'), (size: number) => hex(size).padStart(17, '0')],
    ...[(size: number) => hex(size).padStart(40, '0'), (size: number) => `_${hex(size)}`],
    ...[(size: number) => `${hex(size)}\0`, (size: number) => `1${'0'.repeat(16)}${hex(size)}`],
  ),
  60,
);

const EXTENSION = seldom(
  fc.constantFrom(...['', '', '', '', ';a', ';a=b', ';a="b c"', ';a="\\""', ';a=b;c', ';ieof', ';a="";b=1']),
  fc.oneof(
    fc.constantFrom(
      ...[
        ';',
        ' ;a',
        ';a=',
        '; a',
        ';a =b',
        ';a= b',
        ';a;',
        ';;a',
        ';a="b',
        ';a="\n"',
        ';a=\xff',
        ';a="\xff"',
        ';\0',
      ],
      ...[
        ';a="\\\r"',
        ';a\n',
        ';a="b"c',
        ';a="b" ',
        ';a=b"',
        '=a',
        ',a',
        ';a=(',
        ';a\rb',
        ';a="\\',
        ';a="\x7f"',
        ';a="\t"',
      ],
    ),
    fc.integer({ min: 4_085, max: 4_105 }).map((length) => `;${'e'.repeat(length)}`),
  ),
  40,
);

const CHUNK = fc
  .tuple(DATA, SIZE, EXTENSION, LINE_END, LINE_END)
  .map(
    ([data, size, extension, first, second]) => `${size(data.length)}${extension}${first}${data}${second}`,
  );

const LAST = fc
  .tuple(
    seldom(
      fc.constantFrom('0', '0', '00'),
      fc.constantFrom('', '-0', '0x0', '+0', ' 0', '0 ', '0'.repeat(17)),
      60,
    ),
    EXTENSION,
    LINE_END,
  )
  .map((parts) => parts.join(''));

const TRAILERS = seldom(
  fc.oneof({ weight: 3, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fieldLines(3) }),
  fc.oneof(
    fc.constantFrom(
      'Content-Length: 5\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Host: evil\r\n',
      ' X: 1\r\n',
      'X\r\n',
    ),
    fc.integer({ min: 8_170, max: 8_200 }).map((length) => `X: ${'t'.repeat(length)}\r\n`),
  ),
  40,
);

/** A whole body with its last chunk and trailers. */
export const CHUNKED_BODY: fc.Arbitrary<string> = fc
  .tuple(fc.array(CHUNK, { maxLength: 4 }), LAST, TRAILERS, LINE_END)
  .map(([chunks, last, trailers, end]) => `${chunks.join('')}${last}${trailers}${end}`);
