// Health checks: `option httpchk`, `http-check …` and the parameters of `server` lines, as Lockstep's `health`.
// Lockstep asks each server the same, at the address that serves: where HAProxy asked elsewhere, or for something that a
// GET with a good status cannot tell, a TCP connect is all that is carried over.

import { formatDuration } from '../../core/duration.ts';
import type { Entry } from './entry.ts';
import type { Findings } from './place.ts';
import { allOf, type ProxySection, rulesOf, settingOf } from './proxies.ts';
import type { Directive } from './sections.ts';
import { has, type Server, type Setting } from './servers.ts';
import { parseCount, parseTime } from './time.ts';
import { readTimer } from './timers.ts';

/** Lockstep's own bounds (config/schema.ts). */
const LEAST_INTERVAL_MS = 100;
const LEAST_TIMEOUT_MS = 50;
const MOST_CHECKS = 100;
/** HAProxy's `inter` where none is given. */
const DEFAULT_INTERVAL_MS = 2_000;

const PATH = /^\/[\x21-\x7e]*$/;
const OTHER_CHECKS = new Set([
  ...['tcp-check', 'smtpchk', 'ldap-check', 'mysql-check', 'pgsql-check', 'redis-check', 'ssl-hello-chk'],
  ...['external-check', 'spop-check'],
]);

export function readChecks(
  backend: ProxySection,
  servers: readonly Server[],
  findings: Findings,
): readonly Entry[] {
  const checked = servers.filter((server) => has(server, 'check') || has(server, 'track'));
  const kind = checkKind(backend);
  const first = checked[0];
  if (first === undefined) {
    const why = 'HAProxy checks none of these servers; Lockstep checks each by a TCP connect';
    findings.note(servers[0] ?? backend, 'changed', 'server', why);
    if (kind !== null)
      findings.note(kind, 'left-out', kind.words.slice(0, 2).join(' '), 'no server has check');
    return [{ key: 'path', value: null, from: servers[0] ?? backend, says: 'no server has check' }];
  }
  tellUnlike(first, checked, findings);
  const path = readPath(backend, kind, checked, findings);
  return [path, ...readPace(backend, first, findings)];
}

/** The line that says what kind of check it is: the nearest, last one counts. */
function checkKind(backend: ProxySection): Directive | null {
  const kinds = allOf(backend).filter(
    ({ words: [keyword, option = ''], modifier }) =>
      keyword === 'option' && modifier === 'set' && (option === 'httpchk' || OTHER_CHECKS.has(option)),
  );
  return kinds.at(-1) ?? null;
}

function readPath(
  backend: ProxySection,
  kind: Directive | null,
  checked: readonly Server[],
  findings: Findings,
): Entry {
  const rules = rulesOf(backend, 'http-check');
  const from = kind ?? checked[0]!;
  const connectOnly = (says: string): Entry => ({ key: 'path', value: null, from, says });
  if (kind === null) return connectOnly('check');
  findings.carry(kind);
  const [, option = '', ...args] = kind.words;
  if (option !== 'httpchk') {
    const why = 'Lockstep checks by HTTP or by a TCP connect: a connect is what is left';
    findings.note(kind, 'changed', `option ${option}`, why);
    return connectOnly(`option ${option}`);
  }
  const away = checkedElsewhere(checked, rules);
  if (away !== null) {
    findings.note(
      away.place,
      'changed',
      away.what,
      `${away.why}: a TCP connect to the server is what is left`,
    );
    return connectOnly('option httpchk');
  }
  const asked = requestOf(args, rules);
  for (const { place, what, why } of asked.told) findings.note(place ?? kind, 'changed', what, why);
  const unread = expectsOtherwise(rules, findings);
  if (unread !== null) {
    const why =
      'Lockstep takes 2xx and 3xx for good answers, and this server is to give others: a TCP connect is what is left';
    findings.note(unread, 'changed', 'http-check expect', why);
    return connectOnly('option httpchk');
  }
  if (!PATH.test(asked.uri)) {
    const why = `${JSON.stringify(asked.uri)} is no path that a GET could ask for: a TCP connect is what is left`;
    findings.note(kind, 'changed', 'option httpchk', why);
    return connectOnly('option httpchk');
  }
  return { key: 'path', value: asked.uri, from: kind, says: 'option httpchk' };
}

/** Where a check goes to another port, address or protocol than requests do. */
function checkedElsewhere(
  checked: readonly Server[],
  rules: readonly Directive[],
): { readonly place: Setting | Directive; readonly what: string; readonly why: string } | null {
  for (const server of checked) {
    const found = ['port', 'addr', 'check-ssl', 'check-via-socks4', 'healthcheck'].find((name) =>
      has(server, name),
    );
    if (found === undefined) continue;
    const setting = server.parameters.get(found)!;
    return {
      place: setting,
      what: `server ${found}`,
      why: `${server.name} is checked elsewhere than where it serves`,
    };
  }
  const connect = rules.find(
    ({ words: [, verb, ...rest] }) =>
      verb === 'connect' && rest.some((word) => /^(?:port|addr|ssl|proto)$/.test(word)),
  );
  if (connect === undefined) return null;
  return {
    place: connect,
    what: 'http-check connect',
    why: 'servers are checked elsewhere than where they serve',
  };
}

interface Told {
  readonly place: Directive | null;
  readonly what: string;
  readonly why: string;
}

