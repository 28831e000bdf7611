// One look at a server: whether it is well, and which version it says it runs. Both out of one answer where health checks and
// version are at the same path; else the version is asked for as well. What it says counts even when it is not well: a server
// that starts with another build has left its old version before it is ready for the new one.

import type { HealthPolicy, VersionSource } from '../core/policy.ts';
import type { ProxyHeaderKind } from '../core/proxy-header.ts';
import { servedVersion, VERSION_BODY_BYTES, versionPath } from '../core/served-version.ts';
import { oneGet } from './one-get.ts';
import { bounded, createProbe, type Finding } from './probe.ts';

export interface ServerFinding {
  readonly finding: Finding;
  /** '' for nothing. */
  readonly reported: string;
}

/** Never throws; takes no longer than twice the timeout. */
export type ServerProbe = (
  address: string,
  stop: AbortSignal,
  sendProxy?: ProxyHeaderKind,
) => Promise<ServerFinding>;

export function createServerProbe(
  health: Pick<HealthPolicy, 'path' | 'timeoutMs'>,
  source: VersionSource,
): ServerProbe {
  const path = versionPath(source, health.path);
  const isBoth = path === health.path;
  const check = createProbe(health.path, health.timeoutMs);
  return async (address, stop, sendProxy) => {
    const first = isBoth ? null : await check.check(address, stop, undefined, sendProxy);
    if (first !== null) return { finding: first, reported: '' };
    let reported = '';
    const finding = await bounded(async (_, signal) => {
      const answer = await oneGet({
        address,
        path,
        userAgent: 'lockstep-health',
        bodyBytes: VERSION_BODY_BYTES,
        keepsBody: source.from !== 'header',
        signal,
        sendProxy,
      });
      const { status, fields, body } = answer;
      reported = servedVersion(source, { status, header: (name) => String(fields[name] ?? ''), body });
      // Where a health check is something else, this one has been passed.
      return !isBoth || (status >= 200 && status < 400) ? null : `answered ${status}`;
    }, health.timeoutMs)(address, stop);
    return { finding, reported };
  };
}
