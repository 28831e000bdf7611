// Imports one text, as tests need it.

import { type ImportResult, importHaproxy } from '../../../../src/haproxy/import/importer.ts';
import type { Split } from '../../../../src/haproxy/import/pools.ts';

export interface Asked {
  readonly backend?: string;
  readonly split?: Split;
  readonly env?: Readonly<Record<string, string>>;
  readonly isFolder?: (path: string) => boolean;
}

export function runImport(text: string, asked: Asked = {}): ImportResult {
  const { backend = null, split = null, env = {}, isFolder = () => false } = asked;
  return importHaproxy({ files: [{ name: 'a.cfg', text }], env, backend, split, isFolder });
}

/** `line kind what: why` of each note. */
export function notesOf(result: ImportResult): readonly string[] {
  return result.notes.map(({ line, kind, what, why }) => `${line} ${kind} ${what}: ${why}`);
}

/** `line: message — advice` of each problem. */
export function problemsOf(result: ImportResult): readonly string[] {
  return result.ok
    ? []
    : result.problems.map(({ line, message, advice }) => `${line}: ${message} — ${advice}`);
}
