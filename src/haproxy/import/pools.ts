// The servers of a backend as pools of versions: one version, or the parts that `--split` names. A server that Lockstep
// cannot use, or that HAProxy gave nothing, stays as a comment with the reason.

import { findNearest } from '../../core/nearest.ts';
import { VERSION_ID } from '../../core/versions.ts';
import { isOwn, readServerAddress } from './address.ts';
import { isSrvName } from './dns-names.ts';
import type { Listener } from './listeners.ts';
import type { Findings, Place } from './place.ts';
import { has, parameterOf, type Server } from './servers.ts';

export interface PoolUpstream extends Place {
  /** Of the server, or of the first and last one of a template. */
  readonly name: string;
  /** host:port; as HAProxy has it where Lockstep cannot use it. */
  readonly address: string;
  /** Why it is only a comment; null when it is an upstream. */
  readonly leftOut: string | null;
}

export type SendProxy = 'none' | 'v1' | 'v2';

export interface Pool {
  readonly id: string;
  readonly upstreams: readonly PoolUpstream[];
  readonly sendProxy: SendProxy;
}

export interface Pools {
  /** None where all servers are found in DNS. */
  readonly versions: readonly Pool[];
  readonly active: string | null;
}

export interface Split {
  /** Names or addresses of servers, a list for each version. */
  readonly parts: readonly (readonly string[])[];
  readonly names: readonly string[] | null;
}

interface Candidate {
  readonly server: Server;
  readonly address: string;
  /** Why Lockstep cannot use it; null when it can. */
  readonly unusable: string | null;
  /** By an SRV name: discovery.dns, and no pool, has its servers. */
  readonly isFound: boolean;
  /** Why HAProxy gives it no new sessions; null when it does. */
  readonly idle: string | null;
  readonly sendProxy: SendProxy;
}

export function readPools(
  backend: Place & { readonly name: string },
  servers: readonly Server[],
  split: Split | null,
  listeners: readonly Listener[],
  findings: Findings,
): Pools {
  const ports = [...new Set(listeners.map(({ port }) => port))];
  // A server without a port has the one that the client came to: known where there is but one.
  const defaultPort = ports.length === 1 ? ports[0]! : null;
  const own = listeners.filter(({ leftOut }) => leftOut === null).map(({ address }) => address);
  const all = servers.map((server) => toCandidate(server, defaultPort, own));
  const candidates = all.filter(({ isFound }) => !isFound);
  const found = all.find(({ isFound }) => isFound);
  if (found !== undefined) {
    const why =
      'its servers are found in DNS: each is of the version that it says it runs (discovery.version); promote the first one yourself';
    findings.note(found.server, 'changed', 'server-template', why);
    if (candidates.length === 0 && split === null) return { versions: [], active: null };
  }
  const parts = split === null ? [candidates] : divide(candidates, split, backend, findings);
  const ids = parts.map((_, index) => split?.names?.[index] ?? `v${index + 1}`);
  tellIds(ids, split, parts, backend, findings);
  const taken = new Map<string, string>();
  const versions = parts.map((part, index) =>
    toPool(ids[index]!, part, parts.length > 1, backend, taken, findings),
  );
  const active = parts.findIndex((part) => !isIdle(part));
  return { versions, active: ids[Math.max(active, 0)] ?? 'v1' };
}

function toCandidate(server: Server, defaultPort: number | null, own: readonly string[]): Candidate {
  const read = readServerAddress(server.address, defaultPort);
  const sendProxy = sendProxyOf(server);
  const isFound = isSrvName(server.address) && unusableBy(server) === null && sendProxy === 'none';
  const isItself = read.ok && isOwn(read.host, read.port, own);
  const unusable = isItself ? 'HAProxy itself listens there' : read.ok ? unusableBy(server) : read.why;
  return {
    server,
    address: read.ok ? read.address : server.address,
    unusable,
    isFound,
    idle: idleBy(server),
    sendProxy,
  };
}

function unusableBy(server: Server): string | null {
  if (has(server, 'ssl')) return 'it is spoken to with TLS, and Lockstep speaks plain HTTP to servers';
  const protocol = parameterOf(server, 'proto');
  if (protocol === 'h2' || protocol === 'fcgi')
    return `it is spoken to with ${protocol}, and Lockstep speaks HTTP/1.1`;
  if (has(server, 'socks4')) return 'it is reached through a SOCKS proxy';
  return null;
}

function idleBy(server: Server): string | null {
  if (has(server, 'disabled')) return 'disabled';
  if (has(server, 'backup')) return 'backup: Lockstep has none, it uses all servers of a version';
  return parameterOf(server, 'weight') === '0' ? 'weight 0: no new sessions' : null;
}

function sendProxyOf(server: Server): SendProxy {
  if (['send-proxy-v2', 'send-proxy-v2-ssl', 'send-proxy-v2-ssl-cn'].some((name) => has(server, name)))
    return 'v2';
  return has(server, 'send-proxy') ? 'v1' : 'none';
}

/** The half that a see-saw deploy has taken out, or that only stands by. */
function isIdle(part: readonly Candidate[]): boolean {
  return part.every(({ idle }) => idle !== null);
}

