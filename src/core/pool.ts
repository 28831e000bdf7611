// The pool of a version: its upstream addresses, as operators write them and as they are kept.
// An address is host:port in lower case, IPv6 in brackets, so that equal addresses are equal strings; no name is
// resolved here. No address may stand in two versions that take traffic.

import type { UpstreamRecord, VersionRecord } from './deployment.ts';
import { takesPinned } from './versions.ts';

export type ParsedUpstream =
  | { readonly ok: true; readonly address: string }
  | { readonly ok: false; readonly detail: string };

export type ParsedPool =
  | { readonly ok: true; readonly addresses: readonly string[] }
  | { readonly ok: false; readonly detail: string };

const LABEL = '[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?';
const HOST_PORT = new RegExp(`^(\\[[0-9A-Fa-f:.]{2,45}\\]|${LABEL}(?:\\.${LABEL})*\\.?)(?::([0-9]{1,5}))?$`);
/** A name has at most 253 characters (RFC 1035 2.3.4); scheme, port and brackets come on top. */
const LONGEST_URL = 280;

/** `http://host[:port]` to `host:port`. Nothing else is taken: no path but `/`, no query, no user name. */
export function parseUpstreamUrl(url: string): ParsedUpstream {
  // First of all, so that a password is never repeated in an error text.
  if (url.includes('@')) return bad('expected http://host:port without user name and password');
  if (url.length > LONGEST_URL) return bad(`expected http://host:port, got ${url.length} characters`);
  const shown = JSON.stringify(url);
  const lower = url.toLowerCase();
  if (lower.startsWith('https://'))
    return bad(`expected http://host:port, got ${shown}: TLS is not spoken here`);
  if (!lower.startsWith('http://')) return bad(`expected http://host:port, got ${shown}`);
  const rest = lower.endsWith('/') ? lower.slice(7, -1) : lower.slice(7);
  const match = HOST_PORT.exec(rest);
  if (match === null) return bad(`expected http://host:port without path or query, got ${shown}`);
  const port = match[2] === undefined ? 80 : Number(match[2]);
  if (port < 1 || port > 65535) return bad(`expected a port from 1 to 65535, got ${shown}`);
  const host = canonicalHost(match[1]!);
  if (host === null) return bad(`expected a host name or a plain IPv4 or [IPv6] address, got ${shown}`);
  if (isLinkLocal(host)) return bad(`expected no link-local address, got ${shown}`);
  return { ok: true, address: `${host}:${port}` };
}

/** A whole pool: at least one upstream, none twice. */
export function parsePool(urls: readonly string[]): ParsedPool {
  const addresses: string[] = [];
  for (const url of urls) {
    const parsed = parseUpstreamUrl(url);
    if (!parsed.ok) return { ok: false, detail: `Bad upstream: ${parsed.detail}.` };
    if (addresses.includes(parsed.address)) {
      return { ok: false, detail: `Bad upstream: ${parsed.address} is given twice; name each address once.` };
    }
    addresses.push(parsed.address);
  }
  if (addresses.length === 0)
    return { ok: false, detail: 'Give at least one upstream, as http://host:port.' };
  return { ok: true, addresses };
}

/** What is known of an address, the operator's will above all, outlives a new list of addresses. */
export function withEnabledKept(
  addresses: readonly string[],
  previous: readonly UpstreamRecord[],
): readonly UpstreamRecord[] {
  return addresses.map(
    (address) => previous.find((upstream) => upstream.address === address) ?? { address, enabled: true },
  );
}

/** The same addresses, in whatever order. */
export function isSamePool(addresses: readonly string[], upstreams: readonly UpstreamRecord[]): boolean {
  return (
    addresses.length === upstreams.length &&
    upstreams.every((upstream) => addresses.includes(upstream.address))
  );
}

/** An address of `record` that another version which takes traffic has too; null when there is none. */
export function findSharedAddress(
  record: VersionRecord,
  versions: readonly VersionRecord[],
): { readonly address: string; readonly owner: VersionRecord } | null {
  for (const owner of versions) {
    if (owner.id === record.id || !takesPinned(owner.state)) continue;
    for (const { address } of owner.upstreams) {
      if (record.upstreams.some((upstream) => upstream.address === address)) return { address, owner };
    }
  }
  return null;
}

/** host without brackets, as sockets want it. */
export function splitAddress(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon);
  return {
    host: host.startsWith('[') ? host.slice(1, -1) : host,
    port: Number(address.slice(colon + 1)),
  };
}

/** Null for what the URL parser cannot read, and for IPv4 in disguise (0x7f.1, 2130706433, 010.0.0.1). */
function canonicalHost(host: string): string | null {
  const url = `http://${host}/`;
  if (!URL.canParse(url)) return null;
  const { hostname } = new URL(url);
  return host.startsWith('[') || hostname === host ? hostname : null;
}

/** As `isLinkLocal`, of what a name was resolved to. */
export function isLinkLocalIp(ip: string): boolean {
  return /^(::ffff:)?169\.254\.|^::ffff:a9fe:|^fe[89ab][0-9a-f]:/i.test(ip);
}

/** Clouds serve their machines' credentials there (HARDENING M10). fe80::/10 needs a zone, which cannot be written. */
function isLinkLocal(host: string): boolean {
  return /^169\.254\.|^\[::ffff:a9fe:|^\[fe[89ab][0-9a-f]:/.test(host);
}

function bad(detail: string): { readonly ok: false; readonly detail: string } {
  return { ok: false, detail };
}