function requestOf(
  args: readonly string[],
  rules: readonly Directive[],
): { readonly uri: string; readonly told: readonly Told[] } {
  const [method, uri, fields] =
    args.length < 2 ? ['OPTIONS', args[0] ?? '/', ''] : [args[0]!, args[1]!, args.slice(2).join(' ')];
  const told: Told[] = [];
  let asked = { method, uri };
  const [send, ...others] = rules.filter(({ words }) => words[1] === 'send');
  if (send !== undefined) {
    const given = readSend(send);
    asked = { method: given.method ?? method, uri: given.uri ?? uri };
    if (given.hasFields) told.push(unsentFields(send, 'http-check send'));
  }
  for (const place of others)
    told.push({ place, what: 'http-check send', why: 'Lockstep asks one thing only' });
  if (/host:/i.test(fields) || args.length > 3) told.push(unsentFields(null, 'option httpchk'));
  if (asked.method !== 'GET') {
    told.push({
      place: null,
      what: 'option httpchk',
      why: `Lockstep asks with GET, not with ${asked.method}`,
    });
  }
  return { uri: asked.uri, told };
}

function unsentFields(place: Directive | null, what: string): Told {
  const why =
    'Lockstep sends the address as Host, and no field or body of yours: see that the server answers such a GET well';
  return { place, what, why };
}

function readSend({ words }: Directive): {
  readonly method: string | null;
  readonly uri: string | null;
  readonly hasFields: boolean;
} {
  const after = (name: string) => {
    const at = words.indexOf(name, 2);
    return at === -1 ? null : (words[at + 1] ?? null);
  };
  const hasFields = ['hdr', 'hdr-lf', 'body', 'body-lf'].some((name) => words.includes(name, 2));
  return { method: after('meth'), uri: after('uri') ?? after('uri-lf'), hasFields };
}

/** A rule that asks for a status which is no good one to Lockstep; null when there is none. */
function expectsOtherwise(rules: readonly Directive[], findings: Findings): Directive | null {
  for (const rule of rules) {
    const [, verb = '', ...words] = rule.words;
    if (verb === 'send' || verb === 'connect') {
      findings.carry(rule);
      continue;
    }
    if (verb !== 'expect') continue;
    const at = words.findIndex((word) => /^!?(?:status|rstatus)$/.test(word));
    const isNegated = at !== -1 && (words[at]!.startsWith('!') || words[at - 1] === '!');
    if (at === -1) {
      const why = 'Lockstep looks at the status of an answer, 2xx or 3xx, and at nothing else';
      findings.note(rule, 'left-out', 'http-check expect', why);
      continue;
    }
    if (isNegated || takesGood(words[at]!, words[at + 1] ?? '')) {
      findings.note(rule, 'changed', 'http-check expect', 'any 2xx or 3xx is a good answer to Lockstep');
    } else return rule;
  }
  return null;
}

function takesGood(match: string, pattern: string): boolean {
  if (match === 'status') {
    return pattern.split(',').some((part) => {
      const [low, high = low] = part.split('-').map(Number);
      return low! < 400 && high! >= 200;
    });
  }
  try {
    const expression = new RegExp(pattern);
    return ['200', '201', '204', '301', '302', '304', '307'].some((status) => expression.test(status));
  } catch {
    return false;
  }
}

function readPace(backend: ProxySection, server: Server, findings: Findings): readonly Entry[] {
  const entries: Entry[] = [];
  const bounds = { least: LEAST_INTERVAL_MS, findings };
  const inter = server.parameters.get('inter');
  const interval = inter === undefined ? null : readTimer(inter.value, inter, 'inter', bounds);
  if (inter !== undefined && interval !== null) {
    entries.push({
      key: 'interval',
      value: formatDuration(interval),
      from: inter,
      says: `inter ${inter.value}`,
    });
  }
  const check = settingOf(backend, 'timeout check');
  if (check !== null) findings.carry(check);
  const given = check?.words[2] ?? null;
  const limits = { least: LEAST_TIMEOUT_MS, findings };
  const timeout = check === null || given === null ? null : readTimer(given, check, 'timeout check', limits);
  entries.push(
    timeout !== null
      ? { key: 'timeout', value: formatDuration(timeout), from: check!, says: `timeout check ${given}` }
      : {
          key: 'timeout',
          value: formatDuration(interval ?? DEFAULT_INTERVAL_MS),
          from: inter ?? server,
          says: 'inter, without timeout check',
        },
  );
  for (const key of ['rise', 'fall'] as const) {
    const setting = server.parameters.get(key);
    const count = parseCount(setting?.value);
    if (setting === undefined) continue;
    if (count === null || count < 1 || count > MOST_CHECKS) {
      findings.note(
        setting,
        'left-out',
        `server ${key}`,
        `${setting.value} is not a number from 1 to ${MOST_CHECKS}`,
      );
    } else entries.push({ key, value: count, from: setting, says: `${key} ${count}` });
  }
  const slow = server.parameters.get('slowstart');
  const slowStart =
    slow === undefined ? null : readTimer(slow.value, slow, 'slowstart', { least: 0, findings });
  if (slow !== undefined && slowStart !== null) {
    entries.push({
      key: 'slowStart',
      value: formatDuration(slowStart),
      from: slow,
      says: `slowstart ${slow.value}`,
    });
  }
  return entries;
}

/** Lockstep checks all servers alike: the first one's say counts. */
function tellUnlike(first: Server, checked: readonly Server[], findings: Findings): void {
  for (const name of ['inter', 'rise', 'fall', 'slowstart'] as const) {
    const wanted = first.parameters.get(name)?.value;
    const same = (value: string | undefined) =>
      value === wanted ||
      (value !== undefined && wanted !== undefined && parseTime(value) === parseTime(wanted));
    for (const server of checked) {
      const value = server.parameters.get(name)?.value;
      if (same(value)) continue;
      const why = `all servers are checked alike, ${server.name} as ${first.name} is: ${wanted ?? "HAProxy's default"} instead of ${value ?? 'its default'}`;
      findings.note(server, 'changed', `server ${name}`, why);
    }
  }
}
