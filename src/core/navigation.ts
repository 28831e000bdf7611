// What kind of request it is: by the fetch metadata that browsers send, and by what others accept.

import { isPrefetch } from './answer.ts';
import type { RequestFacts, RequestKind } from './route.ts';

/** How the request is to be answered when it cannot have its version. A prefetched document belongs to its page. */
export function requestKind(facts: RequestFacts): RequestKind {
  if (facts.isWebSocket) return 'websocket';
  const { method } = facts;
  if (method !== 'GET') return method === 'HEAD' || method === 'OPTIONS' ? 'safe' : 'unsafe';
  return isNavigation(facts) && !isPrefetch(facts) ? 'navigation' : 'safe';
}

/** Of navigations: the page of a tab, not of a frame in somebody else's page. */
export function isTopLevel(facts: RequestFacts): boolean {
  return facts.secFetchDest === 'document' || facts.secFetchDest === '';
}

export function isProtected(target: string, paths: readonly string[]): boolean {
  const query = target.indexOf('?');
  const path = query === -1 ? target : target.slice(0, query);
  return paths.some((wanted) =>
    wanted.endsWith('*') ? path.startsWith(wanted.slice(0, -1)) : path === wanted,
  );
}

/** A GET that makes a page of its own: an iframe of the same site belongs to the page around it. */
function isNavigation(facts: RequestFacts): boolean {
  const { secFetchDest: dest, secFetchMode: mode, secFetchSite: site } = facts;
  // Safari before 16.4 and clients that are no browsers send none of them.
  if (dest === '' && mode === '' && site === '') return facts.accept.includes('text/html');
  if (mode !== 'navigate') return false;
  return dest === 'document' || ((dest === 'iframe' || dest === 'frame') && site === 'cross-site');
}
