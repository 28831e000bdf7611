// The version of a page where its script (src/client/) can set no header: EventSource, WebSocket, sendBeacon and requests
// that a header would bring a preflight upon carry it in their query, as `__lockstep=v1`. Rules:
// - it counts as the tab header does, which goes before it, and only for what the page's own origin asks;
// - of a page load it says nothing: no link chooses a version;
// - it is the gateway's own: the application, the log and the asset memory get the target without it.
// Pure. A version's id needs no escaping in a URL, so nothing is decoded.

import type { RequestFacts } from './route.ts';

const MARK = '__lockstep=';

/** On every request's way, where it costs about 20 ns. */
export function hasTabMark(target: string): boolean {
  return target.includes(MARK);
}

/** Of a target that has one: the facts as they count. */
export function readTabMark(facts: RequestFacts): RequestFacts {
  const query = facts.target.indexOf('?');
  if (query === -1) return facts;
  const parts = facts.target.slice(query + 1).split('&');
  const others = parts.filter((part) => !part.startsWith(MARK));
  if (others.length === parts.length) return facts;
  const path = facts.target.slice(0, query);
  const said = parts.find((part) => part.startsWith(MARK))!.slice(MARK.length);
  return {
    ...facts,
    target: others.length === 0 ? path : `${path}?${others.join('&')}`,
    tab: facts.tab === '' && isOfPage(facts) ? said : facts.tab,
  };
}

/** What a page of the same origin asks for; where no Sec-Fetch fields say so, what is not a page load. */
function isOfPage({ secFetchMode: mode, secFetchSite: site, accept }: RequestFacts): boolean {
  if (mode === '' && site === '') return !accept.includes('text/html');
  return mode !== 'navigate' && (site === '' || site === 'same-origin');
}
