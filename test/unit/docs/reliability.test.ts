// docs/reliability.md promises tests: those it names exist, and no row of the hardening list is left out.

import { existsSync, readFileSync } from 'node:fs';
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
});
