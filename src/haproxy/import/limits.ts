// Timeouts and numbers of connections, as Lockstep's `limits`.

import { formatDuration } from '../../core/duration.ts';
import type { Entry } from './entry.ts';
import type { Findings } from './place.ts';
import { type ProxySection, settingOf, startsWith } from './proxies.ts';
import type { Directive, Section } from './sections.ts';
import { has, type Server, type Setting } from './servers.ts';
import { parseBytes, parseCount } from './time.ts';
import { readTimer } from './timers.ts';

/** Lockstep's own bounds (config/schema.ts). */
const MOST_CONNECTIONS = 1_000_000;
const MOST_QUEUED = 100_000;
const HEADERS = { least: 8, most: 10_000 };
const KIB = 1_024;
const DEFAULT_HEAD_BYTES = 16 * KIB;
const MOST_HEAD_BYTES = 1_024 * KIB;

interface TimeRule {
  readonly key: string;
  /** In HAProxy's order: the first that is set counts. */
  readonly timeouts: readonly string[];
  readonly side: 'frontend' | 'backend';
  readonly leastMs: number;
}

const TIMES: readonly TimeRule[] = [
  { key: 'headerTimeout', timeouts: ['http-request'], side: 'frontend', leastMs: 100 },
  {
    key: 'clientIdle',
    timeouts: ['http-keep-alive', 'http-request', 'client'],
    side: 'frontend',
    leastMs: 100,
  },
  { key: 'bodyProgress', timeouts: ['client'], side: 'frontend', leastMs: 100 },
  { key: 'sendProgress', timeouts: ['client'], side: 'frontend', leastMs: 100 },
  { key: 'connect', timeouts: ['connect'], side: 'backend', leastMs: 10 },
  { key: 'firstByte', timeouts: ['server'], side: 'backend', leastMs: 100 },
  { key: 'queueTimeout', timeouts: ['queue'], side: 'backend', leastMs: 0 },
  { key: 'tunnelIdle', timeouts: ['tunnel'], side: 'backend', leastMs: 1_000 },
];

export interface LimitSources {
  readonly globals: readonly Section[];
  readonly frontends: readonly ProxySection[];
  readonly backend: ProxySection;
  readonly servers: readonly Server[];
}

export function readLimits(sources: LimitSources, findings: Findings): readonly Entry[] {
  const { frontends, backend } = sources;
  const times = TIMES.flatMap((rule): readonly Entry[] => {
    const entry = readTime(
      rule,
      rule.side === 'backend' ? [backend] : frontends.length > 0 ? frontends : [backend],
      findings,
    );
    return entry === null ? [] : [entry];
  });
  return [
    ...readConnections(sources, findings),
    ...readServerLimits(sources.servers, findings),
    ...times,
    ...readGlobals(sources, findings),
  ];
}

/** Where several frontends differ, the longest time is taken: none of their clients is cut off earlier than before. */
function readTime(rule: TimeRule, proxies: readonly ProxySection[], findings: Findings): Entry | null {
  let longest: { readonly ms: number; readonly from: Directive; readonly says: string } | null = null;
  for (const proxy of proxies) {
    const from = rule.timeouts
      .map((name) => settingOf(proxy, `timeout ${name}`))
      .find((found) => found !== null);
    if (from === undefined || from === null) continue;
    findings.carry(from);
    const says = from.words.slice(0, 3).join(' ');
    const ms = readTimer(from.words[2] ?? '', from, `timeout ${from.words[1]}`, {
      least: rule.leastMs,
      findings,
    });
    if (ms !== null && (longest === null || ms > longest.ms)) longest = { ms, from, says };
  }
  return longest === null
    ? null
    : { key: rule.key, value: formatDuration(longest.ms), from: longest.from, says: longest.says };
}

function readConnections({ globals, frontends }: LimitSources, findings: Findings): readonly Entry[] {
  const global =
    globals.flatMap(({ directives }) => directives).findLast(({ words }) => words[0] === 'maxconn') ?? null;
  const own = frontends.map((frontend) => settingOf(frontend, 'maxconn'));
  const counts = own.map((setting) => parseCount(setting?.words[1]));
  const most = parseCount(global?.words[1]) ?? Number.POSITIVE_INFINITY;
  // A frontend without one has that of the process.
  const sum =
    counts.length === 0 || counts.includes(null) ? most : counts.reduce<number>((all, one) => all + one!, 0);
  const connections = Math.min(sum, most);
  for (const setting of [global, ...own]) if (setting !== null) findings.carry(setting);
  const from =
    connections === most && global !== null ? global : (own.find((setting) => setting !== null) ?? global);
  if (!Number.isFinite(connections) || connections < 1 || from === null) return [];
  const value = Math.min(connections, MOST_CONNECTIONS);
  return [{ key: 'connections', value, from, says: `maxconn ${from.words[1]}` }];
}

