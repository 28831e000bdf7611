// What HAProxy says, read: columns and fields by their names, never by their places, so that those of later versions do
// not matter (HAProxy 2.6, management.txt: `show servers state` and `show info` in section 9.3, `show stat` in 9.1).
// Everything here comes from outside: a name that is none, or a number that is none, is a fault, never a command.

import type { AdminState } from '../core/haproxy.ts';
import { parseUpstreamUrl } from '../core/pool.ts';
import { isHaproxyName } from './names.ts';
import { quoted, RuntimeFault } from './runtime-fault.ts';

export interface ServerState {
  readonly backend: string;
  readonly name: string;
  /** host:port as core/pool.ts writes it; null when it has none yet, or a UNIX socket. */
  readonly address: string | null;
  /** host:port by other names for the host: the one that HAProxy resolves, and the server's own. */
  readonly aliases: readonly string[];
  /** As somebody set it. */
  readonly state: AdminState;
  readonly held: 'tracking' | 'resolution' | null;
  readonly isRunning: boolean;
  /** As the operator sees it, 0..256. */
  readonly weight: number;
  /** Of HAProxy's own configuration. */
  readonly initialWeight: number;
}

export interface ServerLoad {
  readonly sessions: number;
  readonly queue: number;
}

export interface ProcessInfo {
  readonly version: string;
  readonly pid: number;
  /** Ms since the Unix epoch by HAProxy's clock; before 2.6.x it says only how long it has been up, to the second. */
  readonly startedMs: number;
  /** It was told to stop, and only finishes what it has. */
  readonly isStopping: boolean;
}

/** Bits of srv_admin_state. */
const FORCED_MAINT = 0x01;
const INHERITED_MAINT = 0x02;
const FORCED_DRAIN = 0x08;
const INHERITED_DRAIN = 0x10;
const UNRESOLVED_MAINT = 0x20;
/** srv_op_state: down. */
const STOPPED = 0;

/** In HAProxy's order. Throws RuntimeFault. */
export function readServersState(text: string, backend: string): readonly ServerState[] {
  const lines = text.split('\n').filter((line) => line !== '');
  // "Can't find backend." and its like.
  if (!/^\d+$/.test(lines[0] ?? '')) throw refusedOrGarbage(text, `show servers state ${backend}`);
  if (lines[0] !== '1')
    throw new RuntimeFault('garbage', `speaks version ${quoted(lines[0]!)} of its state format`);
  const columns = (lines[1] ?? '').replace(/^#\s*/, '').split(' ');
  return lines
    .slice(2)
    .filter((line) => !line.startsWith('#'))
    .map((line) => readServer(new Row(columns, line.split(' '), 'show servers state'), backend));
}

function readServer(row: Row, backend: string): ServerState {
  if (row.text('be_name') !== backend)
    throw new RuntimeFault('garbage', `told of ${quoted(row.text('be_name'))}, asked for ${backend}`);
  const admin = row.number('srv_admin_state');
  return {
    backend,
    name: row.name('srv_name'),
    address: addressOf(row.text('srv_addr'), row.number('srv_port')),
    aliases: [row.text('srv_fqdn'), row.text('srv_name')]
      .filter((host) => /^[A-Za-z0-9_.-]*[A-Za-z0-9_.]$/.test(host))
      .map((host) => `${host.toLowerCase()}:${row.number('srv_port')}`),
    state: (admin & FORCED_MAINT) !== 0 ? 'maint' : (admin & FORCED_DRAIN) !== 0 ? 'drain' : 'ready',
    held:
      (admin & UNRESOLVED_MAINT) !== 0
        ? 'resolution'
        : (admin & (INHERITED_MAINT | INHERITED_DRAIN)) !== 0
          ? 'tracking'
          : null,
    isRunning: row.number('srv_op_state') !== STOPPED,
    weight: row.number('srv_uweight'),
    initialWeight: row.number('srv_iweight'),
  };
}

/** By the server's name. */
export function readServersStat(text: string): ReadonlyMap<string, ServerLoad> {
  const lines = text.split('\n').filter((line) => line !== '');
  if (!lines[0]?.startsWith('# ')) throw refusedOrGarbage(text, 'show stat');
  const columns = splitCsv(lines[0].slice(2));
  const loads = lines.slice(1).map((line): [string, ServerLoad] => {
    const row = new Row(columns, splitCsv(line), 'show stat');
    return [row.name('svname'), { sessions: row.number('scur'), queue: row.number('qcur') }];
  });
  return new Map(loads);
}

export function readInfo(text: string, nowMs: number): ProcessInfo {
  const fields = new Map(
    text.split('\n').map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, Math.max(0, colon)), line.slice(colon + 1).trim()];
    }),
  );
  const number = (name: string) => {
    const value = fields.get(name) ?? '';
    // Three thousand years in seconds: more would be no time that can be told.
    return /^\d{1,11}$/.test(value) ? Number(value) : null;
  };
  const pid = number('Pid');
  const upSeconds = number('Uptime_sec');
  if (fields.get('Name') !== 'HAProxy' || pid === null || upSeconds === null)
    throw refusedOrGarbage(text, 'show info');
  const startedSeconds = number('Start_time_sec');
  return {
    version: (fields.get('Version') ?? '').replace(/[^\x21-\x7e]/g, '?').slice(0, 64),
    pid,
    startedMs: startedSeconds === null ? nowMs - upSeconds * 1_000 : startedSeconds * 1_000,
    isStopping: (number('Stopping') ?? 0) > 0,
  };
}

