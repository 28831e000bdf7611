// What keeps a client on one server: the persistence cookie, hashes of the client's address, stick tables. Lockstep's
// `affinity: upstream` does it within a version, by the pin; no cookie of HAProxy's is read.

import { formatDuration } from '../../core/duration.ts';
import type { Entry } from './entry.ts';
import type { Findings } from './place.ts';
import { type ProxySection, rulesOf, settingOf } from './proxies.ts';
import type { Directive } from './sections.ts';
import { has, type Server } from './servers.ts';
import { readTimer } from './timers.ts';

/** config/schema.ts: browsers cut a cookie's life at 400 days. */
const LONGEST_LIFE_MS = 400 * 24 * 3_600_000;
const DEFAULT_IDLE_MS = 30 * 60_000;
const DEFAULT_LIFE_MS = 12 * 3_600_000;

const BY_CLIENT = /^(?:source|hdr_ip\(.*\)|rdp-cookie.*)$/;
const BY_REQUEST = /^(?:uri|url_param|hdr\(.*\)|hash)$/;

export interface Persistence {
  readonly affinity: Entry | null;
  readonly cookie: readonly Entry[];
}

export function readPersistence(
  backend: ProxySection,
  servers: readonly Server[],
  findings: Findings,
): Persistence {
  const cookie = settingOf(backend, 'cookie');
  const isUsed = cookie !== null && isCookieUsed(cookie, servers, findings);
  const balance = tellBalance(backend, findings);
  const sticks = rulesOf(backend, 'stick');
  const from = isUsed ? cookie : (balance ?? sticks[0] ?? null);
  for (const stick of sticks) {
    findings.carry(stick);
    findings.note(
      stick,
      'changed',
      'stick',
      'a session stays on its server by the pin, not by what this looks at',
    );
  }
  if (from === null) return { affinity: null, cookie: [] };
  const affinity = { key: 'affinity', value: 'upstream', from, says: from.words.slice(0, 2).join(' ') };
  return { affinity, cookie: isUsed && cookie !== null ? readCookie(cookie, findings) : [] };
}

/** Without a value on any server HAProxy sets no cookie at all. */
function isCookieUsed(cookie: Directive, servers: readonly Server[], findings: Findings): boolean {
  findings.carry(cookie);
  if (cookie.words.includes('dynamic', 2) || servers.some((server) => has(server, 'cookie'))) return true;
  const why = 'no server has a value for it, so HAProxy never sets it: sessions are not kept on one server';
  findings.note(cookie, 'left-out', 'cookie', why);
  return false;
}

/** The line, when it keeps clients on one server. */
function tellBalance(backend: ProxySection, findings: Findings): Directive | null {
  const balance = settingOf(backend, 'balance');
  if (balance === null) return null;
  findings.carry(balance);
  const algorithm = balance.words[1] ?? 'roundrobin';
  if (BY_CLIENT.test(algorithm)) {
    const why =
      'a session stays on its server by the pin, so that clients behind one address are shared out too';
    findings.note(balance, 'changed', `balance ${algorithm}`, why);
    return balance;
  }
  if (BY_REQUEST.test(algorithm)) {
    const why =
      'Lockstep takes the least busy server, whatever is asked for: caches of the servers get warm on each of them';
    findings.note(balance, 'left-out', `balance ${algorithm}`, why);
  } else {
    const kind = algorithm === 'leastconn' ? 'covered' : 'changed';
    findings.note(balance, kind, `balance ${algorithm}`, 'Lockstep takes the least busy server');
  }
  return null;
}

function readCookie(cookie: Directive, findings: Findings): readonly Entry[] {
  const [, name = '', ...options] = cookie.words;
  const entries: Entry[] = [];
  const after = (option: string) => {
    const at = options.indexOf(option);
    return at === -1 ? null : (options[at + 1] ?? '');
  };
  const life = (option: string) => {
    const text = after(option);
    const bounds = { least: 1_000, most: LONGEST_LIFE_MS, unit: 's', findings } as const;
    return text === null ? null : readTimer(text, cookie, `cookie ${option}`, bounds);
  };
  const push = (key: string, value: Entry['value'], says: string) =>
    entries.push({ key, value, from: cookie, says: `cookie ${says}` });
  const [idle, whole] = [life('maxidle'), life('maxlife')];
  // life is at least idle (config/checks.ts).
  const idleMs = Math.min(idle ?? DEFAULT_IDLE_MS, whole ?? Number.POSITIVE_INFINITY);
  if (idle !== null || idleMs < DEFAULT_IDLE_MS) push('idle', formatDuration(idleMs), 'maxidle');
  if (whole !== null) push('life', formatDuration(whole), 'maxlife');
  else if (idleMs > DEFAULT_LIFE_MS) push('life', formatDuration(idleMs), 'maxidle');
  const domain = after('domain')?.toLowerCase().replace(/^\./, '') ?? null;
  if (domain !== null && /^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(domain) && !/\.\d+$/.test(domain)) {
    push('domain', domain, 'domain');
  } else if (domain !== null) {
    findings.note(
      cookie,
      'left-out',
      'cookie domain',
      `browsers take no cookie for ${JSON.stringify(domain)}`,
    );
  }
  const sameSite = options
    .map((option) => /^samesite=(\w+)$/i.exec(option)?.[1]?.toLowerCase())
    .find(Boolean);
  if (sameSite === 'none' || sameSite === 'lax') push('sameSite', sameSite, `attr SameSite=${sameSite}`);
  else if (sameSite !== undefined) {
    findings.note(
      cookie,
      'changed',
      'cookie attr',
      'a pin that is SameSite=Strict would be dropped on a link from another site: it is Lax',
    );
  }
  findings.note(cookie, 'changed', 'cookie', tellCookie(name, options));
  return entries;
}

function tellCookie(name: string, options: readonly string[]): string {
  const shown = JSON.stringify(name);
  if (options.includes('prefix') || options.includes('rewrite')) {
    return `Lockstep leaves the application's ${shown} as it is, and keeps sessions on their server by a cookie of its own`;
  }
  return `the pin says the server, so ${shown} is not set any more; sessions that began with HAProxy choose a server anew`;
}
