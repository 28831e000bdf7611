// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of HAProxy
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../../../src/config/load.ts';
import { readSites, type Site } from '../../../kit/haproxy-sites.ts';
import { type Asked, runImport } from './run-import.ts';

// Whatever the file says: nothing is thrown, what cannot be imported has problems with a place and advice, and what is
// printed passes the check of the gateway that will read it.

const WORDS = [
  ...[
    'global',
    'defaults',
    'frontend',
    'backend',
    'listen',
    'from',
    'mode',
    'http',
    'tcp',
    'bind',
    'server',
    'web01',
  ],
  ...[
    'server-template',
    '_web._tcp.x.example',
    'default-server',
    'cookie',
    'insert',
    'dynamic',
    'domain',
    'maxidle',
    'maxlife',
    'option',
    'httpchk',
  ],
  ...[
    'http-check',
    'send',
    'expect',
    'status',
    'rstatus',
    'timeout',
    'client',
    'connect',
    'queue',
    'tunnel',
    'check',
    'inter',
  ],
  ...[
    'rise',
    'fall',
    'weight',
    'maxconn',
    'maxqueue',
    'disabled',
    'backup',
    'ssl',
    'crt',
    'verify',
    'required',
    'accept-proxy',
  ],
  ...[
    'send-proxy',
    'send-proxy-v2',
    'slowstart',
    'balance',
    'source',
    'uri',
    'hdr(host)',
    '-i',
    'acl',
    'if',
    'unless',
    '{',
    '}',
  ],
  ...[
    '!{',
    'ssl_fc',
    'use_backend',
    'default_backend',
    'a',
    'b',
    '%[path]',
    'redirect',
    'scheme',
    'https',
    'no',
    'forwardfor',
  ],
  ...[
    'except',
    '10.0.0.0/8',
    '10.0.0.1:80',
    '10.0.0.2:8080',
    ':80',
    '[::1]:9090',
    '127.0.0.1:9090',
    'x.example',
    '/path',
    '0',
  ],
  ...[
    '1',
    '5s',
    '30d',
    '99999999999',
    '1-3',
    '2',
    '"$X"',
    '${X}',
    "'",
    '"',
    '\\',
    '#',
    '.if',
    '.else',
    '.endif',
    'feature(LUA)',
  ],
  ...[
    'constructor',
    '__proto__',
    'toString',
    'setenv',
    'default-path',
    'stick',
    'stick-table',
    '',
    '\u2028',
    '${',
    '\x07',
    'é',
  ],
];
const linesOf = (words: readonly string[], strings: number) =>
  fc.array(
    fc
      .array(
        fc.oneof(
          { weight: 9, arbitrary: fc.constantFrom(...words) },
          { weight: strings, arbitrary: fc.string({ maxLength: 8 }) },
        ),
        { maxLength: 8 },
      )
      .map((line) => line.join(' ')),
    { maxLength: 40 },
  );
const lines = linesOf(WORDS, 1);
/** Without what HAProxy refuses wherever it stands. */
const tame = linesOf(
  WORDS.filter((word) => !/^[.'"\\]/.test(word)),
  0,
);

/** Most of the way to a file that can be imported. */
const nearly = fc
  .tuple(tame, tame, tame)
  .map(([defaults, front, back]) =>
    [
      'defaults',
      'mode http',
      ...defaults.map(asLine),
      'frontend a',
      'bind :80',
      'default_backend b',
      ...front.map(asLine),
      'backend b',
      'server web01 10.0.0.1:80 check',
      'server web02 10.0.0.2:80',
      ...back.map(asLine),
    ].join('\n'),
  );

/** Not the beginning of another section. */
function asLine(line: string): string {
  return line.replace(/^(global|defaults|frontend|backend|listen)\b/, 'option');
}

const asked: fc.Arbitrary<Asked> = fc.record({
  split: fc.constantFrom(
    undefined,
    undefined,
    { parts: [['web01'], ['web02']], names: null },
    { parts: [['web02', 'x'], []], names: ['1', 'é'] },
  ),
  backend: fc.constantFrom(undefined, undefined, undefined, 'b', 'constructor'),
  env: fc.constantFrom({}, { X: '10.0.0.9:80' }),
}) as fc.Arbitrary<Asked>;

function expectSound(text: string, given: Asked): boolean {
  const result = runImport(text, given);
  if (!result.ok) {
    expect(result.problems.length).toBeGreaterThan(0);
    for (const { file, line, message, advice } of result.problems) {
      expect(file).toBe('a.cfg');
      expect(line).toBeGreaterThanOrEqual(1);
      expect(message).toMatch(/./);
      expect(advice).toMatch(/./);
    }
    return false;
  }
  const checked = parseConfig(result.yaml, 'lockstep.yaml', {});
  expect(checked.ok ? [] : checked.problems, `${text}\n\n${result.yaml}`).toEqual([]);
  return true;
}

describe('any file', () => {
  it('of random words is imported soundly, or refused with reasons', () => {
    fc.assert(
      fc.property(lines, asked, (text, given) => {
        expectSound(text.join('\n'), given);
      }),
      { numRuns: 600 },
    );
  });

  it('of random octets is refused with reasons', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        expectSound(Buffer.from(octets).toString('latin1'), {});
      }),
      { numRuns: 300 },
    );
  });

  it('that is nearly good is imported soundly, often enough to tell', () => {
    let imported = 0;
    fc.assert(
      fc.property(nearly, asked, (text, given) => {
        if (expectSound(text, given)) imported++;
      }),
      { numRuns: 600 },
    );
    expect(imported).toBeGreaterThan(100);
  });

  const texts = readSites()
    .filter(({ path }: Site) => path.endsWith('.cfg'))
    .map(({ path }) => readFileSync(path, 'utf8'));

  it('that is like one of a real site, with words and lines changed, is imported soundly', () => {
    const change = fc.record({ line: fc.nat(), word: fc.nat(), with: fc.constantFrom(...WORDS) });
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.array(change, { maxLength: 6 }),
        asked,
        (text, changes, given) => {
          const changed = text.split('\n');
          for (const { line, word, with: put } of changes) {
            const at = line % changed.length;
            const split = changed[at]!.split(' ');
            split[word % split.length] = put;
            changed[at] = split.join(' ');
          }
          expectSound(changed.join('\n'), given);
        },
      ),
      { numRuns: 400 },
    );
  });
});
