// Whether a version that was just given sessions has anybody left to serve them. A moment without is no failure: servers are
// restarted, checks are lost. Pure but for the clock that is handed in.

import type { VersionStatus } from '../../core/status.ts';
import { availableUpstreams } from '../advice.ts';
import { failed } from './context.ts';

/** At most: who waits no longer for a server to come up waits no longer here. */
const LONGEST_MS = 15_000;

export interface DeathWatch {
  /** Throws when it is over. */
  look(version: Pick<VersionStatus, 'id' | 'upstreams'>): void;
}

export function deathWatch(nowMs: () => number, healthTimeoutMs: number): DeathWatch {
  const limitMs = Math.min(LONGEST_MS, healthTimeoutMs);
  let sinceMs: number | null = null;
  return {
    look: (version) => {
      if (version.upstreams.length > 0 && availableUpstreams(version) > 0) {
        sinceMs = null;
        return;
      }
      sinceMs ??= nowMs();
      if (nowMs() - sinceMs < limitMs) return;
      throw failed(`no server of ${version.id} is up any more`, 'see lockstep status', 'dead');
    },
  };
}
