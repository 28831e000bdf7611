// One look at a DNS name: which servers it names now, how long that is good for, and what could not be found out. Never
// rejects. Rules: A and AAAA are asked for beside each other, and one that fails says nothing of its addresses; of SRV records
// those of the lowest priority count, each target is looked up, and its addresses are the servers; an address where no server
// of the application can be is left out and told; whatever a DNS server says, a look ends in time and what it found has room.

import { Resolver } from 'node:dns/promises';
import { BlockList, isIPv6 } from 'node:net';
import { type DnsAnswer, lowestPriority } from '../core/dns-answers.ts';
import type { DnsNamePolicy } from '../core/policy.ts';
import { parseUpstreamUrl, splitAddress } from '../core/pool.ts';
import { SERVER_NAME, type ToldServer } from '../core/server.ts';
import { MOST_SERVERS } from '../core/server-union.ts';

/** Of one try at one DNS server; with TRIES, and the pause that doubles, about 7 s for one that is silent. */
const TRY_MS = 2_000;
const TRIES = 2;
/** Of a whole look, whatever its names and servers. */
const LOOK_MS = 15_000;
/** Targets of SRV that are looked up at once. */
const CONCURRENCY = 16;
/** More than one answer can hold, and than there is room for. A thousand targets could have a million of them. */
const MOST_FOUND = 4 * MOST_SERVERS;
/** Sentences about what was left out: each is logged and told when it is new. */
const MOST_REFUSED = 10;

export interface DnsLook extends DnsAnswer {
  /** The shortest of what was found; null where nothing says one. */
  readonly ttlSeconds: number | null;
  /** Why nothing, or not everything, was found; null: all was. */
  readonly trouble: string | null;
  /** Addresses that were left out, each with a sentence. */
  readonly refused: readonly string[];
}

/** What of `dns.promises.Resolver` is used. */
export type DnsResolver = Pick<Resolver, 'resolve4' | 'resolve6' | 'resolveSrv' | 'cancel'>;

/** Where no server may be, in words; null for anywhere else. */
export type WhyForbidden = (ip: string, port: number) => string | null;

/** Made for each look: what the system's configuration says of DNS servers may change, and c-ares reads it once. */
export function createResolver(servers: readonly string[]): DnsResolver {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  if (servers.length > 0) resolver.setServers(servers);
  return resolver;
}

/** `stop` ends it before its time; what was not found out by then is unknown. */
export async function lookUp(
  { name, type, port, loopback }: DnsNamePolicy,
  resolver: DnsResolver,
  whyForbidden: WhyForbidden,
  stop: AbortSignal,
  lookMs = LOOK_MS,
): Promise<DnsLook> {
  const over = AbortSignal.any([stop, AbortSignal.timeout(lookMs)]);
  const cancel = () => resolver.cancel();
  over.addEventListener('abort', cancel);
  const look = new Look((ip, at) => whyNoServer(ip, loopback) ?? whyForbidden(ip, at), over);
  if (type === 'srv') await look.services(name, resolver);
  else await look.hosts(name, { name: null, port: port! }, resolver);
  over.removeEventListener('abort', cancel);
  return look.result();
}

interface Target {
  /** Of the servers, where there is one address. */
  readonly name: string | null;
  readonly port: number;
  readonly weight?: number;
}

/** What is gathered in the course of one. */
class Look {
  readonly #why: WhyForbidden;
  /** Nothing more is asked for. */
  readonly #over: AbortSignal;
  readonly #found = new Map<string, ToldServer>();
  readonly #refused = new Set<string>();
  readonly #troubles: string[] = [];
  /** `4 name`, `6 name` of what failed; `6 *` for servers without a name. */
  readonly #unknown = new Set<string>();
  #ttlSeconds: number | null = null;
  #isFull = false;

  constructor(why: WhyForbidden, over: AbortSignal) {
    this.#why = why;
    this.#over = over;
  }

  async services(name: string, resolver: DnsResolver): Promise<void> {
    const records = await resolver.resolveSrv(name).catch((error: unknown) => {
      this.#troubles.push(troubleOf(`SRV of ${name}`, error));
      return [];
    });
    // RFC 2782: a target of "." says that there is no such service.
    const offered = records.filter((record) => record.name !== '' && record.name !== '.');
    if (offered.length === 0) {
      if (records.length > 0) this.#troubles.push(`${name} says that there is no such service`);
      return;
    }
    const targets = lowestPriority(offered).slice(0, MOST_SERVERS);
    for (let at = 0; at < targets.length; at += CONCURRENCY) {
      await Promise.all(
        targets.slice(at, at + CONCURRENCY).map((record) => {
          const { port, weight } = record;
          const host = record.name.toLowerCase().replace(/\.$/, '');
          return this.hosts(host, { name: SERVER_NAME.test(host) ? host : null, port, weight }, resolver);
        }),
      );
    }
  }

