// Chromium prerenders a page of the shop, by the page's own speculation rules, and shows it as soon as its calls are done.
// A version is promoted in between. Nobody looks on, so the shop's servers tell what was asked for and by whose page.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { showUnobserved } from '../kit/chromium.ts';
import { ShopScene } from '../kit/shop-scene.ts';
import type { SeenRequest } from '../kit/shop-site/site.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a prerendered page', () => {
  let shop: ShopScene;
  beforeEach(async () => {
    shop = await ShopScene.start({});
    await shop.open();
  });
  afterEach(() => shop?.stop());

  it('is of the version of the page that wanted it, before and after it is shown', async () => {
    const { requests } = shop.site('v1');
    const seen = (wanted: (request: SeenRequest) => boolean, what: string) =>
      waitFor(() => requests.some(wanted), { what, timeoutMs: 30_000 });
    const browser = await showUnobserved(shop.at('/going-ahead'));
    try {
      await seen(({ path }) => path === '/going-ahead', 'the page that prerenders another');
      await shop.promote('v2');
      await seen(({ url }) => url === '/api/stock?shown', 'the prerendered page to be shown');
    } finally {
      await browser.stop();
    }
    const prerendered = requests.filter(({ purpose }) => purpose === 'prefetch;prerender');
    expect(prerendered.map(({ path }) => path)).toEqual(['/prerendered', '/api/stock', '/api/stock']);
    expect(shop.site('v2').requests.filter(({ dest }) => dest !== '')).toEqual([]);
    expect(shop.trouble()).toEqual([]);
  });
});
