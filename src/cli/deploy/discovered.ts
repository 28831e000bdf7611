// Hosts whose versions the gateway finds out by itself (`discovery`): a server that restarts with the new version leaves the
// pool of the old one and joins the new one's. So the deploy puts nothing there, and ends nothing: it watches. Pure.

import type { DiscoveredServer, Status } from '../../core/status.ts';
import { printable } from '../text.ts';
import type { Place } from './hosts.ts';

/** None where nothing is found out; all of the hosts, or the deploy is refused. */
export function discoveredAt(
  status: Status,
  places: readonly Pick<Place, 'address'>[],
): readonly DiscoveredServer[] {
  // A gateway of before says nothing of discovery.
  const servers = status.discovery?.servers ?? [];
  return servers.filter(({ address }) => places.some((place) => place.address === address));
}

export function isDiscovered(status: Status, places: readonly Pick<Place, 'address'>[]): boolean {
  return discoveredAt(status, places).length > 0;
}

/** What each said last that it runs; null: nothing, or it is no such server. */
export function reportedAt(status: Status, address: string): string | null {
  return discoveredAt(status, [{ address }])[0]?.reported ?? null;
}

export interface Joined {
  readonly isDone: boolean;
  readonly text: string;
}

/** How many of the hosts stand in the pool of that version, and why the others do not. */
export function tellJoined(status: Status, places: readonly Place[], id: string): Joined {
  const servers = places.map((place) => ({
    name: place.name,
    found: discoveredAt(status, [place])[0],
  }));
  const others = servers.filter(({ found }) => found?.version !== id);
  const troubles = others.map(({ name, found }) => {
    if (found === undefined) return `${name} is not known any more`;
    if (found.why !== null) return `${name}: ${printable(found.why)}`;
    return found.reported === null
      ? `${name} does not say yet what it runs`
      : `${name} says that it runs ${printable(found.reported)}`;
  });
  const joined = places.length - others.length;
  return {
    isDone: others.length === 0,
    text: [`${joined} of ${places.length} joined ${id}`, ...troubles].join('; '),
  };
}
