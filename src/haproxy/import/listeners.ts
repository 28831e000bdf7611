// `bind` lines of the frontends that lead to the backend, as `listen` of Lockstep. A listener that would be weaker than
// it was (its clients had to show certificates, or were only redirected to https) is left out, and said to be.

import { readBindAddresses } from './address.ts';
import { isForPlainClients, networksOf, readCondition } from './host-rules.ts';
import { readBindParameters } from './parameters.ts';
import type { Findings, Place } from './place.ts';
import { type ProxySection, rulesOf } from './proxies.ts';
import type { Directive, Section } from './sections.ts';

export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Networks whose PROXY protocol header is believed; null where none is expected. */
  readonly proxyProtocol: readonly string[] | null;
  readonly from: Place;
  readonly says: string;
  /** Why it is only a comment; null when it listens. */
  readonly leftOut: string | null;
}

export interface Surroundings {
  /** `global` sections. */
  readonly globals: readonly Section[];
  readonly isFolder: (path: string) => boolean;
}

/** HAProxy believes whoever connects; from public networks that would let clients choose their address. */
const PRIVATE_NETWORKS = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '127.0.0.0/8',
  '::1/128',
  'fc00::/7',
];

/** Said elsewhere, or names for people. */
const SILENT: ReadonlySet<string> = new Set([
  ...['ssl', 'crt', 'accept-proxy', 'verify', 'v4v6', 'name', 'id', 'guid-prefix', 'label'],
]);

export function readListeners(
  frontends: readonly ProxySection[],
  surroundings: Surroundings,
  findings: Findings,
): readonly Listener[] {
  const listeners = frontends.flatMap((frontend) => {
    const redirects = redirectToHttps(frontend);
    return rulesOf(frontend, 'bind').flatMap((bind) =>
      readBind(bind, frontend, redirects, surroundings, findings),
    );
  });
  const seen = new Set<string>();
  return listeners.filter(({ address, leftOut }) => {
    if (leftOut !== null) return true;
    const isNew = !seen.has(address);
    seen.add(address);
    return isNew;
  });
}

/** The rule by which a frontend sends clients without TLS to https; null without one. */
export function redirectToHttps(frontend: ProxySection): Directive | null {
  const rules = [...rulesOf(frontend, 'redirect'), ...rulesOf(frontend, 'http-request redirect')];
  const found = rules.find(({ words }) => {
    const isToHttps = words.some((word, index) => word === 'https' && words[index - 1] === 'scheme');
    if (!isToHttps) return false;
    if (!words.includes('if') && !words.includes('unless')) return true;
    const condition = readCondition(words, frontend.own);
    // One that cannot be read is an `unless` of several things.
    return condition === null || isForPlainClients(condition);
  });
  return found ?? null;
}

function readBind(
  bind: Directive,
  frontend: ProxySection,
  redirects: Directive | null,
  surroundings: Surroundings,
  findings: Findings,
): readonly Listener[] {
  const [, addresses = '', ...words] = bind.words;
  findings.carry(bind);
  const parameters = new Map(readBindParameters(words).map(({ name, value }) => [name, value]));
  const isTls = parameters.has('ssl');
  const tls = isTls ? certificateOf(bind, words, frontend, surroundings, findings) : null;
  const proxyProtocol = readProxyProtocol(bind, parameters, frontend, findings);
  tellParameters(bind, parameters, findings);
  const weaker = weakerThan(parameters, isTls, redirects);
  const why = weaker ?? (typeof tls === 'string' ? tls : null);
  return readBindAddresses(addresses).flatMap((read): readonly Listener[] => {
    if (!read.ok) {
      findings.note(bind, 'left-out', 'bind', read.why);
      return [];
    }
    if (why !== null) findings.note(bind, 'left-out', 'bind', why);
    const { address, port } = read;
    const usable = typeof tls === 'string' ? null : tls;
    return [{ address, port, tls: usable, proxyProtocol, from: bind, says: 'bind', leftOut: why }];
  });
}

