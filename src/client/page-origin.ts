// What the script's own tag and the answer that the page came with say about the page. The Server-Timing field is stored
// with the answer: a page out of a cache, or restored, knows its version, too.

export interface PageOrigin {
  /** '' when it is not known: then nothing is marked. */
  readonly version: string;
  /** Not when it answered a form that was posted, or may have: to reload it posts the form again, and Chromium asks nobody. */
  readonly mayReload: boolean;
  /** Its fields may hold what the browser put back into them. */
  readonly isRestored: boolean;
  /** Regular expression of paths whose requests are left as they are. */
  readonly except: string | undefined;
}

/** `<script src="/.lockstep/client.js" data-version="v1" data-except="^/files/">`: both are optional. */
export function pageOrigin(): PageOrigin {
  const { version, except } = (document.currentScript as HTMLElement | null)?.dataset ?? {};
  const [entry] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  const timing = (name: string): PerformanceServerTiming | undefined =>
    entry?.serverTiming?.find((one) => one.name === name);
  return {
    version: version || timing('lockstep')?.description || '',
    mayReload: !!timing('lockstep') && !timing('lockstep-posted'),
    isRestored: entry?.type !== 'navigate',
    except,
  };
}
