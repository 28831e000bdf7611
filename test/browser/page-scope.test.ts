// With `pin.scope: page` each page load that may move gets the newest version, and takes the browser's pin along. In each
// test a version is promoted, somebody loads a page of it in one way or another, and what was open before goes on as what
// it is: its calls, its lazy parts, its frames and forms. docs/pinning.md has the rules, in this order.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Certificate } from '../kit/certificate.ts';
import type { TestBrowser } from '../kit/chromium.ts';
import { follow, isReady, recordOf, ShopScene } from '../kit/shop-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { startTrustingBrowser, type TrustingBrowser } from '../kit/trusting-browser.ts';
import { waitFor } from '../kit/wait-for.ts';

const hasTools = needsTool('chromium') && needsTool('openssl');

describe.skipIf(!hasTools)('where each page has its version', () => {
  let trusting: TrustingBrowser;
  let certificate: Certificate;
  let browser: TestBrowser;
  let shop: ShopScene;

  beforeAll(async () => {
    trusting = await startTrustingBrowser();
    ({ browser, certificate } = trusting);
    shop = await ShopScene.start({ browser, hasClient: true });
  });
  beforeEach(() => shop.open({ more: { pin: { scope: 'page' } } }, certificate));
  afterEach(() => shop.close());
  afterAll(async () => {
    await shop?.stop();
    await trusting?.stop();
  });

  const openThenPromote = async (path: string): Promise<Tab> => {
    const tab = await shop.openWindow(path);
    await shop.promote('v2');
    return tab;
  };
  /** It is a page of that version in all that it has and all that it asks for. */
  const expectWhole = async (tab: Tab, build: string): Promise<void> => {
    await isReady(tab);
    expect(tab.version()).toBe(build);
    for (const script of ["open('details')", "call('/api/stock')", "xhr('/api/stock')", "addToCart('mug')"]) {
      await tab.page.evaluate(`shop.${script}`);
    }
    expect(await recordOf(tab)).toMatchObject({ build, skewed: [], failed: [], dead: [] });
    expect(shop.trouble()).toEqual([]);
  };
  const go = async (tab: Tab, path: string): Promise<void> => {
    await tab.page.evaluate((to) => location.assign(to), path);
    await tab.page.waitForURL(`**${path}*`);
    await isReady(tab);
  };
  const requestsOf = (path: string, build: string) =>
    shop.site(build).requests.filter((request) => request.path === path);

  it('a link and a reload get the newest', async () => {
    const tab = await openThenPromote('/products');
    await follow(tab, 'header [href="/profile"]');
    await expectWhole(tab, 'v2');
    const other = await shop.openWindow('/products');
    await shop.promote('v3');
    await other.page.reload();
    await isReady(other);
    await expectWhole(other, 'v2');
  });

  it('a page that comes out of the back/forward cache goes on as what it is', async () => {
    const tab = await openThenPromote('/products');
    await follow(tab, 'header [href="/profile"]');
    expect(tab.version()).toBe('v2');
    await tab.page.goBack({ waitUntil: 'commit' });
    await waitFor(async () => (await recordOf(tab)).restored === 1, { what: 'the page to be restored' });
    await expectWhole(tab, 'v1');
    await tab.page.goForward({ waitUntil: 'commit' });
    await waitFor(() => tab.page.url().endsWith('/profile'), { what: 'the page forward' });
    await expectWhole(tab, 'v2');
  });

  it('a prefetched page is of the version of the page that wanted it, whenever it is shown', async () => {
    const tab = await shop.openWindow('/products');
    await go(tab, '/speculating');
    await waitFor(() => requestsOf('/prefetched', 'v1').length === 1, { what: 'the prefetch' });
    await shop.promote('v2');
    const other = await shop.openWindow('/profile');
    expect(other.version()).toBe('v2');
    await go(tab, '/prefetched');
    expect(requestsOf('/prefetched', 'v2')).toEqual([]);
    await expectWhole(tab, 'v1');
  });

  it('a frame is of the version of the page around it', async () => {
    const tab = await openThenPromote('/products');
    const other = await shop.openWindow('/profile');
    expect(other.version()).toBe('v2');
    await tab.page.evaluate(() => {
      const frame = document.createElement('iframe');
      frame.src = '/frame?page-build=v1';
      document.body.append(frame);
    });
    await tab.page.frameLocator('iframe').getByText('XHR /api/stock v1').waitFor();
    await expectWhole(tab, 'v1');
  });

  it('a service worker is of the version of the pin', async () => {
    const tab = await openThenPromote('/products');
    await follow(tab, 'header [href="/cart"]');
    await tab.page.evaluate("shop.work('/service-worker.js')");
    expect(await tab.page.evaluate("shop.call('/api/by-worker')")).toMatchObject({ build: 'v2' });
    expect(requestsOf('/service-worker.js', 'v1')).toEqual([]);
    await expectWhole(tab, 'v2');
  });

  it('a form goes to the version of its page, the redirect behind it too, and the next link moves', async () => {
    const tab = await openThenPromote('/profile');
    const other = await shop.openWindow('/products');
    expect(other.version()).toBe('v2');
    await tab.page.fill('[name=name]', 'Ann');
    await follow(tab, '#save');
    expect(requestsOf('/profile', 'v1').filter(({ method }) => method === 'POST')).toHaveLength(1);
    await expectWhole(tab, 'v1');
  });

  it('a download comes from the newest, and leaves the page what it is', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.evaluate(() => document.querySelector('#download')!.setAttribute('href', '/invoice'));
    await tab.page.click('#download');
    await waitFor(() => requestsOf('/invoice', 'v2').length === 1, { what: 'the download' });
    await expectWhole(tab, 'v1');
  });

  it('a redirect is followed to the version that it came from', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.evaluate(() => location.assign('/moved'));
    await tab.page.waitForURL('**/products?page-build=v2');
    await expectWhole(tab, 'v2');
  });

  it('a link on another site moves nothing, the next one on its own does', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.goto(shop.elsewhere('/'));
    await follow(tab, '#shop');
    await expectWhole(tab, 'v1');
  });

  it('a sign-in ends at the version where it began', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.click('#sign-in');
    await tab.page.waitForURL('**/account?page-build=v2');
    await expectWhole(tab, 'v2');
  });

  it('a payment that is posted back reaches the version where it began', async () => {
    const tab = await openThenPromote('/checkout');
    await tab.page.click('#pay');
    await tab.page.waitForURL('**/checkout/done?page-build=v1');
    await expectWhole(tab, 'v1');
  });

  it('tabs are of as many versions as were promoted, and each goes on with its own', async () => {
    const first = await openThenPromote('/products');
    const second = await shop.openWindow('/profile');
    await shop.promote('v3');
    const third = await shop.openWindow('/cart');
    for (const [tab, build] of [
      [third, 'v3'],
      [first, 'v1'],
      [second, 'v2'],
      [first, 'v1'],
    ] as const) {
      await expectWhole(tab, build);
    }
  });

  it('a page out of the HTTP cache is of the version that answered it', async () => {
    const tab = await shop.openWindow('/kept');
    await follow(tab, 'header [href="/profile"]');
    await shop.promote('v2');
    await follow(tab, 'header [href="/products"]');
    expect(tab.version()).toBe('v2');
    await go(tab, '/kept');
    expect(requestsOf('/kept', 'v2')).toEqual([]);
    await expectWhole(tab, 'v1');
  });
});
