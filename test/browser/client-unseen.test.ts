// What a page must not notice of the gateway's script: no globals, built-ins that look and inherit as before, pages that
// allow little or have frozen what the script would replace, a second copy of it, rejections that nobody handles.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { type ClientScene, startClientScene } from '../kit/client-scene.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a page with the script', () => {
  let browser: TestBrowser;
  let scene: ClientScene;

  beforeAll(async () => {
    browser = await startChromium();
    scene = await startClientScene(browser);
  });
  afterAll(async () => {
    await scene?.stop();
    await browser?.stop();
  });
  afterEach(() => {
    for (const tab of browser.tabs) tab.clear();
  });

  it('has the globals of a page without it', async () => {
    const [withIt, without] = await Promise.all(
      ['/', '/bare'].map(async (path) => {
        const { page } = await scene.openTab(path);
        return page.evaluate(() => Reflect.ownKeys(window).map(String).sort());
      }),
    );
    expect(withIt).toEqual(without);
  });

  it('has built-ins that look, inherit and can be told apart as before', async () => {
    const looks = async (path: string): Promise<unknown> => {
      const { page } = await scene.openTab(path);
      return page.evaluate(() => {
        class Line extends WebSocket {
          greeting = 'hello';
        }
        const line = new Line(`ws://${location.host}/ws`);
        const events = new EventSource('/sse');
        const seen = {
          names: [fetch.name, WebSocket.name, XMLHttpRequest.prototype.open.name, navigator.sendBeacon.name],
          lengths: [fetch.length, WebSocket.length, EventSource.length, XMLHttpRequest.prototype.open.length],
          isNative: /\[native code\]/.test(Function.prototype.toString.call(fetch)),
          constants: [WebSocket.OPEN, EventSource.CLOSED, line.CLOSING],
          isA: [line instanceof Line, line instanceof WebSocket, events instanceof EventSource],
          line: [line.greeting, line.readyState, Object.prototype.toString.call(line)],
          keys: Object.keys(window).includes('fetch'),
          refusals: [
            () => new WebSocket('nonsense:'),
            () => (WebSocket as unknown as () => void)(),
            () => new (WebSocket as unknown as new () => object)(),
            () => new (EventSource as unknown as new () => object)(),
            () => (navigator.sendBeacon as unknown as () => void)(),
          ].map((call) => {
            try {
              call();
              return 'none';
            } catch (error) {
              return (error as Error).name;
            }
          }),
        };
        line.close();
        events.close();
        return seen;
      });
    };
    expect(await looks('/')).toEqual(await looks('/bare'));
  });

  it('works where its policy allows scripts and requests of its own origin alone', async () => {
    const tab = await scene.openTab('/strict');
    expect(await tab.page.evaluate(async () => (await (await fetch('/api/x')).json()).version)).toBe('v1');
    await tab.settle();
    expect(tab.answers.find(({ url }) => url.endsWith('/api/x'))).toMatchObject({ version: 'v1' });
    expect(tab.trouble()).toEqual([]);
  });

  it('works where it has frozen what the script would replace, and marks the rest', async () => {
    const tab = await scene.openTab('/bare');
    await tab.page.addInitScript(() => {
      Object.defineProperty(window, 'fetch', { value: window.fetch, writable: false, configurable: false });
      Object.freeze(Navigator.prototype);
    });
    await tab.page.goto(scene.at('/'));
    const marks = await tab.page.evaluate(async () => {
      await fetch('/api/frozen');
      const request = new XMLHttpRequest();
      request.open('GET', '/api/marked', false);
      request.send();
      return navigator.sendBeacon('/api/frozen');
    });
    expect(marks).toBe(true);
    await tab.settle();
    expect(tab.trouble()).toEqual([]);
  });

  it('still hears of rejections that it does not handle', async () => {
    const tab = await scene.openTab('/');
    await tab.page.evaluate(() => {
      void fetch('http://127.0.0.1:9/');
    });
    await waitFor(() => tab.pageErrors.length > 0, { what: 'an unhandled rejection' });
    expect(tab.pageErrors).toEqual([expect.stringContaining('Failed to fetch')]);
  });

  it('has workers that work', async () => {
    const { page } = await scene.openTab('/');
    const version = await page.evaluate(() => {
      const source = `fetch('${location.origin}/api/worker').then((a) => a.json()).then((a) => postMessage(a.version))`;
      const worker = new Worker(URL.createObjectURL(new Blob([source])));
      return new Promise((resolve) => {
        worker.onmessage = ({ data }) => resolve(data);
      });
    });
    expect(version).toBe('v1');
  });

  it('gets it from a cache for ten minutes, and compressed', async () => {
    const tab = await scene.openTab('/');
    await tab.page.goto(scene.at('/next'));
    await tab.settle();
    const scripts = tab.answers.filter(({ url }) => url.endsWith('/.lockstep/client.js'));
    expect(scripts.map(({ fromCache }) => fromCache)).toContain(true);
    expect(scripts[0]!.headers).toMatchObject({ 'content-encoding': 'br' });
  });
});
