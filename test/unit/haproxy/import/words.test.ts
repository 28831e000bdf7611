// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of HAProxy
import { describe, expect, it } from 'vitest';
import { expandAddress, splitWords } from '../../../../src/haproxy/import/words.ts';

const VALUES: Readonly<Record<string, string>> = { NAME: 'value', EMPTY: '', LIST: 'a b  c', '.LINE': '7' };
const variables = { read: (name: string) => VALUES[name] ?? null };

// Rows of HAProxy's manual, section 2.2, and of its parse_line().
const ROWS: readonly { name: string; given: string; want: readonly string[]; unset?: readonly string[] }[] = [
  {
    name: 'blanks and tabs separate',
    given: '\t server  web01\t10.0.0.1:80 ',
    want: ['server', 'web01', '10.0.0.1:80'],
  },
  { name: 'a hash begins a comment, wherever it stands', given: 'daemon#now # and then', want: ['daemon'] },
  {
    name: 'a hash in quotes, or escaped, is a hash',
    given: 'a "#" \'#\' \\# b',
    want: ['a', '#', '#', '#', 'b'],
  },
  { name: 'a line of nothing has no words', given: '   # nothing', want: [] },
  { name: 'a blank is escaped or quoted', given: 'a\\ b "c d" \'e f\'', want: ['a b', 'c d', 'e f'] },
  { name: 'quotes join what they touch', given: 'a"b c"\'d e\'f', want: ['ab cd ef'] },
  { name: 'a pair of quotes is a word', given: 'a "" \'\'', want: ['a', '', ''] },
  { name: 'single quotes keep everything', given: '\'\\n $NAME "x" #\'', want: ['\\n $NAME "x" #'] },
  { name: 'escapes of C', given: 'a\\tb\\nc\\rd\\x41', want: ['a\tb\nc\rdA'] },
  { name: 'quotes and the backslash itself are escaped', given: '\\" \\\' \\\\', want: ['"', "'", '\\'] },
  { name: 'another escape is left as it is', given: '\\1 \\. "\\d+"', want: ['\\1', '\\.', '\\d+'] },
  { name: 'a backslash at the end is a backslash', given: 'a \\', want: ['a', '\\'] },
  { name: 'a carriage return ends the line', given: 'a b\r', want: ['a', 'b'] },
  { name: 'variables are read in double quotes', given: '"$NAME" "x${NAME}y"', want: ['value', 'xvaluey'] },
  { name: 'variables are not read elsewhere', given: "$NAME '${NAME}'", want: ['$NAME', '${NAME}'] },
  { name: 'a dollar sign is escaped', given: '"\\$NAME"', want: ['$NAME'] },
  { name: 'a default counts for what is not set', given: '"${NONE-127.0.0.1}:80"', want: ['127.0.0.1:80'] },
  { name: 'a default does not count for what is empty', given: '"${EMPTY-x}"', want: [''] },
  {
    name: 'what is not set is told',
    given: '"$NONE" "${OTHER}x"',
    want: ['', 'x'],
    unset: ['NONE', 'OTHER'],
  },
  { name: 'a list becomes words', given: 'x "${LIST[*]}" y', want: ['x', 'a', 'b', 'c', 'y'] },
  { name: 'a list of nothing is no word', given: 'x "${EMPTY[*]}" y', want: ['x', 'y'] },
  { name: 'places are variables', given: '"${.LINE}"', want: ['7'] },
];

describe('a line of HAProxy', () => {
  it.each(ROWS)('$name', ({ given, want, unset = [] }) => {
    expect(splitWords(given, variables)).toEqual({ ok: true, words: want, unset });
  });

  it.each([
    {
      name: 'a quote that is not closed',
      given: 'acl x "y',
      want: /^expected the quote " at column 7 to be closed/,
    },
    {
      name: 'a quote that is not closed, in another',
      given: '\'a"',
      want: /^expected the quote ' at column 1/,
    },
    {
      name: 'half an octet',
      given: 'a \\x4',
      want: /^expected two hexadecimal digits after \\x at column 3$/,
    },
    {
      name: 'a dollar sign without a name',
      given: '"a $"',
      want: /^expected the name of a variable after \$ at column 4$/,
    },
    { name: 'a brace that is not closed', given: '"${NAME"', want: /^expected the name of a variable/ },
  ])('is refused with $name', ({ given, want }) => {
    expect(splitWords(given, variables)).toEqual({
      ok: false,
      column: expect.any(Number),
      message: expect.stringMatching(want),
      advice: expect.stringMatching(/./),
    });
  });

  it('has variables in addresses without quotes', () => {
    expect(expandAddress('$NAME:${NAME}', variables)).toEqual({ text: 'value:value', unset: [] });
    expect(expandAddress('*:$NONE', variables)).toEqual({ text: '*:', unset: ['NONE'] });
  });
});
