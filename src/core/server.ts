// A server: one machine's address that operators name (web01), whatever version it runs today. Several sources tell of
// servers; the same address from two of them is one server. Pure.

import { parseUpstreamUrl, splitAddress } from './pool.ts';

/** In this order: the first that knows an address comes first, and its name counts. */
export const SERVER_SOURCES = ['config', 'admin', 'file', 'dns', 'haproxy'] as const;
export type ServerSource = (typeof SERVER_SOURCES)[number];

export interface KnownServer {
  readonly name: string;
  /** host:port, as core/pool.ts writes it. */
  readonly address: string;
  readonly source: ServerSource;
}

/** As one source tells of it. */
export interface ToldServer {
  /** Null: it has none of its own there. */
  readonly name: string | null;
  readonly address: string;
  /** Its share among servers of that source, where it says one (SRV): shown, not gone by. */
  readonly weight?: number;
}

/** No colon and no slash, so that none looks like an address or a URL. */
export const SERVER_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
/** What SERVER_NAME wants, in words. */
export const SERVER_NAME_TEXT =
  'a name of at most 128 letters, digits and . _ - that starts with a letter, digit or _';

/** `http://host:port`, or `host:port` as people type it, to the address. */
export function parseServerUrl(text: string): ReturnType<typeof parseUpstreamUrl> {
  return parseUpstreamUrl(text.includes('://') ? text : `http://${text}`);
}

export type FoundServer<S> =
  | { readonly ok: true; readonly server: S }
  /** Those that it may mean; none when there is no such server. */
  | { readonly ok: false; readonly candidates: readonly S[] };

/** What an operator calls a server: its name, its address or URL, or its host where only one has that. */
export function findServer<S extends Pick<KnownServer, 'name' | 'address'>>(
  servers: readonly S[],
  text: string,
): FoundServer<S> {
  const named = servers.filter(({ name }) => name === text);
  const parsed = parseServerUrl(text);
  const at = parsed.ok ? servers.filter(({ address }) => address === parsed.address) : [];
  const host = text.toLowerCase();
  const onHost = servers.filter(({ address }) => splitAddress(address).host === host);
  for (const found of [named, at, onHost]) {
    if (found.length === 1) return { ok: true, server: found[0]! };
    if (found.length > 1) return { ok: false, candidates: found };
  }
  return { ok: false, candidates: [] };
}
