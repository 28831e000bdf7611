// Pages that come back: out of the back/forward cache, out of the HTTP cache, by a reload. By then the browser's pin is of
// another version. What such a page asks for must be of the version that it is, and it must hear of what it has missed.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { type ClientScene, startClientScene } from '../kit/client-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a page that comes back', () => {
  let browser: TestBrowser;
  let scene: ClientScene;

  beforeAll(async () => {
    browser = await startChromium();
  });
  afterAll(() => browser?.stop());
  beforeEach(async () => {
    scene = await startClientScene(browser);
    return () => scene.stop();
  });
  const answeredBy = (tab: Tab): Promise<string> =>
    tab.page.evaluate(async () => (await (await fetch('/api/x')).json()).version);
  /** A new session, which is one of v2. */
  const goOnInV2 = async (tab: Tab, path: string): Promise<void> => {
    await scene.promote();
    await browser.context.clearCookies();
    await tab.page.goto(scene.at(path));
    expect(tab.version()).toBe('v2');
  };
  /** Events of the page, and whether it came out of the back/forward cache. */
  const note = (tab: Tab): Promise<void> =>
    tab.page.evaluate(() => {
      const noted: unknown[] = [];
      Object.assign(window, { noted });
      addEventListener('lockstep:update', (event) => noted.push((event as CustomEvent).detail));
      addEventListener('pageshow', ({ persisted }) => {
        if (persisted) document.title = 'restored';
      });
    });

  it('out of the back/forward cache is of its version, and hears of the newer one', async () => {
    const tab = await scene.openTab('/');
    await note(tab);
    await goOnInV2(tab, '/next');
    await tab.page.goBack({ waitUntil: 'commit' });
    await waitFor(async () => (await tab.page.title()) === 'restored', { what: 'the page to be restored' });
    expect(await answeredBy(tab)).toBe('v1');
    await waitFor(
      () => tab.page.evaluate(() => (window as unknown as { noted: object[] }).noted.length > 0),
      {
        what: 'the page to hear of v2',
      },
    );
    await tab.settle();
    expect(tab.trouble()).toEqual([]);
  });

  it('out of the HTTP cache is of the version that it was when it was stored', async () => {
    const tab = await scene.openTab('/cached');
    await goOnInV2(tab, '/next');
    await tab.page.evaluate((url) => location.assign(url), scene.at('/cached'));
    await tab.page.waitForURL('**/cached');
    expect(await tab.page.title()).toBe('v1');
    expect(tab.answers.findLast(({ type }) => type === 'Document')).toMatchObject({ fromCache: true });
    expect(await answeredBy(tab)).toBe('v1');
    await tab.settle();
    expect(tab.trouble()).toEqual([]);
  });

  it('by a reload is of whatever version it got', async () => {
    const tab = await scene.openTab('/');
    await goOnInV2(tab, '/');
    await tab.page.reload();
    expect(await answeredBy(tab)).toBe('v2');
  });

  it('is of the version that its tag says, where it says one', async () => {
    const tab = await scene.openTab('/saying-v1');
    await goOnInV2(tab, '/saying-v1');
    expect(await answeredBy(tab)).toBe('v1');
  });

  it('marks nothing of what its tag leaves out', async () => {
    const tab = await scene.openOldTab('/excepting');
    const answers = await tab.page.evaluate(() =>
      Promise.all(
        ['/api/left', '/api/alone/too', '/api/x/api/left'].map(
          async (url) => (await (await fetch(url)).json()).version,
        ),
      ),
    );
    expect(answers).toEqual(['v2', 'v2', 'v1']);
  });
});
