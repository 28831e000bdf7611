// The HAProxy configurations in test/fixtures/haproxy, each like a kind of site that there is, with what importing it
// must give: how it is called, the printed configuration as values, and everything that is told besides what Lockstep
// does by itself.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';

export const SITES_FOLDER = resolve(import.meta.dirname, '../fixtures/haproxy');

/** Stands in fixtures for a folder with site.pem and other.pem. */
const CERTIFICATES = '@CERTIFICATES@';

export interface Site {
  readonly name: string;
  /** A file, or a folder of them. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  /** Behind the path, on the command line. */
  readonly args: readonly string[];
  /** False for what HAProxy 2.6 refuses. */
  readonly isValid: boolean;
  readonly want: {
    /** What the printed YAML says; null when nothing is printed. */
    readonly config: unknown;
    /** `file:line kind: what` of each note, without those of the kind `covered`. */
    readonly told: readonly string[];
    /** `file:line: message` of each problem. */
    readonly problems: readonly string[];
  };
}

export function readSites(): readonly Site[] {
  const folder = join(SITES_FOLDER, 'expected');
  return readdirSync(folder).map((file) => {
    const name = file.replace(/\.yaml$/, '');
    const {
      source,
      env = {},
      args = [],
      valid = true,
      ...want
    } = parse(readFileSync(join(folder, file), 'utf8'));
    return { name, path: join(SITES_FOLDER, source), env, args, isValid: valid, want };
  });
}

/** Text of a fixture, with certificates where the machine has some. */
export function withCertificates(text: string, folder: string): string {
  return text.replaceAll(CERTIFICATES, folder);
}
