// Addresses of `server` and `bind` lines (configuration.txt, section 2.9), as far as Lockstep can use them.

import { parseUpstreamUrl } from '../../core/pool.ts';

export type ServerAddress =
  | { readonly ok: true; readonly address: string; readonly host: string; readonly port: number }
  | { readonly ok: false; readonly why: string };

/** Families that are TCP over IP all the same. */
const IP_PREFIX = /^(?:stream\+)?(?:ip|ip4|ip6|ipv4|ipv6|tcp|tcp4|tcp6|mptcp|mptcp4|mptcp6)@/;
const OTHER_PREFIX = /^([a-z0-9+]+)@/;

/** `defaultPort`: of the only listener, which HAProxy takes where a server has no port; null when that is not clear. */
export function readServerAddress(text: string, defaultPort: number | null): ServerAddress {
  const other = unusableFamily(text);
  if (other !== null) return { ok: false, why: other };
  const { host, port } = splitPort(text.replace(IP_PREFIX, ''));
  if (host === '' || host === '*' || host === '0.0.0.0' || host === '::') {
    const why = host === '' ? 'it has no host' : 'it stands for the address that the client asked for';
    return { ok: false, why };
  }
  if (/^[+-]/.test(port)) return { ok: false, why: `its port is the client's, ${port}` };
  const wanted = port === '' ? defaultPort : Number(port);
  if (wanted === null) return { ok: false, why: 'it has no port, and takes that which the client asked for' };
  if (/\D/.test(port)) return { ok: false, why: `${JSON.stringify(port)} is no port` };
  const parsed = parseUpstreamUrl(`http://${host.includes(':') ? `[${host}]` : host}:${wanted}`);
  if (!parsed.ok) return { ok: false, why: parsed.detail };
  return { ok: true, address: parsed.address, host, port: wanted };
}

/** Whether a request to the server would arrive at one of the listeners, as far as the texts tell. */
export function isOwn(host: string, port: number, listeners: readonly string[]): boolean {
  return listeners.some((listener) => {
    const own = splitPort(listener);
    if (own.port !== String(port)) return false;
    return own.host === host.toLowerCase() || (isLocal(host) && isLocal(own.host));
  });
}

/** Loopback, or the wildcard, which loopback arrives at. */
function isLocal(host: string): boolean {
  return /^(?:localhost|.*\.localhost|127\..*|::1|0\.0\.0\.0|::)$/i.test(host);
}

export type BindAddress =
  | { readonly ok: true; readonly address: string; readonly port: number }
  | { readonly ok: false; readonly why: string };

/** Ranges of ports beyond that are left to HAProxy: each takes a listener. */
const MOST_PORTS = 16;

/** Of the first word after `bind`: addresses separated by commas, each with a port or a range of them. */
export function readBindAddresses(text: string): readonly BindAddress[] {
  return text.split(',').flatMap((part): readonly BindAddress[] => {
    const other = unusableFamily(part);
    if (other !== null) return [{ ok: false, why: other }];
    const isV6 = /^(?:stream\+)?(?:ipv6|tcp6|mptcp6)@/.test(part);
    const { host, port } = splitPort(part.replace(IP_PREFIX, ''));
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(port);
    if (match === null) return [{ ok: false, why: `${JSON.stringify(part)} is no address with a port` }];
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (first < 1 || last > 65_535 || last < first)
      return [{ ok: false, why: `${JSON.stringify(port)} is no port` }];
    if (last - first >= MOST_PORTS) {
      return [{ ok: false, why: `it is a range of ${last - first + 1} ports: name those that are needed` }];
    }
    const written = writtenHost(host, isV6);
    if (written === null) return [{ ok: false, why: `${JSON.stringify(host)} is no address to listen at` }];
    return Array.from({ length: last - first + 1 }, (_, index) => {
      return { ok: true, address: `${written}:${first + index}`, port: first + index } as const;
    });
  });
}

function writtenHost(host: string, isV6: boolean): string | null {
  if (host === '' || host === '*') return isV6 ? '[::]' : '0.0.0.0';
  if (host.includes(':')) return /^[0-9a-f:.]{2,45}$/i.test(host) ? `[${host.toLowerCase()}]` : null;
  return /^[a-z0-9_.-]{1,253}$/i.test(host) ? host.toLowerCase() : null;
}

/** The last colon separates the port, as in HAProxy: `::1:80` is port 80 of ::1. */
function splitPort(text: string): { readonly host: string; readonly port: string } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1]!, port: bracketed[2] ?? '' };
  const colon = text.lastIndexOf(':');
  return colon === -1
    ? { host: text, port: '' }
    : { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

/** Why it is not TCP over IP; null when it is. */
function unusableFamily(text: string): string | null {
  if (text.startsWith('/') || /^(?:stream\+)?unix@/.test(text)) return 'it is a UNIX socket';
  if (IP_PREFIX.test(text)) return null;
  const family = OTHER_PREFIX.exec(text)?.[1];
  if (family === undefined) return null;
  if (/^quic|^dgram|^udp/.test(family)) return 'it is UDP (QUIC): Lockstep speaks HTTP/1.1 over TCP';
  return `it is of the kind ${family}@, which is HAProxy's own`;
}
