// What a request must be before it is looked at. Browsers reach loopback too: a page of a foreign site can post to it,
// and with DNS rebinding even read from it. So Host must be a name of this listener (HARDENING M03), and requests that
// change something must not come from another site's page (M02).

import { BlockList, isIP } from 'node:net';
import { ApiProblem } from './problem.ts';

export interface GateFacts {
  readonly method: string;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly secFetchSite: string | undefined;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');
/** host or [IPv6], with or without port. Forwarded ports (ssh -L) differ from ours, so any will do. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/;

/** `host` as the configuration has it, without brackets. */
export function isLoopback(host: string): boolean {
  const family = isIP(host);
  return family === 0
    ? host.toLowerCase() === 'localhost'
    : LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/** Throws the refusal of a request that must not be looked at. */
export function gateFor(listenHost: string): (facts: GateFacts) => void {
  const isNameOfThis = hostJudge(listenHost);
  return (facts) => {
    if (facts.host === undefined) throw new ApiProblem(400, 'malformed', 'The Host field is missing.');
    if (!isNameOfThis(facts.host)) {
      throw new ApiProblem(
        421,
        'wrong-host',
        'This Host is not served here. Use the address that the admin API listens on.',
      );
    }
    if (isReading(facts.method)) return;
    const isForeignSite = !['none', 'same-origin'].includes(facts.secFetchSite ?? 'none');
    if (isForeignSite || !isSameOrigin(facts.origin, facts.host)) {
      throw new ApiProblem(403, 'cross-site', 'Changes are not taken from pages of other sites.');
    }
  };
}

export function isReading(method: string): boolean {
  return method === 'GET' || method === 'HEAD';
}

/**
 * A listener on all addresses has tokens, which a rebound page does not know, and its names are not known here: there
 * every well-formed Host will do.
 */
function hostJudge(listenHost: string): (host: string) => boolean {
  const isOnAllAddresses = listenHost === '0.0.0.0' || listenHost === '::';
  const own = listenHost.toLowerCase();
  return (field) => {
    const match = HOST.exec(field.toLowerCase());
    if (match === null) return false;
    const host = match[1]!.replace(/^\[|\]$/g, '');
    return isOnAllAddresses || host === own || isLoopback(host);
  };
}

function isSameOrigin(origin: string | undefined, host: string): boolean {
  return origin === undefined || origin === `http://${host}` || origin === `https://${host}`;
}
