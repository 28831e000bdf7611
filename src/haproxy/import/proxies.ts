// Frontends, backends and listens with what they inherit: the `defaults` section that they name or that stands last
// before them, and those that it names in turn (configuration.txt, section 4). Questions about settings are asked here:
// a section's own last word counts, then that of the nearest defaults.

import type { Findings, Place } from './place.ts';
import type { Directive, Section } from './sections.ts';

export type ProxyKind = 'frontend' | 'backend' | 'listen';

export interface ProxySection extends Place {
  readonly kind: ProxyKind;
  readonly name: string;
  readonly own: readonly Directive[];
  /** Nearest first. */
  readonly defaults: readonly Section[];
  readonly folder: string | null;
}

export function readProxies(sections: readonly Section[], findings: Findings): readonly ProxySection[] {
  const chains = new Map<string, readonly Section[]>();
  let latest: readonly Section[] = [];
  const proxies: ProxySection[] = [];
  const chainOf = (section: Section): readonly Section[] => {
    if (section.from === null) return section.kind === 'defaults' ? [] : latest;
    const chain = chains.get(section.from);
    if (chain !== undefined) return chain;
    const known =
      chains.size === 0 ? 'none has a name before it' : `known before it: ${[...chains.keys()].join(', ')}`;
    const message = `expected the name of an earlier defaults section after from, got ${JSON.stringify(section.from)}`;
    findings.problem(section, message, known);
    return [];
  };
  for (const section of sections) {
    const { kind, name, directives: own, folder, file, line } = section;
    if (kind === 'defaults') {
      latest = [section, ...chainOf(section)];
      if (name !== null) chains.set(name, latest);
    } else if ((kind === 'frontend' || kind === 'backend' || kind === 'listen') && name !== null) {
      const earlier = proxies.find((proxy) => proxy.name === name && playsSameSide(proxy.kind, kind));
      if (earlier !== undefined) {
        const message = `expected each name once, got ${kind} ${name} again`;
        findings.problem(section, message, `it stands at ${earlier.file}:${earlier.line} already`);
      }
      proxies.push({ kind, name, own, defaults: chainOf(section), folder, file, line });
    }
  }
  return proxies;
}

/** A frontend and a backend could share a name in HAProxy before 3.3. */
function playsSameSide(left: ProxyKind, right: ProxyKind): boolean {
  return left === 'listen' || right === 'listen' || left === right;
}

/** The last word about a keyword such as `timeout connect`; null when nobody says anything, or it is negated. */
export function settingOf(proxy: ProxySection, phrase: string): Directive | null {
  for (const directives of layersOf(proxy)) {
    const found = directives.findLast(({ words }) => startsWith(words, phrase));
    if (found !== undefined) return found.modifier === 'set' ? found : null;
  }
  return null;
}

/** All of the nearest section that has any: rules of `defaults` count where a section has none itself. */
export function rulesOf(proxy: ProxySection, phrase: string): readonly Directive[] {
  for (const directives of layersOf(proxy)) {
    const found = directives.filter(({ words, modifier }) => modifier === 'set' && startsWith(words, phrase));
    if (found.length > 0) return found;
  }
  return [];
}

/** Outermost first, as they take effect one after the other. */
export function allOf(proxy: ProxySection): readonly Directive[] {
  return layersOf(proxy).toReversed().flat();
}

/** What follows the phrase. */
export function valuesOf({ words }: Directive, phrase: string): readonly string[] {
  return words.slice(phrase.split(' ').length);
}

/** HAProxy's own default is tcp. */
export function modeOf(proxy: ProxySection): string {
  const mode = settingOf(proxy, 'mode');
  return mode === null ? 'tcp' : (mode.words[1] ?? 'tcp');
}

/** `disabled` stops a whole section; `enabled` undoes that of its defaults. */
export function isDisabled(proxy: ProxySection): boolean {
  for (const directives of layersOf(proxy)) {
    const found = directives.findLast(({ words: [first] }) => first === 'disabled' || first === 'enabled');
    if (found !== undefined) return found.words[0] === 'disabled';
  }
  return false;
}

export function startsWith(words: readonly string[], phrase: string): boolean {
  return phrase.split(' ').every((word, index) => words[index] === word);
}

function layersOf({ own, defaults }: ProxySection): readonly (readonly Directive[])[] {
  return [own, ...defaults.map(({ directives }) => directives)];
}
