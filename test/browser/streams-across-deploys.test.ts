// Pages with an open WebSocket and event stream, while a version is promoted and the old one's drain comes to its
// deadline: until then both go on and new ones are of the page's version; then they end with 1012, and nothing connects
// such a page to another version but its own reload.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { recordOf, ShopScene } from '../kit/shop-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a page with a WebSocket and an event stream', () => {
  let browser: TestBrowser;
  let shop: ShopScene;

  beforeAll(async () => {
    browser = await startChromium();
    shop = await ShopScene.start({ browser });
  });
  afterEach(() => shop.close());
  afterAll(async () => {
    await shop?.stop();
    await browser?.stop();
  });

  const openLive = async (path: string): Promise<Tab> => {
    const tab = await shop.openTab(path);
    await hears(tab, ['WebSocket v1', 'event stream v1']);
    return tab;
  };
  const hears = (tab: Tab, wanted: readonly string[]): Promise<boolean> =>
    waitFor(
      async () => {
        const { answers } = await recordOf(tab);
        return wanted.every((answer) => answers.includes(answer));
      },
      { what: wanted.join(', '), timeoutMs: 20_000 },
    );

  it('keeps both across a promote, and what it opens then is of its version', async () => {
    await shop.open();
    const tab = await openLive('/live');
    await shop.promote('v2');
    const { ticks, answers } = await recordOf(tab);
    await waitFor(async () => (await recordOf(tab)).ticks > ticks + 2, { what: 'further events' });
    await tab.page.evaluate("shop.socket.send('still there?')");
    await tab.page.evaluate('shop.connect()');
    await tab.page.evaluate('shop.stream.close()');
    await tab.page.evaluate('shop.listen()');
    await waitFor(async () => (await recordOf(tab)).answers.length === answers.length + 3, {
      what: 'the echo, the new WebSocket and the new stream',
    });
    expect(await recordOf(tab)).toMatchObject({ skewed: [], closed: [] });
    expect(shop.site('v2').streams()).toBe(0);
    expect(shop.trouble()).toEqual([]);
  });

  it('is told 1012 at the deadline, and by a reload gets both from the new version', async () => {
    await shop.open({ drain: { deadline: '1s' } });
    const tab = await openLive('/live-restarting');
    await shop.promote('v2');
    await hears(tab, ['WebSocket v2', 'event stream v2']);
    expect(await recordOf(tab)).toMatchObject({ build: 'v2', skewed: [], failed: [] });
    expect(shop.site('v1').streams()).toBe(0);
    expect(shop.site('v2').skewed).toEqual([]);
    // The old page's stream may have been refused once before the reload.
    const { status } = tab.answers.find(
      ({ url }) => url.includes('page-build=v1') && url.includes('/events'),
    )!;
    expect([200, 409]).toContain(status);
    expect(tab.skewed({ except: ({ fromCache }) => fromCache })).toEqual([]);
  });

  it('that does not reload is refused by 409, whatever it tries', async () => {
    await shop.open({ drain: { deadline: '1s' } });
    const tab = await openLive('/live');
    await shop.promote('v2');
    await waitFor(async () => (await recordOf(tab)).closed.length === 2, {
      what: 'WebSocket and event stream to be closed',
      timeoutMs: 20_000,
    });
    expect([...(await recordOf(tab)).closed].sort()).toEqual([1012, 'event stream']);
    await tab.page.evaluate("shop.call('/api/stock')");
    await tab.page.evaluate("shop.addToCart('mug')");
    await tab.page.evaluate('shop.connect()');
    await waitFor(async () => (await recordOf(tab)).closed.includes(1006), { what: 'the refusal' });
    expect(await recordOf(tab)).toMatchObject({
      build: 'v1',
      skewed: [],
      dead: ['GET /api/stock', 'POST /api/cart'],
    });
    expect(tab.consoleErrors.join()).toContain('during WebSocket handshake: Unexpected response code: 409');
    expect(shop.site('v2').requests.filter(({ pageBuild }) => pageBuild === 'v1')).toEqual([]);
  });
});
