// What is left of the files when everything that has a place in Lockstep's configuration was taken: each line of the
// sections that are imported, and each section that is not, is told once.

import type { Findings, NoteKind } from './place.ts';
import { modeOf, type ProxySection } from './proxies.ts';
import { backendsOf } from './routes.ts';
import { phraseOf, sayingOf, sayingOfGlobal } from './sayings.ts';
import type { Section } from './sections.ts';

/** Told by server, or of no consequence once HTTP is spoken. */
const TOLD_ELSEWHERE: ReadonlySet<string> = new Set(['server', 'server-template', 'default-server', 'mode']);

const SECTIONS: ReadonlyMap<string, readonly [NoteKind, string]> = new Map<
  string,
  readonly [NoteKind, string]
>([
  [
    'userlist',
    [
      'left-out',
      'Lockstep asks clients for no passwords: keep HAProxy in front, or let the application do it',
    ],
  ],
  ['peers', ['left-out', 'tables are not shared with other HAProxys']],
  ['mailers', ['left-out', 'hooks tell of what happens: see lockstep events']],
  ['resolvers', ['covered', 'names are looked up as the system does']],
  ['cache', ['left-out', 'Lockstep caches nothing but assets of past versions']],
  ['http-errors', ['left-out', "Lockstep's own answers have pages of their own"]],
  ['ring', ['left-out', 'Lockstep writes its log to stdout or a file']],
  ['log-forward', ['left-out', 'Lockstep forwards no logs']],
  ['log-profile', ['left-out', 'Lockstep writes one JSON line for each request']],
  ['traces', ['left-out', "it is about HAProxy's own process"]],
  ['program', ['left-out', 'Lockstep starts no other programs']],
  ['fcgi-app', ['left-out', 'Lockstep speaks HTTP to servers']],
  ['crt-store', ['left-out', 'certificates are named in listen']],
  ['acme', ['left-out', 'Lockstep fetches no certificates: name their files in listen']],
]);

export function tellLeftovers(
  sections: readonly Section[],
  proxies: readonly ProxySection[],
  imported: readonly ProxySection[],
  backend: ProxySection,
  findings: Findings,
): void {
  const defaults = new Set(imported.flatMap((proxy) => proxy.defaults));
  for (const section of sections) {
    if (section.kind === 'global') tellLines(section, sayingOfGlobal, findings);
    else if (section.kind === 'defaults') {
      if (defaults.has(section)) tellLines(section, sayingOf, findings);
      else if (section.directives.length > 0) {
        findings.note(section, 'left-out', 'defaults', 'no section that is imported uses it');
      }
    } else {
      const saying = SECTIONS.get(section.kind);
      if (saying !== undefined) findings.note(section, saying[0], nameOf(section), saying[1]);
    }
  }
  for (const proxy of proxies) {
    if (imported.includes(proxy)) tellLines({ directives: proxy.own }, sayingOf, findings);
    else findings.note(proxy, 'left-out', `${proxy.kind} ${proxy.name}`, tellOther(proxy, backend));
  }
}

function tellLines(
  { directives }: Pick<Section, 'directives'>,
  saying: (words: readonly string[]) => readonly [NoteKind, string],
  findings: Findings,
): void {
  for (const directive of directives) {
    const { words, modifier } = directive;
    // Negated is what Lockstep does not do either.
    if (modifier !== 'set' || findings.isDone(directive) || TOLD_ELSEWHERE.has(words[0] ?? '')) continue;
    const [kind, why] = saying(words);
    findings.note(directive, kind, phraseOf(words), why);
  }
}

function tellOther(proxy: ProxySection, backend: ProxySection): string {
  const own = proxy.own.some(({ words: [first] }) => first === 'server' || first === 'server-template');
  if (own && modeOf(proxy) !== 'http') return `it is in mode ${modeOf(proxy)}: leave it to HAProxy`;
  if (proxy.kind === 'backend' && !own) return 'it has no servers';
  if (own) {
    return `it is another application than ${backend.name}: import it with --backend ${proxy.name}, for a Lockstep of its own`;
  }
  if (proxy.own.some(({ words }) => words[0] === 'stats')) {
    return 'it shows statistics: lockstep status, and /metrics of the admin API, tell what goes on';
  }
  const targets = backendsOf(proxy);
  if (targets.length === 0) return 'it leads to no backend';
  return `it leads to ${targets.join(', ')}, and not to ${backend.name}`;
}

function nameOf({ kind, name }: Section): string {
  return name === null ? kind : `${kind} ${name}`;
}
