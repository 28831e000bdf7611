// People in the shop, each with habits of their own, who go on until they are told to stop. None of them knows of versions;
// what they meet is held against the build of their page by the page, the servers and the browser's record. They throw
// when the shop does not do what they came for.

import { setTimeout as sleep } from 'node:timers/promises';
import { between, oneOf, type Random } from './random.ts';
import { follow, isReady, recordOf, type ShopScene } from './shop-scene.ts';
import type { Tab } from './tab.ts';
import { waitFor } from './wait-for.ts';

export interface Person {
  readonly name: string;
  /** Comes in; one after the other. */
  enter(): Promise<Tab>;
  /** One thing that this person does, from a page that is ready to one that is. Once it is over, no version is waited for. */
  act(isOver: () => boolean): Promise<void>;
}

/** For 10 s after what changes something no page load moves: who does such things all the time stays to the bitter end. */
const CART_EVERY_MS = 12_000;

/** Follows links, goes back and forth, reloads, opens lazy parts, and sometimes puts something into the cart. */
export function shopper(shop: ShopScene, random: Random): Person {
  let tab: Tab;
  let cartAtMs = 0;
  const call = async (script: string): Promise<void> => {
    await tab.page.evaluate(script);
  };
  const habits: readonly (() => Promise<void>)[] = [
    () =>
      follow(
        tab,
        oneOf(random, ['header [href="/products"]', 'header [href="/cart"]', 'header [href="/profile"]']),
      ),
    () =>
      follow(
        tab,
        oneOf(random, ['header [href="/products"]', 'header [href="/cart"]', 'header [href="/profile"]']),
      ),
    async () => {
      await follow(tab, 'header [href="/profile"]');
      await leaf(tab, 'back', 'profile');
      await call("shop.call('/api/stock')");
      await leaf(tab, 'forward', 'profile');
      await call("shop.xhr('/api/stock')");
    },
    async () => {
      await tab.page.reload();
      await isReady(tab);
    },
    () => call("shop.open('details')"),
    () => call("shop.open('extras')"),
    async () => {
      if (performance.now() - cartAtMs < CART_EVERY_MS) return;
      cartAtMs = performance.now();
      await call("shop.addToCart('pin')");
    },
    () => call("shop.call('/api/stock')"),
  ];
  return {
    name: 'shopper',
    enter: async () => {
      tab = await shop.openWindow('/products');
      return tab;
    },
    act: () => oneOf(random, habits)(),
  };
}

/** One after the other fills in a form and leaves it for a while; a version is promoted meanwhile. What was typed must arrive. */
export function writer(shop: ShopScene): Person {
  let tab: Tab;
  let nth = 0;
  return {
    name: 'writer',
    enter: async () => {
      tab = await shop.browser.openStranger(shop.at('/profile'));
      return tab;
    },
    act: async (isOver) => {
      await enterAnew(shop, tab, '/profile');
      const { newest } = shop;
      const name = `Ann${nth++}`;
      await tab.page.fill('[name=name]', name);
      await waitFor(
        async () => {
          await tab.page.evaluate("shop.call('/api/stock')");
          return isOver() || shop.newest !== newest;
        },
        { what: 'the next version', everyMs: 400, timeoutMs: 60_000 },
      );
      await follow(tab, '#save');
      const url = new URL(tab.page.url());
      if (url.searchParams.get('name') !== name) throw new Error(`what was typed did not arrive: ${url}`);
    },
  };
}

/** Leaves a page open behind others until its version is gone and its servers are off; then opens a part of it. */
export function reader(shop: ShopScene): Person {
  let tab: Tab;
  return {
    name: 'reader',
    enter: async () => {
      tab = await shop.openTab('/staying');
      return tab;
    },
    act: async (isOver) => {
      const { build } = await recordOf(tab);
      await waitFor(() => isOver() || shop.isOff(build), {
        what: `${build} to be taken away`,
        timeoutMs: 150_000,
      });
      await tab.page.evaluate("shop.open('extras')");
      await tab.page.evaluate("shop.open('details')");
      await tab.page.reload();
      await isReady(tab);
    },
  };
}

/** One after the other pays or signs in at the provider. */
export function payer(shop: ShopScene, random: Random): Person {
  let tab: Tab;
  return {
    name: 'payer',
    enter: async () => {
      tab = await shop.browser.openStranger(shop.at('/checkout'));
      await isReady(tab);
      return tab;
    },
    act: async () => {
      await enterAnew(shop, tab, '/checkout');
      const [button, end] = oneOf(random, [
        ['#pay', '/checkout/done'],
        ['#sign-in', '/account'],
      ] as const);
      await tab.page.click(button);
      await tab.page.waitForURL(`**${end}*`);
      await isReady(tab);
    },
  };
}

/** Somebody else, who only looks at a page with a WebSocket or more. */
export function onlooker(shop: ShopScene, path: string): Person {
  let tab: Tab;
  return {
    name: `onlooker of ${path}`,
    enter: async () => {
      tab = await shop.browser.openStranger(shop.at(path));
      await isReady(tab);
      return tab;
    },
    act: async (isOver) => {
      const { newest } = shop;
      await waitFor(() => isOver() || tab.version() === newest || shop.newest !== newest, {
        what: `${path} to become one of ${newest}`,
        timeoutMs: 60_000,
        everyMs: 100,
      });
    },
  };
}

/** The operator's smoke test of a version that was promoted: all of its parts are loaded by somebody. */
export async function lookAtAll(shop: ShopScene, tab: Tab): Promise<void> {
  await enterAnew(shop, tab, '/products');
  for (const part of ['details', 'extras']) await tab.page.evaluate(`shop.open('${part}')`);
}

/** Comes in, and acts until it is over, and then to the end of what is being done. Resolves with how much that was. */
export async function visit(
  person: Person,
  random: Random,
): Promise<(isOver: () => boolean) => Promise<number>> {
  const tab = await person.enter();
  return async (isOver) => {
    let acts = 0;
    try {
      while (!isOver()) {
        await person.act(isOver);
        acts++;
        await sleep(between(random, 50, 400));
      }
      return acts;
    } catch (cause) {
      const answers = tab.answers.slice(-12).map(({ url, status, version }) => `${status} ${url} ${version}`);
      const seen = [...answers, ...tab.failed, ...tab.consoleErrors].join('\n');
      throw new Error(`${person.name} at ${tab.page.url()}, after ${acts} acts; last:\n${seen}`, { cause });
    }
  };
}

/** Somebody else in the same place. */
async function enterAnew(shop: ShopScene, tab: Tab, path: string): Promise<void> {
  await tab.page.context().clearCookies();
  // The page that is left may be reloading itself just then.
  const go = (): Promise<unknown> => tab.page.goto(shop.at(path));
  await waitFor(go, { what: `${path} to be entered`, timeoutMs: 30_000 });
  await isReady(tab);
}

async function leaf(tab: Tab, way: 'back' | 'forward', other: string): Promise<void> {
  const isThere = (): boolean => tab.page.url().endsWith(`/${other}`) === (way === 'forward');
  await tab.page.evaluate(`history.${way}()`);
  await waitFor(isThere, { what: `the page ${way}` });
  await isReady(tab);
}
