// What the name of an upstream resolves to is looked at each time that a connection is made to it: a name that was harmless
// when it was put may point to a cloud's metadata service or to the gateway's own admin port by now (HARDENING M10, DNS
// rebinding). The connection goes to what was looked at, since nothing is resolved a second time.

import { lookup } from 'node:dns';
import { isIP, type LookupFunction, type SocketConnectOpts } from 'node:net';
import type { TableUpstream } from '../core/table.ts';

/** Where no upstream may be, in words; null for anywhere else. */
export type WhyForbidden = (ip: string, port: number) => string | null;

/** What `connect` is given for an upstream. */
export function connectOptions(
  { host, port, socketPath }: Pick<TableUpstream, 'host' | 'port' | 'socketPath'>,
  why: WhyForbidden | undefined,
): SocketConnectOpts {
  if (socketPath !== undefined) return { path: socketPath };
  if (why === undefined || isIP(host) !== 0) return { host, port };
  return { host, port, lookup: guardedLookup(port, why) };
}

function guardedLookup(port: number, why: WhyForbidden): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, found, family) => {
      const ips = typeof found === 'string' ? [found] : (found ?? []).map(({ address }) => address);
      const forbidden =
        error === null ? ips.map((ip) => why(ip, port)).find((words) => words !== null) : undefined;
      if (forbidden === undefined) callback(error, found, family);
      else callback(refusal(hostname, forbidden), []);
    });
  };
}

function refusal(hostname: string, what: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${hostname} resolves to ${what}`), { code: 'EFORBIDDEN' });
}
