// What an agent check is answered. HAProxy sets what it is told and nothing else (2.6, configuration.txt, agent-check):
// - `maint` and `drain` stay until `ready` is said; `up` alone does not take them back.
// - A percentage is of the weight in HAProxy's configuration, and stays as well: `100%` gives back what was taken before.
//   So each answer says all three.
// - An empty line changes nothing. No answer at all changes nothing either, but is shown as an invalid one (L7RSP).
// Pure.

import type { AdminState } from '../core/haproxy.ts';

/** About a server that is nobody's: as it is. */
export const UNKNOWN = '\n';

/** `percent`: of the weight in HAProxy's configuration; 0 keeps new requests away, and lets persistent ones in. */
export function agentAnswer(wanted: AdminState, percent = 100): string {
  return `${wanted} up ${percent}%\n`;
}

/**
 * The server that a question names (agent-send): `web01`, `be_app/web01` or `10.0.0.1:8080`, with or without an end of line.
 * Null when it names none.
 */
export function askedServer(
  question: string,
): { readonly backend: string | null; readonly name: string } | null {
  const match = /^(?:([A-Za-z0-9_.:-]{1,128})\/)?([A-Za-z0-9_.:[\]-]{1,128})\r?\n?$/.exec(question);
  return match === null ? null : { backend: match[1] ?? null, name: match[2]! };
}
