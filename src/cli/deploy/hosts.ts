// Which address a host of the command line has: pure. What is given decides; else what is known of it, where that is one
// address; a guess is never made. The first that applies: NAME=ADDRESS or HOST:PORT on the command line, --upstream, a
// known server's name, --port, the one address that a version had on that host.

import { parseUpstreamUrl, splitAddress } from '../../core/pool.ts';

/** As the command line names it. */
export interface HostWish {
  readonly name: string;
  /** host:port, where it was given. */
  readonly address: string | null;
}

/** A server, or an upstream of a version; a bare upstream is called by its address. */
export interface KnownAddress {
  readonly name: string;
  readonly address: string;
}

export interface Place {
  readonly name: string;
  readonly address: string;
}

export type Resolved =
  | { readonly ok: true; readonly places: readonly Place[] }
  | { readonly ok: false; readonly what: string; readonly advice: string };

/** Nothing that a shell could take for more than a word, whatever it stands in. */
const HOST_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/;

/** The hosts, or what is wrong with them. */
export function readHosts(text: string): readonly HostWish[] | string {
  const hosts: HostWish[] = [];
  for (const part of text.split(',').map((one) => one.trim())) {
    const host = readHost(part);
    if (host === null) {
      return `expected names such as web03, host:port or web03=host:port, got ${JSON.stringify(part)}`;
    }
    const twin = hosts.find(({ name }) => name === host.name);
    if (twin !== undefined) return `${host.name} is given twice`;
    hosts.push(host);
  }
  return hosts;
}

function readHost(text: string): HostWish | null {
  const [name = '', given, ...rest] = text.split('=');
  if (rest.length > 0) return null;
  if (given !== undefined) {
    const address = addressOf(given);
    return address !== null && HOST_NAME.test(name) ? { name, address } : null;
  }
  if (HOST_NAME.test(name)) return { name, address: null };
  const address = /:\d+$/.test(name) ? addressOf(name) : null;
  return address === null ? null : { name: address, address };
}

export interface AddressOptions {
  readonly port: number | null;
  readonly upstream: string | null;
}

/** What is known comes over the network, and goes into commands of a shell: only what is an address counts. */
export function resolveHosts(
  hosts: readonly HostWish[],
  toldServers: readonly KnownAddress[],
  /** Of all versions that have any. */
  toldUpstreams: readonly string[],
  options: AddressOptions,
): Resolved {
  const servers = toldServers.filter(({ address }) => isAddress(address));
  const upstreams = toldUpstreams.filter(isAddress);
  const places: Place[] = [];
  for (const host of hosts) {
    const address = resolve(host, servers, upstreams, options);
    if (typeof address !== 'string') return { ok: false, ...address };
    const twin = places.find((place) => place.address === address);
    if (twin !== undefined) {
      return {
        ok: false,
        what: `${twin.name} and ${host.name} both have the address ${address}`,
        advice: 'name each server once',
      };
    }
    places.push({ name: host.name, address });
  }
  return { ok: true, places };
}

interface Unresolved {
  readonly what: string;
  readonly advice: string;
}

function resolve(
  { name, address }: HostWish,
  servers: readonly KnownAddress[],
  upstreams: readonly string[],
  { port, upstream }: AddressOptions,
): string | Unresolved {
  if (address !== null) return address;
  if (upstream !== null) {
    const url = upstream.replaceAll('{host}', name);
    const made = addressOf(url);
    return made ?? { what: `${url} is no address`, advice: 'give --upstream as http://{host}:PORT' };
  }
  const named = unique(servers.filter((server) => server.name === name).map((server) => server.address));
  if (port !== null) return `${hostOf(named[0] ?? `${name.toLowerCase()}:0`)}:${port}`;
  const found =
    named.length > 0
      ? named
      : unique(
          [...servers.map((server) => server.address), ...upstreams].filter(
            (candidate) => splitAddress(candidate).host === name.toLowerCase(),
          ),
        );
  if (found.length === 1) return found[0]!;
  const advice = `give --port, --upstream 'http://{host}:8080', or --hosts ${name}=HOST:PORT`;
  return found.length === 0
    ? { what: `nothing is known of ${name}: neither a server nor an upstream has that name`, advice }
    : { what: `${name} may be ${found.join(' or ')}`, advice };
}

/** host:port as the gateway writes it. */
function addressOf(text: string): string | null {
  const parsed = parseUpstreamUrl(text.includes('://') ? text : `http://${text}`);
  return parsed.ok ? parsed.address : null;
}

function isAddress(text: unknown): boolean {
  return typeof text === 'string' && addressOf(text) === text;
}

/** With its brackets. */
function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':'));
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
