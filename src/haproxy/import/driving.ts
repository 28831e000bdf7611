// The runtime socket by which Lockstep could set the states of HAProxy's servers (docs/haproxy.md): suggested where
// `global` has one that may.

import type { Place } from './place.ts';
import type { Section } from './sections.ts';

export interface RuntimeSocket extends Place {
  /** A path, or host:port. */
  readonly address: string;
}

/** Null where there is none of level admin. A socket of level operator may not. */
export function readRuntimeSocket(globals: readonly Section[]): RuntimeSocket | null {
  for (const { directives } of globals) {
    for (const { words, file, line } of directives) {
      const [first, second, given = '', ...rest] = words;
      const level = rest.indexOf('level');
      if (first !== 'stats' || second !== 'socket' || rest[level + 1] !== 'admin' || level === -1) continue;
      const address = given.replace(/^(?:unix|ipv4|tcp|tcp4)@/, '');
      if (/^\/[^\0]*[^/\0]$/.test(address) || /^[\w.-]+:\d{1,5}$/.test(address))
        return { address, file, line };
    }
  }
  return null;
}