/** Null when it is not there, or cannot be there: HAProxy before 2.5 has no variables to be set so. */
export function readVariable(text: string, variable: string): string | null {
  const prefix = `${variable}: type=str value=<`;
  return text.startsWith(prefix) && text.endsWith('>\n') ? text.slice(prefix.length, -2) : null;
}

class Row {
  readonly #columns: readonly string[];
  readonly #cells: readonly string[];
  readonly #what: string;

  constructor(columns: readonly string[], cells: readonly string[], what: string) {
    this.#columns = columns;
    this.#cells = cells;
    this.#what = what;
  }

  text(column: string): string {
    const cell = this.#cells[this.#columns.indexOf(column)];
    if (cell === undefined) throw new RuntimeFault('garbage', `has no ${column} in its ${this.#what}`);
    return cell;
  }

  number(column: string): number {
    const cell = this.text(column);
    if (/^\d{1,15}$/.test(cell)) return Number(cell);
    throw new RuntimeFault('garbage', `has ${quoted(cell)} for ${column} in its ${this.#what}`);
  }

  /** It will stand in a command. */
  name(column: string): string {
    const cell = this.text(column);
    if (isHaproxyName(cell)) return cell;
    throw new RuntimeFault('garbage', `calls a server ${quoted(cell)}`);
  }
}

/** A quote in a quoted cell is doubled. Without a regular expression: a line of 8 MB of commas would take it a quarter of a minute. */
function splitCsv(line: string): readonly string[] {
  const cells: string[] = [];
  for (let at = 0; at <= line.length; ) {
    const closing = line[at] === '"' ? closingQuote(line, at) : -1;
    if (closing !== -1) cells.push(line.slice(at + 1, closing).replaceAll('""', '"'));
    const comma = line.indexOf(',', Math.max(at, closing));
    const end = comma === -1 ? line.length : comma;
    if (closing === -1) cells.push(line.slice(at, end));
    at = end + 1;
  }
  return cells;
}

/** -1: none. */
function closingQuote(line: string, opening: number): number {
  let at = line.indexOf('"', opening + 1);
  while (at !== -1 && line[at + 1] === '"') at = line.indexOf('"', at + 2);
  return at;
}

/** As an upstream of that server would be written, so that the two are the same; null for what could be none. */
function addressOf(host: string, port: number): string | null {
  // `-` before a name is resolved; a UNIX socket has no port.
  if (port === 0 || !/^[0-9A-Fa-f:.]+$/.test(host)) return null;
  const parsed = parseUpstreamUrl(`http://${host.includes(':') ? `[${host}]` : host}:${port}`);
  return parsed.ok ? parsed.address : null;
}

function refusedOrGarbage(text: string, command: string): RuntimeFault {
  return /^[\x20-\x7e\n\t]{1,2000}$/.test(text)
    ? new RuntimeFault('refused', `answers ${command} with ${quoted(text)}`)
    : new RuntimeFault('garbage', `answers ${command} with something else: ${quoted(text)}`);
}
