// Which frontends lead to a backend, and on what conditions. Lockstep has one application behind an address: rules that
// send some requests elsewhere are told, and those that go by names alone become `hosts`.

import { hostsOf, readCondition } from './host-rules.ts';
import type { Findings, Place } from './place.ts';
import { isDisabled, type ProxySection, rulesOf, settingOf } from './proxies.ts';
import type { Directive } from './sections.ts';

export interface Routes {
  /** That lead to the backend; a `listen` leads to itself. */
  readonly frontends: readonly ProxySection[];
  /** Null: all names. */
  readonly hosts: { readonly names: readonly string[]; readonly from: Place } | null;
}

export function readRoutes(
  proxies: readonly ProxySection[],
  backend: ProxySection,
  findings: Findings,
): Routes {
  // A frontend in mode tcp may lead to a backend in mode http: HAProxy reads its requests there.
  const candidates = proxies.filter((proxy) => proxy.kind !== 'backend' && !isDisabled(proxy));
  const sure = candidates.filter((proxy) => leadsTo(proxy, backend));
  const frontends = sure.length > 0 ? sure : candidates.filter(choosesAtRunTime);
  const named = frontends.map((frontend) => readFrontend(frontend, backend, findings));
  if (frontends.length === 0 || named.includes(null)) return { frontends, hosts: null };
  const names = [...new Set(named.flatMap((hosts) => hosts?.names ?? []))];
  return { frontends, hosts: names.length === 0 ? null : { names, from: named[0]!.from } };
}

/** Backends that a frontend may choose, as far as its file names them. */
export function backendsOf(frontend: ProxySection): readonly string[] {
  const rules = rulesOf(frontend, 'use_backend').map(({ words }) => words[1] ?? '');
  const fallback = settingOf(frontend, 'default_backend')?.words[1];
  return [...new Set(fallback === undefined ? rules : [...rules, fallback])];
}

function leadsTo(frontend: ProxySection, backend: ProxySection): boolean {
  return frontend === backend || backendsOf(frontend).includes(backend.name);
}

function choosesAtRunTime(frontend: ProxySection): boolean {
  return backendsOf(frontend).some((name) => name.includes('%['));
}

/** The names by which it leads to the backend alone; null when it is not by names alone. */
function readFrontend(
  frontend: ProxySection,
  backend: ProxySection,
  findings: Findings,
): { readonly names: readonly string[]; readonly from: Place } | null {
  const fallback = settingOf(frontend, 'default_backend');
  const isDefault = (fallback?.words[1] ?? frontend.name) === backend.name;
  if (fallback !== null) findings.carry(fallback);
  if (fallback !== null && !isDefault) tellElsewhere(fallback, backend, findings);
  const names: string[] = [];
  let isByNames = !isDefault;
  let from: Place = frontend;
  for (const rule of rulesOf(frontend, 'use_backend')) {
    const target = rule.words[1] ?? '';
    if (target !== backend.name) {
      tellElsewhere(rule, backend, findings);
      continue;
    }
    findings.carry(rule);
    from = rule;
    if (isDefault) continue;
    const condition = readCondition(rule.words, frontend.own);
    const hosts = condition === null ? null : hostsOf(condition);
    if (hosts !== null) {
      names.push(...hosts);
      carryAcls(rule, frontend, findings);
      continue;
    }
    isByNames = false;
    const why = `what else arrives at this address goes to ${backend.name} as well: Lockstep has one application behind an address`;
    if (condition !== null) findings.note(rule, 'changed', 'use_backend', why);
  }
  return isByNames && names.length > 0 ? { names, from } : null;
}

function tellElsewhere(rule: Directive, backend: ProxySection, findings: Findings): void {
  const [keyword = '', target = ''] = rule.words;
  const shown = target.includes('%[') ? 'the backend that HAProxy works out at run time' : target;
  const why =
    `its requests went to ${shown}: here they go to ${backend.name}, or are a 421 where hosts does not name them; ` +
    'keep HAProxy in front for them, or give them an address of their own';
  findings.note(rule, 'left-out', keyword, why);
}

function carryAcls(rule: Directive, frontend: ProxySection, findings: Findings): void {
  for (const directive of frontend.own) {
    const [keyword, name] = directive.words;
    if (keyword === 'acl' && name !== undefined && rule.words.includes(name)) findings.carry(directive);
  }
}
