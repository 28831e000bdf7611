// A version ends, or a newer one is there: what the page is told, and what is done when it says nothing to that. Tabs that
// nobody looks at are reloaded, and so are pages whose version is gone; nobody's input is lost, nothing is sent twice, and
// nothing that is on its way is cut off.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { type ClientScene, startClientScene } from '../kit/client-scene.ts';
import type { GatewaySettings } from '../kit/gateway-config.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

interface Noted {
  readonly type: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** From the drain's start on a page load gets the newest version. */
const MOVING: GatewaySettings = { drain: { navigation: '0s' } };

describe.skipIf(!needsTool('chromium'))('the script of a page', () => {
  let browser: TestBrowser;
  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser?.stop());

  const within = async (settings: GatewaySettings, test: (scene: ClientScene) => Promise<void>) => {
    const scene = await startClientScene(browser, settings);
    try {
      await test(scene);
    } finally {
      await scene.stop();
    }
  };
  /** A tab that keeps the script's events, and cancels them where it is told to. */
  const openNoting = async (scene: ClientScene, path: string, cancels = false): Promise<Tab> => {
    const tab = await scene.openTab(path);
    await tab.page.evaluate((isCancelled) => {
      const noted: Noted[] = [];
      Object.assign(window, { noted });
      for (const type of ['lockstep:update', 'lockstep:reload']) {
        addEventListener(type, (event) => {
          noted.push({ type, detail: (event as CustomEvent).detail });
          if (isCancelled) event.preventDefault();
        });
      }
    }, cancels);
    return tab;
  };
  const notedBy = (tab: Tab): Promise<readonly Noted[]> =>
    tab.page.evaluate(() => (window as unknown as { noted?: Noted[] }).noted ?? []);
  const noting = (tab: Tab, type: string): Promise<Noted> =>
    waitFor(async () => (await notedBy(tab)).find((one) => one.type === type), {
      what: `the page to hear ${type}`,
      timeoutMs: 20_000,
    });
  const titleOf = (tab: Tab): Promise<string> => tab.page.title();
  const isReloaded = (tab: Tab) =>
    waitFor(async () => (await titleOf(tab)) === 'v2', {
      what: `${tab.page.url()} to be one of v2`,
      timeoutMs: 20_000,
    });
  const ask = (tab: Tab, how: { method?: string; body?: string } = {}, path = '/api/x'): Promise<number> =>
    tab.page.evaluate(async ([url, init]) => (await fetch(url, init)).status, [path, how] as const);
  /**
   * v2 is there; every tab hears of it, and then nobody looks any more. The last of them is a page without anything that could
   * hold it back: when that one has been reloaded, the others would have been, too.
   */
  const promoteUnder = async (scene: ClientScene, ...tabs: readonly Tab[]): Promise<void> => {
    const beside = await openNoting(scene, '/beside');
    await browser.hideAll();
    await scene.promote();
    for (const tab of [...tabs, beside]) {
      await tab.page.bringToFront();
      await noting(tab, 'lockstep:update');
    }
    await browser.hideAll();
    await isReloaded(beside);
    await Promise.all(tabs.map((tab) => tab.settle()));
  };

  it('tells of a newer version and of the end of its own', () =>
    within({ drain: { deadline: '1h' } }, async (scene) => {
      const tab = await openNoting(scene, '/');
      await scene.promote();
      const { detail } = await noting(tab, 'lockstep:update');
      expect(detail).toEqual({ kind: 'hard', version: 'v1', newest: 'v2', endsAt: expect.any(String) });
      const inMs = Date.parse(String(detail['endsAt'])) - Date.now();
      expect(inMs).toBeGreaterThan(3_000_000);
      expect(inMs).toBeLessThanOrEqual(3_600_000);
      expect(await notedBy(tab)).toHaveLength(1);
    }));

  it('tells of a newer version alone where its own may stay for ever', () =>
    within({ drain: { deadline: null } }, async (scene) => {
      const tab = await openNoting(scene, '/twice');
      await scene.promote();
      const { detail } = await noting(tab, 'lockstep:update');
      expect(detail).toEqual({ kind: 'soft', version: 'v1', newest: 'v2', endsAt: null });
      await ask(tab);
      expect(await notedBy(tab), 'although the script is there twice').toHaveLength(1);
    }));

  it('hears of it by an answer where no stream tells it', () =>
    within({}, async (scene) => {
      const tab = await openNoting(scene, '/');
      await browser.hideAll();
      await scene.promote();
      expect(await ask(tab)).toBe(200);
      await noting(tab, 'lockstep:update');
    }));

  it('lets a tab be whose session stays with its version', () =>
    within({}, async (scene) => {
      const tab = await openNoting(scene, '/');
      await scene.promote();
      await noting(tab, 'lockstep:update');
      await browser.hideAll();
      expect(await ask(tab)).toBe(200);
      await tab.settle();
      expect(await titleOf(tab)).toBe('v1');
      expect(scene.v1.requests.filter(({ url }) => url === '/')).toHaveLength(1);
    }));

  for (const settings of [MOVING, { more: { pin: { scope: 'page' } } }]) {
    it(`reloads a clean tab when nobody looks, where that brings the newer version: ${JSON.stringify(settings)}`, () =>
      within(settings, async (scene) => {
        const tab = await openNoting(scene, '/');
        await scene.promote();
        await noting(tab, 'lockstep:update');
        expect(await titleOf(tab), 'while somebody looks').toBe('v1');
        await browser.hideAll();
        await isReloaded(tab);
        expect(await ask(tab)).toBe(200);
        await tab.settle();
        expect(tab.trouble()).toEqual([]);
      }));
  }

  it('leaves it to a page that wants to see to it itself', () =>
    within(MOVING, async (scene) => {
      const tab = await openNoting(scene, '/', true);
      await promoteUnder(scene, tab);
      expect(await titleOf(tab)).toBe('v1');
    }));

  it('loses no form that holds input, even when its version is gone', () =>
    within(MOVING, async (scene) => {
      const fill: Readonly<Record<string, (tab: Tab) => Promise<unknown>>> = {
        text: ({ page }) => page.fill('#text', 'hello'),
        area: ({ page }) => page.fill('#area', 'hello'),
        tick: ({ page }) => page.check('#tick'),
        choice: ({ page }) => page.selectOption('#choice', 'two'),
        rich: ({ page }) => page.fill('#rich', 'hello'),
        file: ({ page }) =>
          page.setInputFiles('#file', { name: 'a.txt', mimeType: 'text/plain', buffer: Buffer.from('a') }),
        'a step before': async ({ page }) => {
          await page.fill('#text', 'hello');
          await page.evaluate(() => document.querySelector('#text')!.remove());
        },
      };
      const tabs = new Map<string, Tab>();
      for (const [name, act] of Object.entries(fill)) {
        const tab = await openNoting(scene, '/form');
        await act(tab);
        tabs.set(name, tab);
      }
      const titles = async () =>
        Object.fromEntries(
          await Promise.all([...tabs].map(async ([name, tab]) => [name, await titleOf(tab)] as const)),
        );
      const all = Object.fromEntries(Object.keys(fill).map((name) => [name, 'v1']));
      await promoteUnder(scene, ...tabs.values());
      expect(await titles()).toEqual(all);
      await scene.end();
      for (const tab of tabs.values()) {
        await tab.page.bringToFront();
        expect(await ask(tab, { method: 'POST', body: 'x' })).toBe(409);
        await noting(tab, 'lockstep:reload');
        await tab.settle();
      }
      await browser.hideAll();
      expect(await titles()).toEqual(all);
      const kept = await tabs.get('text')!.page.inputValue('#text');
      expect(kept).toBe('hello');
    }));

  it('reloads a form that was emptied, or whose fields were sent before they went', () =>
    within({}, async (scene) => {
      const emptied = await openNoting(scene, '/form');
      await emptied.page.fill('#text', 'hello');
      await emptied.page.fill('#text', '');
      const sent = await openNoting(scene, '/form');
      await sent.page.fill('#text', 'hello');
      await sent.page.evaluate(async () => {
        await fetch('/api/save', { method: 'POST', body: 'hello' });
        document.querySelector('form')!.remove();
        await fetch('/api/save', { method: 'POST', body: 'hello' });
      });
      await scene.promote();
      await scene.end();
      for (const tab of [emptied, sent]) {
        await tab.page.bringToFront();
        await isReloaded(tab);
      }
    }));

  it('loses nothing that a browser puts back into a page that was gone back to', async () => {
    // Without the back/forward cache such a page is loaded anew, and its fields are filled again.
    const other = await startChromium({ args: ['--disable-features=BackForwardCache'] });
    try {
      const scene = await startClientScene(other);
      const tab = await other.openTab(scene.at('/form'));
      await tab.page.fill('#area', 'hello');
      await tab.page.goto(scene.at('/next'));
      await tab.page.goBack();
      expect(await tab.page.inputValue('#area')).toBe('hello');
      await scene.promote();
      await scene.end();
      expect(await ask(tab)).toBe(409);
      await other.hideAll();
      await tab.settle();
      expect(await titleOf(tab)).toBe('v1');
      await scene.stop();
    } finally {
      await other.stop();
    }
  });

  it('asks the page whether it objects to being left', () =>
    within(MOVING, async (scene) => {
      const tabs = await Promise.all(['/a', '/b'].map((path) => openNoting(scene, path)));
      await tabs[0]!.page.evaluate(() => {
        addEventListener('beforeunload', (event) => event.preventDefault());
      });
      await tabs[1]!.page.evaluate(() => {
        window.onbeforeunload = () => 'There are unsaved changes.';
      });
      await promoteUnder(scene, ...tabs);
      expect(await Promise.all(tabs.map(titleOf))).toEqual(['v1', 'v1']);
    }));

  it('does not send a form again', () =>
    within({}, async (scene) => {
      const tab = await openNoting(scene, '/form');
      await Promise.all([tab.page.waitForURL('**/posted'), tab.page.click('#send')]);
      const beside = await openNoting(scene, '/beside');
      await scene.promote();
      await scene.end();
      await isReloaded(beside);
      expect(await ask(tab)).toBe(409);
      await tab.settle();
      await browser.hideAll();
      expect(await titleOf(tab)).toBe('v1');
      const posts = [...scene.v1.requests, ...scene.v2.requests].filter(({ url }) => url === '/posted');
      expect(posts.map(({ method }) => method)).toEqual(['POST']);
    }));

  it('waits until what is being sent has been sent', () =>
    within(MOVING, async (scene) => {
      const tab = await openNoting(scene, '/');
      await tab.page.evaluate(() => {
        fetch('/hang', { method: 'PUT', body: 'a long upload' }).catch(() => {});
        const request = new XMLHttpRequest();
        request.open('PUT', '/hang');
        request.send('another');
      });
      await scene.promote();
      await noting(tab, 'lockstep:update');
      await browser.hideAll();
      await ask(tab);
      await waitFor(() => scene.v1.requests.filter(({ url }) => url === '/hang').length === 2, {
        what: 'both to be on their way',
      });
      expect(await titleOf(tab)).toBe('v1');
      await scene.v1.kill();
      await isReloaded(tab);
    }));

  it('reloads a page at once whose version is gone', () =>
    within({}, async (scene) => {
      const hidden = await openNoting(scene, '/hidden');
      const told = await openNoting(scene, '/told');
      await scene.promote();
      await noting(told, 'lockstep:update');
      await scene.end();
      await isReloaded(told);
      // Nothing tells this one but what it is answered.
      expect(await titleOf(hidden)).toBe('v1');
      await hidden.page.evaluate(() => void fetch('/api/x'));
      await isReloaded(hidden);
    }));

  it('hears of the end by the answers that no script sees', () =>
    within({}, async (scene) => {
      const tab = await openNoting(scene, '/');
      await browser.hideAll();
      await scene.promote();
      await scene.end();
      await tab.page.evaluate("void import('/api/module').catch(() => {})");
      await isReloaded(tab);
      expect(tab.answers.find(({ url }) => url.endsWith('/api/module'))).toMatchObject({ status: 409 });
    }));

  it('tells which answer it was that came too late, and leaves the rest to a page that cancels', () =>
    within({}, async (scene) => {
      const tab = await openNoting(scene, '/', true);
      await scene.promote();
      await noting(tab, 'lockstep:update');
      await browser.hideAll();
      await scene.end();
      expect(await ask(tab, { method: 'POST', body: 'x' }, '/api/order')).toBe(409);
      const { detail } = await noting(tab, 'lockstep:reload');
      expect(detail).toEqual({ version: 'v1', url: scene.at('/api/order') });
      expect(await titleOf(tab)).toBe('v1');
      expect(scene.v2.requests.filter(({ url }) => url === '/api/order')).toEqual([]);
    }));

  it('does not reload a page for ever that comes back as it was', () =>
    within(MOVING, async (scene) => {
      const tab = await openNoting(scene, '/always-v1');
      await scene.promote();
      await noting(tab, 'lockstep:update');
      await browser.hideAll();
      await isReloaded(tab);
      const loads = () => scene.v2.requests.filter(({ url }) => url === '/always-v1').length;
      expect(loads()).toBe(1);
      for (let times = 0; times < 3; times++) await ask(tab);
      await tab.page.bringToFront();
      await browser.hideAll();
      await ask(tab);
      await tab.settle();
      expect(loads()).toBe(1);
    }));

  it('takes no tab to an error page when the network is away', () =>
    within(MOVING, async (scene) => {
      const tab = await openNoting(scene, '/');
      await scene.promote();
      await noting(tab, 'lockstep:update');
      const session = await browser.context.newCDPSession(tab.page);
      const offline = { offline: true, latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
      await session.send('Network.enable');
      await session.send('Network.emulateNetworkConditions', offline);
      await browser.hideAll();
      await waitFor(() => tab.failed.some((text) => text.includes('/.lockstep/version')), {
        what: 'the gateway to be asked in vain',
      });
      expect(await titleOf(tab)).toBe('v1');
      await session.send('Network.emulateNetworkConditions', { ...offline, offline: false });
      await tab.page.bringToFront();
      await browser.hideAll();
      await isReloaded(tab);
    }));
});
