// Conditions of `use_backend` and `redirect` rules, as far as they speak of the Host field or of TLS alone
// (configuration.txt, section 7.1). Anything else is not understood here, and said not to be.

import { toNetwork } from './network.ts';
import type { Directive } from './sections.ts';

const HOST_FETCH = /^(?:req\.)?f?hdr\(host\)(?:,(?:lower|host_only|field\(1,:\)|word\(1,:\)))*$/i;
const HOST_NAME = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

interface Term {
  readonly isNegated: boolean;
  /** What an `acl` line says behind its name, or what stands in braces. */
  readonly tests: readonly (readonly string[])[];
}

/** Alternatives, each a conjunction of terms. */
type Condition = readonly (readonly Term[])[];

/** `… if A B || C`; null without a condition, or for one that cannot be read. */
export function readCondition(words: readonly string[], acls: readonly Directive[]): Condition | null {
  const at = words.findIndex((word) => word === 'if' || word === 'unless');
  if (at === -1) return null;
  const groups: Term[][] = [[]];
  const given = words.slice(at + 1);
  for (let i = 0; i < given.length; i++) {
    const word = given[i]!;
    if (word === 'or' || word === '||') {
      groups.push([]);
      continue;
    }
    const bare = word.replace(/^!+/, '') || given[++i] || '';
    const isNegated = (word.length - word.replace(/^!+/, '').length) % 2 === 1;
    if (bare === '{') {
      const end = given.indexOf('}', i);
      if (end === -1) return null;
      groups.at(-1)!.push({ isNegated, tests: [given.slice(i + 1, end)] });
      i = end;
    } else {
      const named = acls.filter(({ words: [keyword, name] }) => keyword === 'acl' && name === bare);
      groups.at(-1)!.push({ isNegated, tests: named.map(({ words: acl }) => acl.slice(2)) });
    }
  }
  if (words[at] === 'if') return groups;
  // unless A or B: neither holds. Only a single term is turned round here.
  const [only, ...others] = groups;
  if (only === undefined || only.length !== 1 || others.length > 0) return null;
  return [[{ ...only[0]!, isNegated: !only[0]!.isNegated }]];
}

/** Names that the condition asks Host to be, and nothing else; null when it asks for more, or for something else. */
export function hostsOf(condition: Condition): readonly string[] | null {
  const hosts = new Set<string>();
  for (const terms of condition) {
    const [term, ...others] = terms;
    if (term === undefined || others.length > 0 || term.isNegated || term.tests.length === 0) return null;
    for (const test of term.tests) {
      const names = namesIn(test);
      if (names === null) return null;
      for (const name of names) hosts.add(name);
    }
  }
  return hosts.size === 0 ? null : [...hosts];
}

/** Networks that it asks the client to be of, and nothing else; null when it asks for more, or for something else. */
export function networksOf(condition: Condition): readonly string[] | null {
  const networks = new Set<string>();
  for (const terms of condition) {
    const [term, ...others] = terms;
    if (term === undefined || others.length > 0 || term.isNegated || term.tests.length === 0) return null;
    for (const [fetch, ...given] of term.tests) {
      const read = given.map(toNetwork);
      if (fetch !== 'src' || read.length === 0 || read.includes(null)) return null;
      for (const network of read) networks.add(network!);
    }
  }
  return networks.size === 0 ? null : [...networks];
}

/**
 * It holds for clients without TLS, or for all but a few: `!{ ssl_fc }`, `unless renewal`. A condition that looks at
 * fields such as X-Forwarded-Proto, or names what it holds for, is none of these.
 */
export function isForPlainClients(condition: Condition): boolean {
  return condition.some(
    (terms) => terms.some(isWithoutTls) || terms.every((term) => term.isNegated && !looksAtField(term)),
  );
}

function looksAtField({ tests }: Term): boolean {
  return tests.some(([fetch = '']) => /hdr/.test(fetch) && !HOST_FETCH.test(fetch));
}

function isWithoutTls({ isNegated, tests }: Term): boolean {
  const [test, ...others] = tests;
  if (test === undefined || others.length > 0) return false;
  const [fetch, ...values] = test;
  if (fetch === 'ssl_fc') {
    const says = values.filter((value) => value !== 'eq' && value !== '-m' && value !== 'bool').join(' ');
    return isNegated ? says === '' || says === '1' : says === '0';
  }
  return fetch === 'ssl_fc,not' && !isNegated && values.length === 0;
}

function namesIn([fetch = '', ...words]: readonly string[]): readonly string[] | null {
  if (!HOST_FETCH.test(fetch)) return null;
  const names: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '-i' || word === '--' || word === 'str') continue;
    if (word === '-m' && words[i + 1] === 'str') continue;
    if (word.startsWith('-')) return null;
    const name = word.toLowerCase().replace(/:\d+$/, '');
    if (!HOST_NAME.test(name)) return null;
    names.push(name);
  }
  return names.length === 0 ? null : names;
}
