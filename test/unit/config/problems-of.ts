// What parsing a text told, one line a problem, without the name of the file. Files whose name has `missing` are missing.

import { formatProblem, parseConfig } from '../../../src/config/load.ts';

const FILE = '/etc/lockstep.yaml';
const ENV = { SECRET: 'hunter2hunter2', SHORT: 'abc', EMPTY: '' };

export interface Mistake {
  readonly name: string;
  readonly given: string;
  readonly want: readonly string[];
}

export function problemsOf(yaml: string): string[] {
  const result = parseConfig(yaml, FILE, ENV, (path) => !path.includes('missing'));
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace(`${FILE}:`, ''));
}
