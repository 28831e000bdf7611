// Names of backends and servers, as they may stand in a command. A line of HAProxy's runtime API is split at `;`, continued
// and escaped with `\`, and its words end at blanks: a name that holds one of them would be a command of its own.

import { createHash } from 'node:crypto';

/** HAProxy's own rule (2.6, configuration.txt section 4): letters, digits, - _ . and : */
const NAME = /^[A-Za-z0-9_.:-]{1,128}$/;

export function isHaproxyName(name: string): boolean {
  return NAME.test(name);
}

/** So that a look at many backends still is one line. */
const LONGEST_SUFFIX = 64;

/** A process-wide variable's name takes letters, digits, _ and . (2.6, configuration.txt section 2.8). */
export function variableOf(backend: string): string {
  const safe = backend.replace(/[^A-Za-z0-9]/g, (char) => `_${char.charCodeAt(0).toString(16)}_`);
  if (safe.length <= LONGEST_SUFFIX) return `proc.lockstep.${safe}`;
  return `proc.lockstep.${createHash('sha256').update(backend).digest('hex').slice(0, 32)}`;
}
