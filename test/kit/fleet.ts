// Many people at once: each opens a browser of their own, loads pages with their AJAX and POSTs for a while, closes it,
// and somebody else comes. What went wrong for any of them is kept.

import { setTimeout as sleep } from 'node:timers/promises';
import { type Browser, browserWithCookies, type Tab, type TabOptions } from './browser.ts';

export interface FleetOptions {
  readonly origin: string;
  /** Browsers open at the same time. */
  readonly size: number;
  /** How long one is used, between these bounds. Default: until `stop`. */
  readonly lifeMs?: readonly [least: number, most: number];
  /** Between two pages. Default 300 to 700 ms. */
  readonly thinkMs?: readonly [least: number, most: number];
  /** See browserWithCookies. */
  readonly retryTransportMs?: number;
  readonly tab?: TabOptions;
  /** What the one at that tab does with each page. Default: loads one with its asset, calls and a form. */
  readonly habit?: (tab: Tab) => () => Promise<void>;
}

export interface Fleet {
  readonly mismatches: () => readonly string[];
  readonly failures: () => readonly string[];
  /** Answers by version so far. */
  readonly answered: (version: string) => number;
  /** When a version last answered anybody; ms since the Unix epoch, 0 for never. */
  readonly lastAnswerAt: (version: string) => number;
  /** Open browsers whose page is of that version. */
  readonly onPage: (version: string) => number;
  /** Browsers opened so far. */
  readonly opened: () => number;
  readonly requests: () => number;
  readonly retried: () => number;
  /** Everybody finishes their page and leaves. Idempotent. */
  stop(): Promise<void>;
}

export function startFleet(options: FleetOptions): Fleet {
  const { origin, size, lifeMs, thinkMs = [300, 700], retryTransportMs = 0 } = options;
  const habit = options.habit ?? ((tab: Tab) => () => usePage(tab));
  const browsers: Browser[] = [];
  const open = new Map<Browser, Tab>();
  const stopping = new AbortController();

  const useOne = async (): Promise<void> => {
    const browser = browserWithCookies({ origin, retryTransportMs });
    browsers.push(browser);
    const tab = browser.openTab(options.tab);
    const act = habit(tab);
    open.set(browser, tab);
    const until = lifeMs === undefined ? Number.POSITIVE_INFINITY : performance.now() + between(lifeMs);
    try {
      do {
        await act();
        await sleep(between(thinkMs), undefined, { signal: stopping.signal }).catch(() => {});
      } while (!stopping.signal.aborted && performance.now() < until);
    } finally {
      open.delete(browser);
      browser.close();
    }
  };
  const takeTurns = async (): Promise<void> => {
    // They don't all come in the same moment.
    await sleep(Math.random() * 500, undefined, { signal: stopping.signal }).catch(() => {});
    while (!stopping.signal.aborted) {
      // What failed is in `failures`; the next one comes all the same.
      await useOne().catch(() => sleep(100));
    }
  };
  const everybody = Promise.all(Array.from({ length: size }, takeTurns));
  const sum = (count: (browser: Browser) => number): number =>
    browsers.reduce((total, browser) => total + count(browser), 0);
  return {
    mismatches: () => browsers.flatMap((browser) => browser.mismatches),
    failures: () => browsers.flatMap((browser) => browser.failures),
    answered: (version) => sum((browser) => browser.answered.get(version) ?? 0),
    lastAnswerAt: (version) =>
      browsers.reduce((last, browser) => Math.max(last, browser.lastAnswerAt.get(version) ?? 0), 0),
    onPage: (version) => [...open.values()].filter((tab) => tab.page() === version).length,
    opened: () => browsers.length,
    requests: () => sum((browser) => browser.requests()),
    retried: () => sum((browser) => browser.retried()),
    stop: async () => {
      stopping.abort();
      await everybody;
    },
  };
}

/** A page, its asset, what its script fetches, and a form. */
async function usePage(tab: Tab): Promise<void> {
  await tab.load('/');
  await Promise.all([tab.ajax('/api/items'), tab.ajax('/api/cart')]);
  await tab.post('/api/cart');
}

export function between([least, most]: readonly [number, number]): number {
  return least + Math.random() * (most - least);
}
