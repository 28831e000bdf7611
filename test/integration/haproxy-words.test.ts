// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of HAProxy
// Lines cut into words, and conditions judged, as the real HAProxy does: `.notice` makes it say what it read, and -cc
// judges a condition.

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { judgeCondition } from '../../src/haproxy/import/conditions.ts';
import { splitWords } from '../../src/haproxy/import/words.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { findTool, needsTool } from '../kit/tools.ts';

const ENV: Readonly<Record<string, string>> = { A: 'one', B: '', LIST: 'x y  z', PATH: '/usr/bin' };
const variables = { read: (name: string) => ENV[name] ?? null };
/** HAProxy stops reading a file at its fiftieth fault. */
const LINES = 40;

/** What is told of a line: its only word, its second one when there are more, or a fault. */
type Read = { readonly word: string } | { readonly second: string } | 'fault';

function readByUs(line: string): Read {
  const split = splitWords(`.notice ${line}`, variables);
  if (!split.ok) return 'fault';
  const [, first = '', second] = split.words;
  return second === undefined || second === '' ? { word: first } : { second };
}

describe.skipIf(!needsTool('haproxy'))('HAProxy', () => {
  let folder: TemporaryFolder;
  beforeAll(async () => {
    folder = await temporaryFolder('haproxy-words');
  });
  afterAll(async () => {
    await folder?.remove();
  });

  function readByHaproxy(lines: readonly string[]): readonly Read[] {
    const file = join(folder.path, 'words.cfg');
    writeFileSync(file, `${lines.map((line) => `.notice ${line}\n`).join('')}global\n`);
    const { stderr } = spawnSync(findTool('haproxy')!, ['-c', '-f', file], { env: ENV, encoding: 'utf8' });
    const told = new Map<number, Read>();
    for (const [, at, what] of stderr.matchAll(/parsing \[[^\]]*:(\d+)\]: (.*)/g)) {
      const word = /^'(.*)'\.$/.exec(what!)?.[1];
      const second = /^Unexpected argument '(.*)' for '\.notice'/.exec(what!)?.[1];
      told.set(Number(at), word !== undefined ? { word } : second !== undefined ? { second } : 'fault');
    }
    return lines.map((_, index) => told.get(index + 1) ?? 'fault');
  }

  it('cuts lines into the same words', () => {
    const pieces = [
      'a',
      'b1',
      ' ',
      ' ',
      '\t',
      '"',
      '"',
      "'",
      "'",
      '\\',
      '#',
      '$',
      '$A',
      '${A}',
      '${B}',
      '${C}',
      '${C-d e}',
      '${A-x}',
    ];
    const more = [
      '"${LIST[*]}"',
      '\\x41',
      '\\x4',
      '\\n',
      '\\1',
      '\\"',
      "\\'",
      '\\#',
      '\\$',
      '\\ ',
      '{',
      '}',
      '-',
      ',',
      '%[x]',
      'é',
    ];
    const line = fc
      .array(fc.constantFrom(...pieces, ...more), { maxLength: 9 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(line, { minLength: LINES, maxLength: LINES }), (lines) => {
        const theirs = readByHaproxy(lines);
        for (const [index, text] of lines.entries()) {
          const ours = readByUs(text);
          // A line break within a word ends what can be read of the message.
          if (JSON.stringify(ours).includes('\\n') || JSON.stringify(ours).includes('\\r')) continue;
          expect({ text, read: ours }).toEqual({ text, read: theirs[index] });
        }
      }),
      { numRuns: 15 },
    );
  });

  it.each([
    '0',
    '1',
    '!1',
    '! 0',
    '!!0',
    'defined(A)',
    'defined(B)',
    'defined(C)',
    'streq(a,a)',
    'streq(a, a)',
    'strneq(a,a)',
    '1 || 0 && 0',
    '(1 || 0) && 0',
    '!(0 || 0) && 1',
    'feature(OPENSSL)',
    'feature(WURFL)',
    'version_atleast(1.8)',
    'version_before(1.8)',
    'version_atleast(2.4-dev19)',
  ])('judges %s alike', (condition) => {
    const { status } = spawnSync(findTool('haproxy')!, ['-cc', condition], { env: ENV });
    expect(judgeCondition(condition.split(' '), variables)?.isTrue).toBe(status === 0);
  });
});
