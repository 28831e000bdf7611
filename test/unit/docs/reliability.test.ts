// docs/reliability.md promises tests: those it names exist, and no row of the hardening list is left out.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');
const text = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8');

const idsOf = (letter: string, count: number, digits: number): string[] =>
  Array.from({ length: count }, (_, n) => letter + String(n + 1).padStart(digits, '0'));

describe('docs/reliability.md', () => {
  it('names only paths that exist', () => {
    const paths = [...text.matchAll(/`((?:src|test|docs|scripts)\/[\w./-]*)`/g)].map(([, path]) => path!);
    expect(paths.length).toBeGreaterThan(50);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('speaks of every attack, fault and promise', () => {
    const ids = [...idsOf('T', 22, 2), ...idsOf('V', 12, 2), ...idsOf('M', 10, 2), ...idsOf('P', 9, 1)];
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    expect(ids.filter((id) => !rows.some((row) => row.split('|')[1]!.split(/[ ,]+/).includes(id)))).toEqual(
      [],
    );
  });

  it('shows each attack and fault by a test with its id in the name, or says that there is none', () => {
    const names = testNames();
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    const missing = [...idsOf('T', 22, 2), ...idsOf('V', 12, 2), ...idsOf('M', 10, 2), 'P9'].filter((id) => {
      const row = rows.find((line) => line.split('|')[1]!.split(/[ ,]+/).includes(id));
      const isNone = /\|\s*none/.test(row ?? '');
      return !isNone && !names.some((name) => new RegExp(`\\b${id}\\b`).test(name));
    });
    expect(missing).toEqual([]);
  });

  it('names only cases that the corpus has', () => {
    const files = ['requests', 'responses'].map((name) => join(ROOT, `test/corpus/${name}.jsonl`));
    const cases = files.map((file) => readFileSync(file, 'utf8')).join('\n');
    const corpusRows = text.split('\n').filter((line) => /^\|.*\bcorpus\b/i.test(line));
    const named = corpusRows.flatMap((line) => line.match(/\b[A-ER]\d{2}\b/g) ?? []);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((id) => !cases.includes(`"${id}"`))).toEqual([]);
  });
});

/** What stands in quotes behind `test`, `it`, `describe` or their kin, and in the rows of tables. */
function testNames(): readonly string[] {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.test.ts'),
  );
  return files.flatMap((file) => {
    const source = readFileSync(join(ROOT, 'test', file), 'utf8');
    const code = source.replaceAll(/^\s*\/\/.*$/gm, '');
    return [...code.matchAll(/(['`"])((?:(?!\1).)*)\1/g)].map(([, , name]) => name!);
  });
}
