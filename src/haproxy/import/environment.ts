// The variables that a HAProxy configuration sees: those of the process, those that HAProxy sets itself, and what
// `setenv` and its kin in `global` make of them for the lines that follow.

import { ASSUMED_VERSION } from './conditions.ts';
import type { Place } from './place.ts';
import type { Variables } from './words.ts';

const BRANCH = ASSUMED_VERSION.split('.').slice(0, 2).join('.');

export class Environment implements Variables {
  readonly #values: Map<string, string>;
  #place: Place = { file: '', line: 0 };
  #section = '';

  constructor(env: Readonly<Record<string, string | undefined>>) {
    const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
    this.#values = new Map([
      ['HAPROXY_BRANCH', BRANCH],
      ['HAPROXY_STARTUP_VERSION', ASSUMED_VERSION],
      ...given,
    ]);
  }

  /** Where the line stands that is read now: `${.FILE}`, `${.LINE}` and `${.SECTION}`. */
  moveTo(place: Place): void {
    this.#place = place;
  }

  enter(section: string): void {
    this.#section = section;
  }

  read(name: string): string | null {
    switch (name) {
      case '.FILE':
        return this.#place.file;
      case '.LINE':
        return String(this.#place.line);
      case '.SECTION':
        return this.#section;
      default:
        return this.#values.get(name) ?? null;
    }
  }

  /** True when the line was one of those that change variables. */
  change([keyword, ...words]: readonly string[]): boolean {
    const [name = '', value = ''] = words;
    switch (keyword) {
      case 'setenv':
        this.#values.set(name, value);
        return true;
      case 'presetenv':
        if (!this.#values.has(name)) this.#values.set(name, value);
        return true;
      case 'unsetenv':
        for (const gone of words) this.#values.delete(gone);
        return true;
      case 'resetenv':
        for (const known of [...this.#values.keys()]) if (!words.includes(known)) this.#values.delete(known);
        return true;
      default:
        return false;
    }
  }
}
