// Addresses of the file: where the gateway listens, which hosts and proxies it knows, where its upstreams are.
// Pure: no name is resolved here. Whether an upstream is the gateway itself (HARDENING M10) is judged on what is
// written; what names resolve to is looked at when they are put, read and connected to.

import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';
import { unmapped } from '../core/mapped-address.ts';
import { parseUpstreamUrl } from '../core/pool.ts';
import type { Reader } from './readers.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const HOST_NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/** `host:port`, IPv6 in brackets. Port 0 takes a free one. */
export const listenAddress: Reader<HostPort> = (value) => {
  const expected = 'an address with a port such as 127.0.0.1:8080, "[::1]:8080" or 0.0.0.0:8080';
  const match = typeof value === 'string' ? /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(value) : null;
  if (match === null) return { expected };
  const host = match[1] ?? match[2]!.toLowerCase();
  const port = Number(match[3]);
  const isHost = match[1] === undefined ? isIP(host) === 4 || isName(host) : isIPv6(host);
  return isHost && port <= 65_535 ? { value: { host, port } } : { expected };
};

export type AdminAddress = HostPort | { readonly socket: string };

/** sun_path of Linux has 108 bytes, and a NUL ends it. */
export const LONGEST_SOCKET_PATH = 107;

/** As `listenAddress`, or `unix:PATH`. */
export const adminAddress: Reader<AdminAddress> = (value) => {
  if (typeof value !== 'string' || !value.startsWith('unix:')) {
    const read = listenAddress(value);
    return 'value' in read ? read : { expected: `${read.expected}, or unix:/run/lockstep/admin.sock` };
  }
  const socket = value.slice('unix:'.length);
  const isPath =
    socket !== '' && !socket.endsWith('/') && !socket.startsWith('//') && !/\p{Cc}/u.test(socket);
  if (isPath && Buffer.byteLength(socket) <= LONGEST_SOCKET_PATH) return { value: { socket } };
  return { expected: `unix: and the path of a socket, of at most ${LONGEST_SOCKET_PATH} bytes` };
};

/** Where a webhook goes. What stands in its path opens a door as a token does: it is never told. */
export const hookUrl: Reader<string> = (value) => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null;
  const isHttp = url?.protocol === 'http:' || url?.protocol === 'https:';
  if (isHttp && url.username === '' && url.password === '' && url.hash === '') return { value: url.href };
  return {
    expected: 'http:// or https:// and an address, without user name and fragment',
    got: typeof value === 'string' ? 'another text' : 'no text',
  };
};

/** `http://host[:port]` to `host:port`, by the same rules as upstreams that are put at run time. */
export const upstream: Reader<string> = (value) => {
  if (typeof value !== 'string') return { expected: 'http://host:port' };
  const parsed = parseUpstreamUrl(value);
  if (parsed.ok) return { value: parsed.address };
  const [wanted, got] = parsed.detail.split(', got ', 2);
  const expected = wanted!.replace(/^expected /, '');
  // Without a "got", core has seen a password and says nothing of the value.
  if (got === undefined) return { expected, got: 'one with them' };
  return { expected, note: /^https:/i.test(value) ? ': TLS to upstreams is not in this version' : '' };
};

/** A name or IP address as it stands in Host, in lower case. */
export const hostName: Reader<string> = (value) => {
  const host = typeof value === 'string' ? value.toLowerCase() : '';
  const isHost = isName(host) || isIP(host) === 4 || (/^\[.*\]$/.test(host) && isIPv6(host.slice(1, -1)));
  if (isHost) return { value: host };
  return { expected: 'a host name such as shop.example.com, without scheme, port or wildcard' };
};

/** The Domain of a cookie: browsers refuse single labels and IP addresses (RFC 6265 section 5.1.3). */
export const cookieDomain: Reader<string> = (value) => {
  const domain = typeof value === 'string' ? value.toLowerCase() : '';
  if (isName(domain) && domain.includes('.')) return { value: domain };
  return { expected: 'a domain such as example.com, without a leading dot' };
};

/** A network, or one address, which becomes a network of its own. */
export const cidr: Reader<string> = (value) => {
  const [address, prefix, ...rest] = typeof value === 'string' ? value.split('/') : [''];
  const family = isIP(address!);
  const bits = family === 6 ? 128 : 32;
  const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN;
  if (family !== 0 && rest.length === 0 && length <= bits && !address!.includes('%')) {
    return { value: `${address!.toLowerCase()}/${length}` };
  }
  return { expected: 'a network such as 10.0.0.0/8 or 2001:db8::/32' };
};

/** Can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true;
  const family = isIP(host);
  return family !== 0 && LOOPBACK.check(host, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * A request to `target` arrives at a listener on `listen`, as far as the text tells. `machine`: addresses of this
 * machine besides loopback, where they are known.
 */
export function reachesListener(
  target: HostPort,
  listen: HostPort,
  machine: readonly string[] = [],
): boolean {
  if (listen.port === 0 || target.port !== listen.port) return false;
  const [to, at] = [plainHost(target.host), plainHost(listen.host)];
  if (to === at) return true;
  // Connecting to the wildcard address reaches this machine; a wildcard listener is reached by each of its addresses.
  if (isWildcard(at) && machine.includes(to)) return true;
  const isHere = isLoopback(to) || isWildcard(to);
  return isHere && (isWildcard(at) || (isLoopback(at) && sharesLoopback(to, at)));
}

/** What of the gateway listens at `target`, in words; null for nothing. */
export function ownListenerAt(
  target: HostPort,
  own: { readonly listen: readonly HostPort[]; readonly admin: HostPort | null },
  machine: readonly string[] = [],
): string | null {
  if (own.listen.some((listen) => reachesListener(target, listen, machine))) return 'the gateway itself';
  return own.admin !== null && reachesListener(target, own.admin, machine) ? 'the admin API' : null;
}

export function formatAddress({ host, port }: HostPort): string {
  return isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

/** 127.0.0.1 and 127.0.0.2 are two hosts to a listener; localhost and the wildcard may mean either. */
function sharesLoopback(target: string, listen: string): boolean {
  return isIP(target) === 0 || isIP(listen) === 0 || isWildcard(target);
}

/** In the one way in which the kernel tells it. */
function plainHost(host: string): string {
  return isIPv6(host) ? unmapped(new SocketAddress({ address: host, family: 'ipv6' }).address) : host;
}

function isWildcard(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

/** A last label of digits only would be read as an IPv4 address. */
function isName(host: string): boolean {
  return HOST_NAME.test(host) && !/(^|\.)\d+$/.test(host);
}
