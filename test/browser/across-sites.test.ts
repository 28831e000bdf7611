// Somebody comes to the shop from another site, signs in there, or pays there and is sent back by a form across sites,
// while a version is promoted. By TLS the pin is `SameSite=None` and comes along each time; on a plain listener it is
// `Lax`, and a POST from another site comes without it.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Certificate } from '../kit/certificate.ts';
import type { TestBrowser } from '../kit/chromium.ts';
import { follow, isReady, recordOf, ShopScene } from '../kit/shop-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { startTrustingBrowser, type TrustingBrowser } from '../kit/trusting-browser.ts';
import { waitFor } from '../kit/wait-for.ts';

const hasTools = needsTool('chromium') && needsTool('openssl');

describe.skipIf(!hasTools)('between sites', () => {
  let trusting: TrustingBrowser;
  let certificate: Certificate;
  let browser: TestBrowser;
  let shop: ShopScene;

  beforeAll(async () => {
    trusting = await startTrustingBrowser();
    ({ browser, certificate } = trusting);
    shop = await ShopScene.start({ browser });
  });
  afterEach(() => shop.close());
  afterAll(async () => {
    await shop?.stop();
    await trusting?.stop();
  });

  const openThenPromote = async (path: string): Promise<Tab> => {
    const tab = await shop.openTab(path);
    await shop.promote('v2');
    return tab;
  };
  const expectStayed = async (tab: Tab): Promise<void> => {
    expect(tab.version()).toBe('v1');
    expect(await recordOf(tab)).toMatchObject({ build: 'v1', skewed: [], failed: [], dead: [] });
    expect(shop.trouble()).toEqual([]);
  };
  const callback = (build: string) =>
    shop.site(build).requests.find(({ method, path }) => method === 'POST' && path === '/checkout/callback');

  describe.each(['plain', 'by TLS'])('%s', (kind) => {
    beforeEach(() => shop.open({}, kind === 'plain' ? null : certificate));

    it('a session that comes back by a link stays with its version', async () => {
      const tab = await openThenPromote('/products');
      await tab.page.goto(shop.elsewhere('/'));
      await follow(tab, '#shop');
      expect(shop.site('v1').requests.filter(({ site }) => site === 'cross-site')).toHaveLength(1);
      await expectStayed(tab);
    });

    it('a sign-in ends at the version where it began', async () => {
      const tab = await openThenPromote('/products');
      await tab.page.click('#sign-in');
      await tab.page.waitForURL('**/account?page-build=v1');
      await isReady(tab);
      await expectStayed(tab);
    });
  });

  it('by TLS a payment that is posted back reaches the version where it began', async () => {
    await shop.open({}, certificate);
    const tab = await openThenPromote('/checkout');
    await tab.page.click('#pay');
    await tab.page.waitForURL('**/checkout/done?page-build=v1');
    await isReady(tab);
    expect(callback('v1')).toMatchObject({ site: 'cross-site', pageBuild: 'v1' });
    await expectStayed(tab);
  });

  it('by TLS a frame on another site, where this browser keeps no cookies, leaves the session alone', async () => {
    await shop.open({}, certificate);
    const tab = await openThenPromote('/products');
    const before = await browser.context.cookies(shop.origin);
    await tab.page.goto(shop.elsewhere('/embedding'));
    await tab.page.frameLocator('iframe').getByText('XHR /api/stock v2').waitFor();
    expect(await browser.context.cookies(shop.origin)).toEqual(before);
    await tab.page.goto(shop.at('/products'));
    await isReady(tab);
    await expectStayed(tab);
  });

  it('plain, a payment that is posted back comes without the pin, and does not replace it', async () => {
    await shop.open();
    const tab = await openThenPromote('/checkout');
    const [before] = await browser.context.cookies(shop.origin);
    await tab.page.click('#pay');
    await waitFor(() => callback('v2'), { what: 'the callback' });
    await tab.page.waitForURL('**/checkout/done*');
    await isReady(tab);
    expect(await browser.context.cookies(shop.origin)).toContainEqual(before);
    expect(await recordOf(tab)).toMatchObject({ build: 'v1', skewed: [] });
  });
});
