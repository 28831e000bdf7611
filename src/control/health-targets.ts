// Who is looked at: retired and cut-off versions and disabled upstreams are left alone; staged and drained ones may be promoted.

import type { Deployment } from '../core/deployment.ts';
import type { ProxyHeaderKind } from '../core/proxy-header.ts';
import { hasEnded, takesPinned } from '../core/versions.ts';
import type { Slots } from './slots.ts';

export interface HealthTarget {
  readonly version: string;
  readonly address: string;
  /** Row in the gauges. */
  readonly slot: number;
  /** What it is to say that it runs, where it says so. */
  readonly reports: string;
  /** With what connections to it begin; left out: with the request. */
  readonly sendProxy?: ProxyHeaderKind;
  /** Its version takes pinned traffic. */
  readonly hasSessions: boolean;
  /** Discovery wants to hear what it says that it runs. */
  readonly isServer: boolean;
}

export function healthTargets(
  deployment: Deployment,
  slots: Slots,
  isServer: (address: string) => boolean = () => false,
): readonly HealthTarget[] {
  return deployment.versions
    .filter(({ state }) => !hasEnded(state))
    .flatMap(({ id, state, reports = id, sendProxy, upstreams }) =>
      upstreams
        .filter(({ enabled }) => enabled)
        .map(({ address }) => ({
          version: id,
          address,
          slot: slots.upstream(id, address),
          reports,
          ...(sendProxy !== undefined && { sendProxy }),
          hasSessions: takesPinned(state),
          isServer: isServer(address),
        })),
    );
}
