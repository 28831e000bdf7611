// The options of `lockstep demo`, and what its help says.

import { parseArgs } from 'node:util';
import { parseDuration } from '../core/duration.ts';

export interface DemoOptions {
  /** Null: 8080 (9090 for the admin API) when it is free, else a free one. */
  readonly port: number | null;
  readonly adminPort: number | null;
  readonly idle: string;
  readonly isHelp: boolean;
}

export const HELP = `Usage: lockstep demo [--port N] [--admin-port N] [--idle DURATION]

Starts a sample shop in two versions with the gateway in front, and prints what to try.

  --port N         where the gateway listens; 8080, or a free one when that is taken
  --admin-port N   where its admin API listens; 9090, or a free one when that is taken
  --idle DURATION  a session without a request for longer is over; default 60s
`;

const LONGEST_IDLE_MS = 12 * 3_600_000;

export type ParsedOptions =
  | { readonly ok: true; readonly options: DemoOptions }
  | { readonly ok: false; readonly message: string };

export function readOptions(args: readonly string[]): ParsedOptions {
  let values: { port?: string; 'admin-port'?: string; idle?: string; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        port: { type: 'string' },
        'admin-port': { type: 'string' },
        idle: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return { ok: false, message: (error as Error).message };
  }
  const { port, 'admin-port': adminPort, idle = '60s', help = false } = values;
  for (const [name, value] of Object.entries({ port, 'admin-port': adminPort })) {
    if (value !== undefined && !(/^\d{1,5}$/.test(value) && Number(value) <= 65_535)) {
      return { ok: false, message: `--${name}: expected a port, got "${value}"` };
    }
  }
  const idleMs = parseDuration(idle);
  if (idleMs === null || idleMs < 1_000 || idleMs > LONGEST_IDLE_MS) {
    return { ok: false, message: `--idle: expected a duration from 1s to 12h such as 20s, got "${idle}"` };
  }
  return {
    ok: true,
    options: { port: toNumber(port), adminPort: toNumber(adminPort), idle, isHelp: help },
  };
}

function toNumber(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}