function readServerLimits(servers: readonly Server[], findings: Findings): readonly Entry[] {
  const entries: Entry[] = [];
  const limited = servers.filter((server) => has(server, 'maxconn'));
  const setting = smallest(limited, 'maxconn');
  if (setting !== null && limited.length === servers.length) {
    entries.push({
      key: 'upstreamConnections',
      value: setting.count,
      from: setting.from,
      says: `maxconn ${setting.count}`,
    });
    for (const server of limited) {
      const value = server.parameters.get('maxconn')!.value;
      if (parseCount(value) === setting.count) continue;
      const why = `one limit holds for all servers, the smallest: ${setting.count} instead of ${value} for ${server.name}`;
      findings.note(server, 'changed', 'server maxconn', why);
    }
  } else if (setting !== null) {
    const why =
      'one limit holds for all servers, and some have none: limits.upstreamConnections keeps its default';
    findings.note(setting.from, 'left-out', 'server maxconn', why);
  }
  const queued = servers.filter((server) => has(server, 'maxqueue'));
  const sum = queued.reduce(
    (all, server) => all + (parseCount(server.parameters.get('maxqueue')!.value) ?? 0),
    0,
  );
  const first = queued[0]?.parameters.get('maxqueue');
  if (first !== undefined && sum > 0) {
    const says = `maxqueue of ${queued.length} servers`;
    entries.push({ key: 'queue', value: Math.min(sum, MOST_QUEUED), from: first, says });
  }
  return entries;
}

function smallest(
  servers: readonly Server[],
  name: string,
): { readonly count: number; readonly from: Setting } | null {
  let least: { readonly count: number; readonly from: Setting } | null = null;
  for (const { parameters } of servers) {
    const from = parameters.get(name)!;
    const count = parseCount(from.value);
    // 0 is no limit.
    if (count !== null && count > 0 && (least === null || count < least.count)) {
      least = { count: Math.min(count, MOST_CONNECTIONS), from };
    }
  }
  return least;
}

/** What `global` says of heads and of the end. */
function readGlobals({ globals }: LimitSources, findings: Findings): readonly Entry[] {
  const entries: Entry[] = [];
  const directives = globals.flatMap((section) => section.directives);
  const last = (phrase: string) => directives.findLast(({ words }) => startsWith(words, phrase)) ?? null;
  const buffer = last('tune.bufsize');
  const bytes = buffer === null ? null : parseBytes(buffer.words[1] ?? '');
  if (buffer !== null && bytes !== null && bytes > DEFAULT_HEAD_BYTES) {
    findings.carry(buffer);
    const value = `${Math.floor(Math.min(bytes, MOST_HEAD_BYTES) / KIB)}KiB`;
    const says = `tune.bufsize ${buffer.words[1]}`;
    entries.push({ key: 'headBytes', value, from: buffer, says });
    if (bytes > 2 * DEFAULT_HEAD_BYTES) entries.push({ key: 'responseHead', value, from: buffer, says });
  }
  const fields = last('tune.http.maxhdr');
  const count = parseCount(fields?.words[1]);
  if (fields !== null && count !== null) {
    findings.carry(fields);
    const value = Math.min(Math.max(count, HEADERS.least), HEADERS.most);
    entries.push({ key: 'headers', value, from: fields, says: `tune.http.maxhdr ${count}` });
  }
  const stop = last('hard-stop-after');
  const stopMs =
    stop === null ? null : readTimer(stop.words[1] ?? '', stop, 'hard-stop-after', { least: 0, findings });
  if (stop !== null && stopMs !== null) {
    findings.carry(stop);
    entries.push({
      key: 'shutdown',
      value: formatDuration(stopMs),
      from: stop,
      says: `hard-stop-after ${stop.words[1]}`,
    });
  }
  return entries;
}
