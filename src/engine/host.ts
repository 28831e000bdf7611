// Whom a request is for: what may stand in its Host, in the authority of an absolute-form target, and whether that is
// served here.

import { isIPv6 } from 'node:net';
import { isDigit, isHostChar } from './characters.ts';

/** uri-host [":" port], RFC 9110 §7.2, without userinfo; not empty. */
export function isAuthority(text: string): boolean {
  let at = 0;
  if (text.charCodeAt(0) === 0x5b) {
    at = text.indexOf(']') + 1;
    const address = text.slice(1, Math.max(at - 1, 1));
    if (!isIPv6(address) || address.includes('%')) return false; // a zone means something on one machine only
  } else {
    while (isHostChar(text.charCodeAt(at))) at++;
    if (at === 0) return false;
  }
  if (at === text.length) return true;
  if (text.charCodeAt(at) !== 0x3a) return false;
  const digits = text.length - at - 1;
  if (digits > 5) return false;
  let port = 0;
  for (let i = at + 1; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (!isDigit(c)) return false;
    port = port * 10 + (c - 0x30);
  }
  return port <= 65535;
}

/** Exact matching only, never by substring (CVE-2026-55602); the port does not count. */
export function isKnownHost(hosts: readonly string[] | null, host: string): boolean {
  if (hosts === null) return true;
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  const name = (end > 0 ? host.slice(0, end) : host).toLowerCase();
  return hosts.includes(name);
}

export function isHttpScheme(target: string): boolean {
  const head = target.slice(0, 8).toLowerCase();
  return head.startsWith('http://') || head === 'https://';
}

/**
 * An absolute-form target (RFC 9112 §3.2.2) as path and authority. Null when its authority is none, or not the one of
 * the Host field; `host` is '' when there was no such field. OPTIONS without a path is for the whole server (§3.2.4).
 */
export function originForm(
  target: string,
  host: string,
  method: string,
): { target: string; host: string } | null {
  const start = target.indexOf('//') + 2;
  let end = start;
  while (end < target.length && target[end] !== '/' && target[end] !== '?') end++;
  const authority = target.slice(start, end);
  if (!isAuthority(authority)) return null;
  if (host !== '' && authority.toLowerCase() !== host.toLowerCase()) return null;
  const rest = target.slice(end);
  const path = rest === '' && method === 'OPTIONS' ? '*' : rest.startsWith('/') ? rest : `/${rest}`;
  return { target: path, host: host === '' ? authority : host };
}
