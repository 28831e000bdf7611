// A gateway that forwards to itself would go round in a circle, or hand out its admin API (HARDENING M10): such an
// upstream is refused when it is put. What names resolve to is forbidden-names.ts' business.

import { type Change, parseUpstreamUrl } from '../core/deployment.ts';
import { type Refused, refuse } from '../core/problem.ts';

/** What of the gateway listens at host:port, in words; null for nothing. */
export type OwnListener = (address: string) => string | null;

/** Null: nothing is wrong with it, as far as that goes. */
export function refuseOwnListener(change: Change, ownListener: OwnListener): Refused | null {
  if (change.verb !== 'put') return null;
  for (const url of change.upstreams) {
    const parsed = parseUpstreamUrl(url);
    const own = parsed.ok ? ownListener(parsed.address) : null;
    if (own !== null) {
      return refuse(
        'bad-upstream',
        `Bad upstream: expected a server of the application, got ${JSON.stringify(url)}, where ${own} listens.`,
      );
    }
  }
  return null;
}