/** `accept-proxy` takes the header of everybody, `expect-proxy` that of whom its condition names. */
function readProxyProtocol(
  bind: Directive,
  parameters: ReadonlyMap<string, string>,
  frontend: ProxySection,
  findings: Findings,
): readonly string[] | null {
  const why = 'HAProxy believes everybody here; name your load balancer alone in proxyProtocol';
  if (parameters.has('accept-proxy')) {
    findings.note(bind, 'changed', 'bind accept-proxy', why);
    return PRIVATE_NETWORKS;
  }
  const [rule] = rulesOf(frontend, 'tcp-request connection expect-proxy');
  if (rule === undefined) return null;
  findings.carry(rule);
  const condition = readCondition(rule.words, frontend.own);
  const networks = condition === null ? null : networksOf(condition);
  if (networks === null) findings.note(rule, 'changed', 'tcp-request connection', why);
  return networks ?? PRIVATE_NETWORKS;
}

function weakerThan(
  parameters: ReadonlyMap<string, string>,
  isTls: boolean,
  redirects: Directive | null,
): string | null {
  const verify = parameters.get('verify');
  if (isTls && (verify === 'required' || verify === 'optional')) {
    return 'its clients show certificates, which Lockstep does not ask for: keep HAProxy in front of this address';
  }
  if (!isTls && redirects !== null) {
    return `HAProxy redirects to https here (line ${redirects.line}), which Lockstep does not: leave this address to HAProxy`;
  }
  return null;
}

function tellParameters(bind: Directive, parameters: ReadonlyMap<string, string>, findings: Findings): void {
  for (const [name, value] of parameters) {
    if (SILENT.has(name)) continue;
    if (name === 'alpn' || name === 'npn' || name === 'proto') {
      if (/h2|h3/.test(value)) {
        findings.note(
          bind,
          'changed',
          `bind ${name}`,
          'clients get HTTP/1.1: Lockstep does not speak HTTP/2 or 3',
        );
      }
    } else if (
      /^(?:ca-|crl-|ciphers|curves|ecdhe|ssl-|force-|no-|tls-|strict-sni|allow-0rtt|sigalgs|client-|prefer-)/.test(
        name,
      )
    ) {
      findings.note(
        bind,
        'left-out',
        `bind ${name}`,
        "TLS is spoken as Node's defaults say: TLS 1.2 and 1.3",
      );
    } else
      findings.note(bind, 'left-out', `bind ${name}`, 'a listener of Lockstep has an address and TLS alone');
  }
}

/** A text says why there is none that could be used. */
function certificateOf(
  bind: Directive,
  words: readonly string[],
  frontend: ProxySection,
  { globals, isFolder }: Surroundings,
  findings: Findings,
): NonNullable<Listener['tls']> | string {
  const certificates = readBindParameters(words).filter(({ name }) => name === 'crt');
  const [first, ...others] = certificates.map(({ value }) => value);
  if (first === undefined) return 'its certificates stand in a list (crt-list) or nowhere: name one in tls';
  if (first.startsWith('@'))
    return 'its certificate is in a store of HAProxy (crt-store): name its files in tls';
  if (others.length > 0) {
    const why = `Lockstep has one certificate for an address: ${first} is taken, ${others.length} more are not`;
    findings.note(bind, 'changed', 'bind crt', why);
  }
  const path = pathOf(first, globals, frontend.folder);
  if (isFolder(path)) return `${path} is a folder of certificates: name the one to use in tls`;
  if (!path.startsWith('/')) {
    findings.note(
      bind,
      'assumed',
      'bind crt',
      `${path} is sought beside the file of Lockstep's configuration`,
    );
  }
  return { cert: path, key: path };
}

function pathOf(name: string, globals: readonly Section[], folder: string | null): string {
  if (name.startsWith('/')) return name;
  const base = globals
    .flatMap(({ directives }) => directives)
    .findLast(({ words }) => words[0] === 'crt-base');
  const start = base?.words[1] ?? folder;
  return start === null || start === undefined || start === '.'
    ? name
    : `${start.replace(/\/$/, '')}/${name}`;
}