  async hosts(host: string, target: Target, resolver: DnsResolver): Promise<void> {
    const [v4, v6] = this.#over.aborted
      ? [NOT_ASKED, NOT_ASKED]
      : await Promise.all([
          ask(resolver.resolve4(host, { ttl: true })),
          ask(resolver.resolve6(host, { ttl: true })),
        ]);
    const isNowhere = v4.records.length + v6.records.length === 0;
    for (const [family, { error }] of [['4', v4] as const, ['6', v6] as const]) {
      if (error === null) continue;
      const isAbsent = isNoRecord(error);
      if (!isAbsent) this.#unknown.add(`${family} ${target.name ?? '*'}`);
      if (!isAbsent || isNowhere) this.#troubles.push(troubleOf(host, error));
    }
    const ips = [...v4.records, ...v6.records];
    const name = ips.length === 1 ? target.name : null;
    for (const { address, ttl } of ips) {
      this.#ttlSeconds = Math.min(this.#ttlSeconds ?? ttl, ttl);
      this.#take(address, host, { ...target, name });
    }
  }

  result(): DnsLook {
    const found = [...this.#found.values()];
    const refused = [...this.#refused].sort();
    const more = refused.length - MOST_REFUSED;
    if (this.#isFull)
      this.#troubles.push(`more than ${MOST_FOUND} addresses: what is beyond them is left out`);
    const troubles = [...new Set(this.#troubles)];
    return {
      found,
      saysNothingOf: ({ name, address }) =>
        this.#isUnknown(isIPv6(splitAddress(address).host) ? '6' : '4', name),
      ttlSeconds: this.#ttlSeconds,
      trouble: troubles.length > 0 ? troubles.slice(0, 3).join('; ') : null,
      refused: more > 0 ? [...refused.slice(0, MOST_REFUSED), `and ${more} more`] : refused,
    };
  }

  #take(ip: string, host: string, { name, port, weight }: Target): void {
    if (this.#found.size + this.#refused.size >= MOST_FOUND) {
      this.#isFull = true;
      return;
    }
    const parsed = parseUpstreamUrl(`http://${isIPv6(ip) ? `[${ip}]` : ip}:${port}`);
    const why = parsed.ok ? this.#why(ip, port) : 'no address of a server';
    if (!parsed.ok || why !== null) {
      this.#refused.add(`${host} leads to ${ip}, port ${port}: ${why}`);
      return;
    }
    const { address } = parsed;
    if (this.#found.has(address)) return;
    this.#found.set(address, { name, address, ...(weight !== undefined && { weight }) });
  }

  /** A server without a name may be one of several of any target. */
  #isUnknown(family: '4' | '6', name: string | null): boolean {
    if (name !== null) return this.#unknown.has(`${family} ${name}`);
    return [...this.#unknown].some((key) => key.startsWith(family));
  }
}

interface Asked {
  readonly records: readonly { readonly address: string; readonly ttl: number }[];
  readonly error: unknown;
}

/** The time was up. */
const NOT_ASKED: Asked = {
  records: [],
  error: Object.assign(new Error('not asked'), { code: 'ECANCELLED' }),
};

async function ask(answer: Promise<Asked['records']>): Promise<Asked> {
  try {
    return { records: await answer, error: null };
  } catch (error) {
    return { records: [], error };
  }
}

/** There is no such name, or no such record of it: an answer, unlike a failure. */
function isNoRecord(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOTFOUND' || code === 'ENODATA';
}

function troubleOf(what: string, error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOTFOUND':
      return `${what}: there is no such name (NXDOMAIN)`;
    case 'ENODATA':
      return `${what}: there is no such record`;
    case 'ESERVFAIL':
      return `${what}: the DNS server failed (SERVFAIL)`;
    case 'EREFUSED':
      return `${what}: the DNS server refuses to answer`;
    case 'ETIMEOUT':
    case 'ECANCELLED':
      return `${what}: no answer from the DNS server in time`;
    case 'ECONNREFUSED':
      return `${what}: nobody answers at the DNS server's address`;
    default:
      return `${what}: ${codeOf(error) || String(error)}`;
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');
/** "This network", multicast and broadcast (RFC 6890): no server is there. */
const NOWHERE = new BlockList();
NOWHERE.addSubnet('0.0.0.0', 8, 'ipv4');
NOWHERE.addSubnet('224.0.0.0', 4, 'ipv4');
NOWHERE.addAddress('255.255.255.255', 'ipv4');
NOWHERE.addAddress('::', 'ipv6');
NOWHERE.addSubnet('ff00::', 8, 'ipv6');

/** What a name must not lead to, whoever owns it: resolvers that block a name answer with such addresses, too. */
function whyNoServer(ip: string, mayBeLoopback: boolean): string | null {
  const family = isIPv6(ip) ? 'ipv6' : 'ipv4';
  if (NOWHERE.check(ip, family)) return 'no address of a server';
  if (!mayBeLoopback && LOOPBACK.check(ip, family))
    return 'this machine itself (discovery.dns[].loopback is false)';
  return null;
}
