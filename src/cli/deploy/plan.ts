// What a deploy finds on its hosts, and whether it may begin, or go on: pure, status to verdict.
// Rules: hosts that carry the active version, or a canary, are never touched; those whose version still drains are waited
// for; a version that is drained there is ended before its servers get another build, so that no rollback finds it.
// A version of the wanted id that is there already belongs to somebody, unless this deploy put it, or was told to take it over.

import type { Status, VersionStatus } from '../../core/status.ts';
import { hasEnded } from '../../core/versions.ts';
import { count } from '../text.ts';
import { discoveredAt } from './discovered.ts';
import type { Place } from './hosts.ts';
import type { DeployWish } from './wish.ts';

/** A version that stands on some of the hosts and is not the new one. */
export interface Standing {
  readonly version: VersionStatus;
  /** Its addresses that are deployed to. */
  readonly addresses: readonly string[];
  /** It stands nowhere else. */
  readonly isWhole: boolean;
}

export interface Found {
  readonly ok: true;
  /** Drained, or still draining. */
  readonly standing: readonly Standing[];
}

export interface Refusal {
  readonly ok: false;
  readonly what: string;
  readonly advice: string;
}

export type Verdict = Found | Refusal;

export interface Facts {
  readonly wish: Pick<DeployWish, 'version' | 'takesOver' | 'canary' | 'sameBuild' | 'reports' | 'retires'>;
  readonly places: readonly Place[];
  /** The new version is there because this deploy put it, or took it over. */
  readonly isOurs: boolean;
}

export function judgeHosts(status: Status, facts: Facts): Verdict {
  const { wish, places } = facts;
  const discovered = discoveredAt(status, places).length;
  const isFound = discovered > 0;
  const addresses = places.map(({ address }) => address);
  const standing = status.versions
    .filter(({ id, state }) => id !== wish.version && !hasEnded(state))
    .map((version): Standing => {
      const own = version.upstreams.map(({ address }) => address);
      const shared = own.filter((address) => addresses.includes(address));
      return { version, addresses: shared, isWhole: shared.length === own.length };
    })
    .filter((one) => one.addresses.length > 0);
  const refusal =
    (isFound ? judgeDiscovered(facts, discovered) : null) ??
    judgeNew(status, facts, isFound) ??
    judgeStanding(standing, status, places, isFound);
  return refusal ?? { ok: true, standing };
}

export function findVersion({ versions }: Status, id: string): VersionStatus | undefined {
  return versions.find((version) => version.id === id);
}

/** Of servers that say themselves where they belong. */
function judgeDiscovered({ wish, places }: Facts, discovered: number): Refusal | null {
  if (discovered < places.length) {
    return no(
      `the gateway finds out the versions of ${discovered} of these ${places.length} hosts, and not of the others`,
      'add them with lockstep servers add, or deploy to the others alone',
    );
  }
  if (wish.reports !== null) {
    return no('discovery names a version by what its servers report', 'deploy without --reports');
  }
  return wish.retires
    ? no('a version whose servers say that they run it comes back by itself', 'deploy without --retire')
    : null;
}

function judgeNew(status: Status, { wish, isOurs }: Facts, isFound: boolean): Refusal | null {
  const { version: id, canary } = wish;
  const known = findVersion(status, id);
  if (canary !== null && status.active === null) {
    return no('no version is active that could take the rest', 'deploy without --canary');
  }
  if (known === undefined) return null;
  switch (known.state) {
    case 'retired':
    case 'cut off':
      return wish.sameBuild || (isFound && known.state === 'retired')
        ? null
        : no(
            `the id ${id} was used: that version is ${known.state}`,
            'deploy under a new id, or add --same-build when it is this very build',
          );
    case 'active':
      return isOurs ? null : no(`${id} is active already`, 'deploy another version');
    case 'canary':
      return isOurs
        ? null
        : no(`${id} is a canary already`, `lockstep promote ${id}, or lockstep drain ${id}`);
    case 'draining':
      return no(
        `${id} drains: ${count(known.sessions.live, 'live session')} keep it`,
        `lockstep promote ${id} takes it back as it is`,
      );
    case 'staged':
    case 'drained':
      if (!isOurs && !isFound && !wish.takesOver) {
        return no(
          `${id} is ${known.state} already`,
          'somebody else may be deploying it; if nobody is, add --take-over',
        );
      }
      return known.state === 'drained' && canary !== null
        ? no(`${id} is drained, and a drained version is no canary`, 'deploy without --canary')
        : null;
    default:
      return known.state satisfies never;
  }
}

function judgeStanding(
  standing: readonly Standing[],
  status: Status,
  places: readonly Place[],
  isFound: boolean,
): Refusal | null {
  for (const { version, addresses } of standing) {
    const { id, state } = version;
    const hosts = tellHosts(addresses, places);
    if (state === 'active') {
      const others = tellIdle(status, places);
      return no(
        `${hosts} ${addresses.length === 1 ? 'carries' : 'carry'} ${id}, which is active`,
        `deploy to the other half${others}, or promote another version first`,
      );
    }
    if (state === 'canary') {
      return no(
        `${hosts} ${addresses.length === 1 ? 'carries' : 'carry'} ${id}, which is a canary`,
        `lockstep promote ${id}, or lockstep drain ${id}, and wait until it is drained`,
      );
    }
    // Discovery stages what a server says that it runs: nobody gets it.
    if (state === 'staged' && !isFound) {
      return no(
        `${id} is staged on ${hosts}`,
        `somebody else may be deploying there; if nobody is: lockstep retire ${id}`,
      );
    }
  }
  return null;
}

/** ` (10.0.0.1:80, 10.0.0.2:80)`: where nothing stands that takes traffic. */
function tellIdle({ versions }: Status, places: readonly Place[]): string {
  const idle = versions
    .filter(({ state }) => state === 'drained' || state === 'draining')
    .flatMap(({ upstreams }) => upstreams.map(({ address }) => address))
    .filter((address) => !places.some((place) => place.address === address));
  return idle.length === 0 ? '' : ` (${[...new Set(idle)].join(', ')})`;
}

/** `web03 and web04` */
export function tellHosts(addresses: readonly string[], places: readonly Place[]): string {
  const names = addresses.map(
    (address) => places.find((place) => place.address === address)?.name ?? address,
  );
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

function no(what: string, advice: string): Refusal {
  return { ok: false, what, advice };
}