function toPool(
  id: string,
  part: readonly Candidate[],
  isSplit: boolean,
  backend: Place & { readonly name: string },
  taken: Map<string, string>,
  findings: Findings,
): Pool {
  const usable = part.filter(({ unusable }) => unusable === null);
  const idlesToo = isIdle(usable);
  if (idlesToo && !isSplit && usable.length > 0) {
    const why = 'none of them gets new sessions in HAProxy; all are upstreams here, for a version needs some';
    findings.note(usable[0]!.server, 'changed', 'server', why);
  }
  const sendProxy = usable.find(({ idle }) => idlesToo || idle === null)?.sendProxy ?? 'none';
  const upstreams: PoolUpstream[] = [];
  for (const candidate of part) {
    const { server, address } = candidate;
    const leftOut = candidate.unusable ?? unlike(candidate, sendProxy) ?? (idlesToo ? null : candidate.idle);
    if (leftOut !== null) {
      findings.note(server, 'left-out', `server ${server.name}`, leftOut);
    } else if (isRepeated(candidate, id, taken, upstreams, findings)) continue;
    upstreams.push({ file: server.file, line: server.line, name: server.name, address, leftOut });
  }
  if (!upstreams.some(({ leftOut }) => leftOut === null)) tellEmpty(id, part, isSplit, backend, findings);
  return { id, upstreams, sendProxy };
}

function unlike(candidate: Candidate, sendProxy: SendProxy): string | null {
  if (candidate.sendProxy === sendProxy) return null;
  const how = (sends: SendProxy) => (sends === 'none' ? 'no PROXY protocol' : `the PROXY protocol ${sends}`);
  return `it gets ${how(candidate.sendProxy)}, and the others of its version get ${how(sendProxy)}`;
}

/** The same address once more: a template stands for one name in DNS, and two servers at one address are one. */
function isRepeated(
  { server, address }: Candidate,
  id: string,
  taken: Map<string, string>,
  upstreams: PoolUpstream[],
  findings: Findings,
): boolean {
  const owner = taken.get(address);
  if (owner === undefined) {
    taken.set(address, id);
    return false;
  }
  if (owner !== id) {
    const message = `expected the servers of each version to have addresses of their own, got ${address} in ${owner} and ${id}`;
    findings.problem(server, message, 'split by address: servers that share one belong together');
    return true;
  }
  if (!server.isTemplate) {
    findings.note(
      server,
      'changed',
      `server ${server.name}`,
      `${address} is an upstream already, once is enough`,
    );
    return true;
  }
  const at = upstreams.findIndex((upstream) => upstream.address === address);
  const first = upstreams[at]!;
  upstreams[at] = { ...first, name: `${first.name.split('..')[0]}..${server.name}` };
  const why = 'one upstream by its name in DNS: connections go to whichever address that gives';
  findings.note(server, 'changed', 'server-template', why);
  return true;
}

function tellEmpty(
  id: string,
  part: readonly Candidate[],
  isSplit: boolean,
  backend: Place & { readonly name: string },
  findings: Findings,
): void {
  const whose = isSplit ? `version ${id}` : `backend ${backend.name}`;
  const [first] = part;
  // Its lines could not be read, or --split names others: that is a problem already.
  if (first === undefined) return;
  const why = first.unusable ?? 'it cannot be used';
  const message = `expected a server that Lockstep can use for ${whose}, got none: ${first.server.name}: ${why}`;
  const advice = /TLS|h2|fcgi|UNIX|SOCKS/.test(why)
    ? 'let HAProxy speak to it, in a frontend on 127.0.0.1 for each version, and name that as the upstream (config/haproxy.cfg)'
    : 'give the server a host and a port';
  findings.problem(first.server, message, advice);
}

function divide(
  candidates: readonly Candidate[],
  { parts }: Split,
  backend: Place & { readonly name: string },
  findings: Findings,
): readonly (readonly Candidate[])[] {
  const left = new Set(candidates);
  const divided = parts.map((names) =>
    names.flatMap((name): readonly Candidate[] => {
      const found = candidates.filter(
        ({ server, address }) => server.name === name || address === name || server.address === name,
      );
      const [one, ...others] = found;
      if (one === undefined || others.length > 0) {
        const known = candidates.map(({ server }) => server.name);
        const nearest = findNearest(name, known);
        const advice = nearest === null ? `its servers: ${known.join(', ')}` : `did you mean ${nearest}?`;
        const got = one === undefined ? 'there is none' : `${found.length} are meant`;
        findings.problem(
          backend,
          `expected a server of backend ${backend.name} in --split, got ${JSON.stringify(name)}: ${got}`,
          advice,
        );
        return [];
      }
      if (!left.delete(one)) {
        findings.problem(
          one.server,
          `expected each server once in --split, got ${name} again`,
          'remove one of them',
        );
        return [];
      }
      return [one];
    }),
  );
  if (left.size > 0 && findings.problems.length === 0) {
    const names = [...left].map(({ server }) => server.name).join(', ');
    const message = `expected every server of backend ${backend.name} in --split, got none of ${names}`;
    findings.problem([...left][0]!.server, message, 'add them to one of the parts');
  }
  return divided;
}

function tellIds(
  ids: readonly string[],
  split: Split | null,
  parts: readonly unknown[],
  backend: Place,
  findings: Findings,
): void {
  if (split?.names && split.names.length !== parts.length) {
    const message = `expected ${parts.length} versions in --names, got ${split.names.length}`;
    findings.problem(backend, message, 'one for each part of --split, in its order');
  }
  for (const [index, id] of ids.entries()) {
    if (!VERSION_ID.test(id)) {
      const message = `expected a version id of letters, digits, ".", "_" and "-" in --names, got ${JSON.stringify(id)}`;
      findings.problem(backend, message, 'begin it with a letter or digit');
    } else if (ids.indexOf(id) !== index) {
      findings.problem(
        backend,
        `expected each version once in --names, got ${id} again`,
        'name each part differently',
      );
    }
  }
}
