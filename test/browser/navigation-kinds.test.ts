// A version is promoted while somebody is in the middle of something, once for each way in which a browser gets from one
// page to the next. Sessions stay with their version (`pin.scope: session`): whatever the way, page and everything that it
// asks for are v1, although new sessions get v2. docs/pinning.md has the rules.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { follow, isReady, recordOf, ShopScene } from '../kit/shop-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a session that stays with its version', () => {
  let browser: TestBrowser;
  let shop: ShopScene;

  beforeAll(async () => {
    browser = await startChromium();
    shop = await ShopScene.start({ browser });
  });
  beforeEach(() => shop.open());
  afterEach(() => shop.close());
  afterAll(async () => {
    await shop?.stop();
    await browser?.stop();
  });

  /** A page of v1, and v2 promoted behind its back. */
  const openThenPromote = async (path: string): Promise<Tab> => {
    const tab = await shop.openTab(path);
    expect(tab.version()).toBe('v1');
    await shop.promote('v2');
    return tab;
  };
  const expectStayed = async (tab: Tab): Promise<void> => {
    expect(tab.version()).toBe('v1');
    expect(await recordOf(tab)).toMatchObject({ build: 'v1', skewed: [], failed: [], dead: [] });
    expect(shop.trouble()).toEqual([]);
  };
  const requestsOf = (path: string, build = 'v1') =>
    shop.site(build).requests.filter((request) => request.path === path);

  it('gets its version by a link, by AJAX and in lazy parts', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.click('button[data-part=details]');
    await tab.page.getByText('details of v1').waitFor();
    await tab.page.click('text=Add');
    await follow(tab, 'header [href="/cart"]');
    expect(await tab.page.textContent('#lines')).toBe('1 mug');
    await expectStayed(tab);
  });

  it('gets it by reload, also when the cache is passed by', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.reload();
    await isReady(tab);
    const session = await browser.context.newCDPSession(tab.page);
    await session.send('Page.reload', { ignoreCache: true });
    await waitFor(() => requestsOf('/products').length === 3, { what: 'the second reload' });
    await isReady(tab);
    await expectStayed(tab);
  });

  it('goes on as it was when it comes out of the back/forward cache', async () => {
    const tab = await openThenPromote('/products');
    await follow(tab, 'header [href="/profile"]');
    await tab.page.goBack({ waitUntil: 'commit' });
    await waitFor(async () => (await recordOf(tab)).restored === 1, { what: 'the page to be restored' });
    await tab.page.evaluate("shop.open('extras')");
    await tab.page.evaluate("shop.call('/api/stock')");
    expect(requestsOf('/products')).toHaveLength(1);
    await expectStayed(tab);
  });

  it('shows the page of its version that was prefetched', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.evaluate("location.href = '/speculating'");
    await waitFor(() => requestsOf('/prefetched')[0]?.purpose === 'prefetch', { what: 'the prefetch' });
    await isReady(tab);
    await tab.page.evaluate("location.href = '/prefetched'");
    await tab.page.waitForURL('**/prefetched');
    await isReady(tab);
    expect(requestsOf('/prefetched')).toHaveLength(1);
    await expectStayed(tab);
  });

  it('fills a frame with its version', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.evaluate("location.href = '/framing'");
    const frame = tab.page.frameLocator('iframe');
    await frame.getByText('Shop, build v1').waitFor();
    expect(requestsOf('/frame')[0]!.dest).toBe('iframe');
    await isReady(tab);
    await expectStayed(tab);
  });

  it('installs and updates the service worker of its version', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.evaluate("shop.work('/service-worker.js')");
    await tab.page.evaluate('navigator.serviceWorker.ready.then((worker) => worker.update())');
    expect(await tab.page.evaluate("shop.call('/api/by-worker')")).toMatchObject({ build: 'v1' });
    expect(requestsOf('/service-worker.js').map(({ dest }) => dest)).toEqual([
      'serviceworker',
      'serviceworker',
    ]);
    expect(requestsOf('/service-worker.js', 'v2')).toEqual([]);
    await expectStayed(tab);
  });

  it('sends a form to its version, and follows the 303 there', async () => {
    const tab = await openThenPromote('/profile');
    await tab.page.fill('[name=name]', 'Ann');
    await follow(tab, '#save');
    expect(tab.page.url()).toBe(shop.at('/cart?page-build=v1&name=Ann'));
    await expectStayed(tab);
  });

  it('downloads from its version', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.click('#download');
    await waitFor(() => requestsOf('/invoice').length === 1, { what: 'the download' });
    expect(requestsOf('/invoice')[0]).toMatchObject({ pageBuild: 'v1', dest: 'document' });
    await tab.page.evaluate("shop.open('details')");
    await expectStayed(tab);
  });

  it('follows redirects within its version', async () => {
    const tab = await openThenPromote('/products');
    await tab.page.evaluate("location.href = '/moved'");
    await tab.page.waitForURL('**/products?page-build=v1');
    await isReady(tab);
    await expectStayed(tab);
  });

  it('keeps a page of the HTTP cache in step', async () => {
    const tab = await openThenPromote('/kept');
    await tab.page.evaluate("location.href = '/products'");
    await tab.page.waitForURL('**/products');
    await isReady(tab);
    await tab.page.evaluate("location.href = '/kept'");
    await tab.page.waitForURL('**/kept');
    await isReady(tab);
    expect(requestsOf('/kept')).toHaveLength(1);
    expect(tab.answers.filter(({ url, fromCache }) => fromCache && url.endsWith('/kept'))).toHaveLength(1);
    await tab.page.evaluate("shop.open('details')");
    await expectStayed(tab);
  });

  it('has one version in several tabs, opened before and after', async () => {
    const first = await openThenPromote('/products');
    const second = await shop.openTab('/profile');
    const [page] = await Promise.all([
      browser.context.waitForEvent('page'),
      second.page.evaluate("void window.open('/cart')"),
    ]);
    const third = await browser.tabOf(page);
    await isReady(third);
    for (const tab of [first, second, third]) {
      await tab.page.evaluate("shop.open('details')");
      expect(await recordOf(tab)).toMatchObject({ build: 'v1', skewed: [], failed: [] });
    }
    await expectStayed(first);
  });
});
