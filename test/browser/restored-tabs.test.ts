// A browser is closed with a page of v1 open, a version is promoted, and the browser is started again and restores its tab:
// out of its HTTP cache, without asking, and without the pin, which lived as long as the browser. The page of v1 must go
// on as one of v1; only what is loaded anew is v2.

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { isReady, recordOf, ShopScene } from '../kit/shop-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a restored tab', () => {
  let profile: TemporaryFolder;
  let shop: ShopScene;

  beforeAll(async () => {
    profile = await temporaryFolder('profile');
    shop = await ShopScene.start({ hasClient: true });
    await shop.open();
  });
  afterAll(async () => {
    await shop?.stop();
    await profile?.remove();
  });

  const seen = (build: string): string[] => shop.site(build).requests.map(({ path }) => path);
  /** Chromium keeps what it is going to restore in files, some seconds late. */
  const isWrittenDown = (path: string): Promise<boolean> => {
    const folder = join(profile.path, 'Default', 'Sessions');
    const has = (name: string): boolean => readFileSync(join(folder, name)).includes(shop.at(path));
    return waitFor(() => readdirSync(folder).some(has), {
      what: 'the session to be saved',
      timeoutMs: 30_000,
    });
  };
  const restored = async (browser: TestBrowser): Promise<Tab> => {
    const page = await waitFor(
      () => browser.context.pages().find((one) => one.url().startsWith(shop.origin)),
      { what: 'the tab to be restored', timeoutMs: 30_000 },
    );
    const tab = await browser.tabOf(page);
    await isReady(tab);
    return tab;
  };

  it('is a page of the version that it was, until it is loaded anew', async () => {
    const before = await startChromium({ profile: profile.path });
    await isReady(await before.openTab(shop.at('/staying')));
    await isWrittenDown('/staying');
    await before.stop();
    // Browsers that restore tabs mostly keep session cookies; the page has to do without.
    for (const file of ['Cookies', 'Cookies-journal'])
      rmSync(join(profile.path, 'Default', file), { force: true });
    await shop.promote('v2');
    for (const site of shop.sites.values()) site.clear();

    const after = await startChromium({ profile: profile.path, args: ['--restore-last-session'] });
    try {
      const tab = await restored(after);
      await tab.page.evaluate("shop.call('/api/stock')");
      await tab.page.evaluate("shop.open('extras')");
      expect(await recordOf(tab)).toMatchObject({ build: 'v1', skewed: [], failed: [], dead: [] });
      // The page itself was asked of nobody.
      expect(seen('v1')).toContain('/api/stock');
      expect([...seen('v1'), ...seen('v2')]).not.toContain('/staying');
      await tab.page.reload();
      await isReady(tab);
      expect(await recordOf(tab)).toMatchObject({ build: 'v2', skewed: [], failed: [], dead: [] });
      expect([...shop.site('v1').skewed, ...shop.site('v2').skewed]).toEqual([]);
      expect(tab.consoleErrors).toEqual([]);
    } finally {
      await after.stop();
    }
  });
});
