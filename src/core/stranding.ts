// Whether somebody is left without a server when one goes. Pure.

import type { Status, VersionStatus } from './status.ts';

/** Why not, in a sentence; null: nobody is. */
export function whyStranded({ versions }: Pick<Status, 'versions'>, address: string): string | null {
  for (const version of versions) {
    const others = version.upstreams.filter(
      (upstream) => upstream.address !== address && isAvailable(upstream),
    );
    if (others.length === version.upstreams.length || others.length > 0) continue;
    const { live, streams } = version.sessions;
    if (live + streams + version.inFlight === 0) continue;
    return `It is the last available server of ${version.id}, which has ${live} live sessions and ${streams} streams.`;
  }
  return null;
}

function isAvailable({ enabled, health }: VersionStatus['upstreams'][number]): boolean {
  return enabled && health !== 'down';
}
