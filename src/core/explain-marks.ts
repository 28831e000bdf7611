// What explain.ts tells of markers: which of those that are switched on the request has, and what became of each.

import { isFollowed } from './decision.ts';
import type { ConsideredSource, Explained } from './explain.ts';
import { cookieMark, isForeignNavigation, type Mark, requestMark, urlMark } from './markers.ts';
import type { MarkerPolicy } from './policy.ts';

/** What the one before it in their order said of itself. */
export type Before = ConsideredSource['verdict'];

/** Header, query and path; null where no marker is switched on. */
export function ofMarker(
  { facts, table, policy }: Explained,
  before: Before,
  tellDead: (mark: Mark) => Pick<ConsideredSource, 'verdict' | 'why'>,
): ConsideredSource | null {
  const { markers } = policy;
  if (markers === null) return null;
  const source = 'marker';
  const mark = requestMark(facts, table, markers);
  if (mark === null) {
    const unheard = urlMark(facts.target, table, markers);
    if (unheard !== null && isForeignNavigation(facts)) {
      const why = `${tellMark(unheard)}, on a page load that another site may have begun: a link chooses no version`;
      return { source, names: unheard.version.id, verdict: 'ignored', why };
    }
    return { source, names: null, verdict: 'absent', why: `none of ${tellNames(markers)} names a version` };
  }
  const names = mark.version.id;
  if (before === 'won') return { source, names, verdict: 'unasked', why: 'x-lockstep-version goes first' };
  if (isFollowed(mark.version)) return { source, names, verdict: 'won', why: tellMark(mark) };
  return { source, names, ...tellDead(mark) };
}

/** Null where no such marker is switched on. */
export function ofCookieMarker(
  { facts, table, policy, reading }: Explained,
  hasWinner: boolean,
  tellDead: (mark: Mark) => Pick<ConsideredSource, 'verdict' | 'why'>,
): ConsideredSource | null {
  const { markers } = policy;
  if (markers === null || markers.cookies.length === 0) return null;
  const source = 'cookie marker';
  const mark = cookieMark(facts, table, markers);
  if (mark === null) {
    const why = `none of the cookies ${markers.cookies.join(', ')} names a version`;
    return { source, names: null, verdict: 'absent', why };
  }
  const names = mark.version.id;
  const isPinned = reading.pin !== null && table.versions.has(reading.pin.version);
  if (hasWinner || isPinned) {
    const why = isPinned ? 'it is unsigned: a pin goes before it' : 'there is one before it';
    return { source, names, verdict: 'unasked', why };
  }
  if (isFollowed(mark.version)) return { source, names, verdict: 'won', why: tellMark(mark) };
  return { source, names, ...tellDead(mark) };
}

export function tellMark({ place, name, version: { id } }: Mark): string {
  switch (place) {
    case 'header':
      return `the header ${name} names ${id}`;
    case 'query':
      return `?${name}= names ${id}`;
    case 'path':
      return `the path names ${id}, by ${name}`;
    case 'cookie':
      return `the cookie ${name} names ${id}`;
    default:
      return place satisfies never;
  }
}

function tellNames({ headers, queries, paths }: MarkerPolicy): string {
  const all = [...headers, ...queries.map((name) => `?${name}=`), ...paths];
  return all.length === 0 ? 'no header, query or path' : all.join(', ');
}
