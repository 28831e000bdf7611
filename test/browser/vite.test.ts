// One static Vite build with nothing but the script tag of `/.lockstep/client.js`: its AJAX is marked by the script, its
// hashed chunks outlive their pool in asset memory.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { builtViteShops } from '../kit/framework-builds.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type StaticSite, startStaticSite } from '../kit/static-site.ts';
import type { Tab, TroubleOptions } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

const VERSIONS = ['v1', 'v2'] as const;
/** The style sheet is the same in both builds, to the letter of its name: it comes out of the browser's cache. */
const OF_BOTH: TroubleOptions = { except: ({ fromCache }) => fromCache };

describe.skipIf(!needsTool('chromium'))('a static Vite build with the script tag', () => {
  let folders: readonly string[];
  let browser: TestBrowser;
  let sites: StaticSite[] = [];
  let gateway: TestGateway;

  beforeAll(async () => {
    folders = await builtViteShops(VERSIONS);
    browser = await startChromium();
  }, 120_000);

  afterAll(() => browser?.stop());

  beforeEach(async () => {
    await browser.context.clearCookies();
    sites = await Promise.all(VERSIONS.map((version, at) => startStaticSite(folders[at]!, version)));
    return async () => {
      for (const tab of browser.tabs) await tab.page.close().catch(() => {});
      await gateway?.stop();
      for (const site of sites) await site.stop();
    };
  });

  async function start(more: Readonly<Record<string, unknown>>): Promise<void> {
    const pools = Object.fromEntries(VERSIONS.map((version, at) => [version, [sites[at]!.url]]));
    gateway = await startGateway({ versions: pools, active: 'v1', more: { assets: {}, ...more } });
  }

  it('keeps two tabs in two builds, AJAX and lazy chunks alike: scope page', async () => {
    await start({ pin: { scope: 'page' } });
    const old = await openShop('v1');
    // With something typed it is not reloaded when it is hidden.
    await old.page.fill('#note', 'tea, no sugar');
    await gateway.admin.promote('v2');
    const young = await openShop('v2');

    await old.page.bringToFront();
    await ask(old, 'v1');
    await openDetails(old, 'v1');
    expect(await old.page.inputValue('#note')).toBe('tea, no sugar');
    await young.page.bringToFront();
    await ask(young, 'v2');
    await openDetails(young, 'v2');
    expect(old.trouble()).toEqual([]);
    expect(young.trouble(OF_BOTH)).toEqual([]);
  });

  it('takes a page that nobody looks at, and nobody typed into, to the new build by itself', async () => {
    await start({ pin: { scope: 'page' } });
    const old = await openShop('v1');
    await gateway.admin.promote('v2');
    await browser.hideAll();
    await expectText(old, '#page-build', 'v2');
    expect(old.trouble(OF_BOTH)).toEqual([]);
  });

  it('still loads a chunk when its pool is gone: somebody had asked for it before', async () => {
    await start({});
    const first = await openShop('v1');
    await openDetails(first, 'v1');
    await first.page.close();
    const tab = await openShop('v1');
    await tab.page.fill('#note', 'tea, no sugar');
    const chunk = `/assets/${await chunkName(sites[0]!)}`;
    await waitFor(() => sites[0]!.asked.filter((target) => target === chunk).length > 1, {
      what: 'the gateway to fetch a copy of the chunk',
      timeoutMs: 20_000,
    });
    // Out of the gateway's memory, not of the browser's.
    await clearHttpCache(tab);
    await gateway.admin.promote('v2');
    await gateway.admin.retire('v1', true);
    await sites[0]!.stop();

    await openDetails(tab, 'v1');
    const answers = tab.answers.filter(({ url }) => url.endsWith(chunk));
    expect(answers.map(({ version, status, fromCache }) => ({ version, status, fromCache }))).toEqual([
      { version: 'v1', status: 200, fromCache: false },
    ]);
    expect(tab.skewed()).toEqual([]);
  });

  it('still loads a chunk that nobody asked for before, when its pool is gone: assets.warm', async () => {
    await start({ assets: { warm: true } });
    const chunk = `/assets/${await chunkName(sites[0]!)}`;
    await waitFor(() => sites[0]!.asked.some((target) => target === chunk), {
      what: 'the chunk to be fetched ahead',
      timeoutMs: 20_000,
    });
    const tab = await openShop('v1');
    // A page with nothing typed into it would take the next build as soon as its own is gone.
    await tab.page.fill('#note', 'tea, no sugar');
    await gateway.admin.promote('v2');
    await gateway.admin.retire('v1', true);
    await sites[0]!.stop();

    await openDetails(tab, 'v1');
    expect(tab.trouble()).toEqual([]);
    expect(tab.answers.filter(({ url }) => url.endsWith(chunk)).map(({ version }) => version)).toEqual([
      'v1',
    ]);
  });

  async function openShop(build: string): Promise<Tab> {
    const tab = await browser.openTab(gateway.url);
    await expectText(tab, '#page-build', build);
    return tab;
  }
});

/** The lazy chunk's, out of the script that the page names. */
async function chunkName({ url }: StaticSite): Promise<string> {
  const page = await (await fetch(url)).text();
  const script = /src="(\/assets\/index-[^"]+\.js)"/.exec(page)![1]!;
  return /lazy-[\w-]+\.js/.exec(await (await fetch(`${url}${script}`)).text())![0];
}

async function clearHttpCache({ page }: Tab): Promise<void> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.clearBrowserCache');
  await session.detach();
}

async function ask(tab: Tab, build: string): Promise<void> {
  await tab.page.click('#ask');
  await expectText(tab, '#api-build', build);
}

async function openDetails(tab: Tab, build: string): Promise<void> {
  await tab.page.click('#open');
  await expectText(tab, '#lazy-build', build);
}

async function expectText({ page }: Tab, selector: string, text: string): Promise<void> {
  await page.locator(`${selector}:text-is("${text}")`).waitFor({ state: 'attached', timeout: 30_000 });
}
