// People who use the site of a web farm (../web-server.ts) while it is deployed to: each opens a page with its style sheet and
// script, stays on it while it calls the server, puts something into the cart, goes on to the next page, and leaves after a
// while; somebody else comes. What they meet is counted.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Tab } from '../browser.ts';
import { between, type Fleet, startFleet } from '../fleet.ts';
import { waitFor } from '../wait-for.ts';
import { PAGE_FIELD } from '../web-server.ts';

export interface Counted {
  readonly requests: number;
  /** No answer, or another status than 2xx. */
  readonly failed: number;
  /** Answered by another version than that of the page that asked; such a 404 has failed as well. */
  readonly skewed: number;
  /** Times that somebody's cart was empty again. */
  readonly cartsLost: number;
}

export interface People {
  counted(): Counted;
  /** A sentence for each of them. */
  failures(): readonly string[];
  skews(): readonly string[];
  /** Open browsers whose page is of that version. */
  onPage(version: string): number;
  /** Everybody has had a page. */
  areThere(): Promise<void>;
  /** All of them have left and others have come: whoever was there when this was called is gone. */
  areReplaced(): Promise<void>;
  /** Everybody finishes their page and leaves. */
  stop(): Promise<void>;
}

const CALLS_A_PAGE = 5;
const CALLS_EVERY_MS = [80, 200] as const;
/** Every fifth page is read before its last call. */
const READING = 0.2;
const READING_MS = [700, 1_400] as const;
/** Between the last call of a page and the next page. */
const THINK_MS = [20, 100] as const;
/** One to three pages. */
const LIFE_MS = [500, 2_000] as const;
/** A machine of two cores that has other work to do. */
const PATIENCE_MS = 40_000;

export function startPeople(origin: string, size: number): People {
  let cartsLost = 0;
  const fleet: Fleet = startFleet({
    origin,
    size,
    lifeMs: LIFE_MS,
    thinkMs: THINK_MS,
    tab: { pageField: PAGE_FIELD },
    habit: (tab) => {
      let inCart = 0;
      return async () => {
        const isShown = await usePage(tab);
        if (!isShown) return;
        const { status, json } = await tab.post('/api/cart');
        if (status !== 200) return;
        const { count } = json<{ count: number }>();
        if (count !== inCart + 1) cartsLost++;
        inCart = count;
      };
    },
  });
  const haveCome = (more: number): Promise<unknown> => {
    const least = fleet.opened() + more;
    return waitFor(() => fleet.opened() >= least, { what: `${more} more people`, timeoutMs: PATIENCE_MS });
  };
  return {
    counted: () => ({
      requests: fleet.requests(),
      failed: fleet.failures().length,
      skewed: fleet.mismatches().length,
      cartsLost,
    }),
    failures: fleet.failures,
    skews: fleet.mismatches,
    onPage: fleet.onPage,
    areThere: async () => {
      await waitFor(() => fleet.opened() >= size, { what: `${size} people`, timeoutMs: PATIENCE_MS });
      await haveCome(size / 2);
    },
    // Whoever stays longest is overtaken by as many again.
    areReplaced: async () => void (await haveCome(size * 2)),
    stop: fleet.stop,
  };
}

/** False: what came is an error, and has no script that calls anybody. */
async function usePage(tab: Tab): Promise<boolean> {
  if ((await tab.load('/')).status !== 200) return false;
  for (let call = 0; call < CALLS_A_PAGE; call++) {
    const isLast = call === CALLS_A_PAGE - 1;
    await sleep(between(isLast && Math.random() < READING ? READING_MS : CALLS_EVERY_MS));
    await tab.ajax('/api/items');
  }
  return true;
}
