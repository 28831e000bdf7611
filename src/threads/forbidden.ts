// Where no upstream may be (HARDENING M10): link-local addresses, and where the gateway itself listens.

import { networkInterfaces } from 'node:os';
import { type HostPort, ownListenerAt } from '../config/addresses.ts';
import { isLinkLocalIp } from '../core/pool.ts';
import type { WhyForbidden } from '../engine/guarded-lookup.ts';

export interface OwnListeners {
  readonly listen: readonly HostPort[];
  readonly admin: HostPort | null;
}

export function whyForbidden(own: () => OwnListeners): WhyForbidden {
  return (host, port) => {
    if (isLinkLocalIp(host)) return 'a link-local address';
    const listener = ownListenerAt({ host, port }, own(), machineAddresses());
    return listener === null ? null : `where ${listener} listens`;
  };
}

/** Of its network interfaces, as they are now. */
export function machineAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address));
}
