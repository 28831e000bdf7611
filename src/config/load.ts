// The configuration file: read, expanded, judged and turned into the Config in force.
// EVERY problem is told at once; nothing is taken over when there is one. Pure but for loadConfig.

import { accessSync, constants } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { assemble } from './assemble.ts';
import { checkTogether } from './checks.ts';
import {
  type ConfigProblem,
  describeUnknownKey,
  describeValue,
  formatKey,
  formatProblem,
  type Path,
} from './problems.ts';
import { isComplete, isMapping, readListeners, readSections, readVersions, SectionReader } from './read.ts';
import type { LoadedConfig } from './reload.ts';
import { TOP_LEVEL_KEYS } from './schema.ts';
import { listSettings } from './settings.ts';
import { type Environment, FAULTY, readSource } from './source.ts';

export type { ConfigProblem } from './problems.ts';
export { formatProblem } from './problems.ts';
export type { LoadedConfig } from './reload.ts';

export type ConfigResult =
  | ({ readonly ok: true } & LoadedConfig)
  | { readonly ok: false; readonly problems: ConfigProblem[] };

/** Reads and judges a file. Never rejects: a file that cannot be read is a problem too. */
export async function loadConfig(file: string, env: Environment): Promise<ConfigResult> {
  try {
    return parseConfig(await readFile(file, 'utf8'), file, env, isReadable);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'an error';
    const message = `expected a file that can be read, got ${code}`;
    return { ok: false, problems: [{ file, line: 1, key: '', message }] };
  }
}

/** `file` names the text in problems, and its folder is where relative paths start. */
export function parseConfig(
  text: string,
  file: string,
  env: Environment,
  canRead: (path: string) => boolean = () => true,
): ConfigResult {
  const source = readSource(text, file, env);
  const problems: ConfigProblem[] = [...source.problems];
  const warnings: ConfigProblem[] = [];
  const at = (path: Path, message: string): ConfigProblem => ({
    file,
    line: source.lineOf(path),
    key: formatKey(path),
    message,
  });
  const findings = {
    problem: (path: Path, message: string) => void problems.push(at(path, message)),
    warning: (path: Path, message: string) => void warnings.push(at(path, message)),
    show: (path: Path, value: string) => describeValue(value, formatKey(path), source.unexpanded(path)),
  };

  if (source.value === FAULTY) return { ok: false, problems };
  const root = source.value ?? {};
  if (!isMapping(root)) {
    findings.problem([], 'expected a mapping of keys such as listen and versions, got something else');
    return { ok: false, problems };
  }
  for (const key of Object.keys(root)) {
    if (!TOP_LEVEL_KEYS.includes(key)) findings.problem([key], describeUnknownKey(key, TOP_LEVEL_KEYS));
  }
  const folder = dirname(resolve(file));
  const reader = new SectionReader(root, source, findings.problem);
  const listen = readListeners(reader, folder, findings.problem, canRead);
  const { versions, declared } = readVersions(reader, findings.problem);
  const sections = readSections(reader);
  checkTogether({ ...sections, listeners: listen, versions, declared }, findings);

  if (problems.length > 0 || !isComplete(sections)) return { ok: false, problems: problems.sort(byLine) };
  const config = assemble(sections, listen, versions, folder);
  const settings = listSettings(sections, config, root, source);
  return { ok: true, config, warnings: warnings.sort(byLine).map(formatProblem), settings };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

function byLine(left: ConfigProblem, right: ConfigProblem): number {
  return left.line - right.line;
}
