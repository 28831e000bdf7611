// What the names of upstreams resolve to, when they are put and when the configuration is read: one that leads to where no
// upstream may be is refused then and there (HARDENING M10). A name that cannot be resolved yet is nobody's fault; the data
// plane looks again at each connection (engine/guarded-lookup.ts).

import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { type Change, parseUpstreamUrl } from '../core/deployment.ts';
import { splitAddress } from '../core/pool.ts';
import { type Refused, refuse } from '../core/problem.ts';

/** Where no upstream may be, in words; null for anywhere else. */
export type WhyForbidden = (ip: string, port: number) => string | null;

/** A resolver that hangs holds up no change for longer. */
const RESOLVE_MS = 2_000;

/** A sentence without its end, about the first of `addresses` (host:port) that is forbidden; null for none. */
export async function findForbiddenName(
  addresses: readonly string[],
  why: WhyForbidden,
): Promise<string | null> {
  const told = await Promise.all(
    addresses.map(async (address) => {
      const { host, port } = splitAddress(address);
      if (isIP(host) !== 0) return null; // judged as it is written
      for (const ip of await resolve(host)) {
        const words = why(ip, port);
        if (words !== null)
          return `expected a server of the application, got ${address}, which resolves to ${ip}: ${words}`;
      }
      return null;
    }),
  );
  return told.find((sentence) => sentence !== null) ?? null;
}

/** Addresses by name that a change brings: there are none in most, and those need not wait for a look. */
export function namesIn(change: Change): readonly string[] {
  if (change.verb !== 'put') return [];
  return change.upstreams.flatMap((url) => {
    const parsed = parseUpstreamUrl(url);
    return parsed.ok && isIP(splitAddress(parsed.address).host) === 0 ? [parsed.address] : [];
  });
}

/** Null: nothing is wrong with them, as far as that goes. */
export async function refuseForbiddenNames(
  addresses: readonly string[],
  why: WhyForbidden,
): Promise<Refused | null> {
  const found = await findForbiddenName(addresses, why);
  return found === null ? null : refuse('bad-upstream', `Bad upstream: ${found}.`);
}

async function resolve(host: string): Promise<readonly string[]> {
  const late = Promise.withResolvers<readonly string[]>();
  const timer = setTimeout(() => late.resolve([]), RESOLVE_MS);
  const found = lookup(host, { all: true }).then(
    (all) => all.map(({ address }) => address),
    () => [],
  );
  try {
    return await Promise.race([found, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
