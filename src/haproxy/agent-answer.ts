// What an agent check is answered. HAProxy sets what it is told and nothing else (2.6, configuration.txt, agent-check):
// - `maint` and `drain` stay until `ready` is said; `up` alone does not take them back.
// - A percentage is of the weight in HAProxy's configuration, and stays as well: `100%` gives back what another agent took.
// - An empty line changes nothing. No answer at all is a failed check, which takes the server down: there always is one.
// Pure.

import type { AdminState } from '../core/haproxy.ts';

/** About a server that is nobody's: as it is. */
export const UNKNOWN = '\n';

export function agentAnswer(wanted: AdminState): string {
  switch (wanted) {
    case 'ready':
      return 'ready up 100%\n';
    case 'drain':
      return 'drain up\n';
    case 'maint':
      return 'maint\n';
    default:
      return wanted satisfies never;
  }
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
