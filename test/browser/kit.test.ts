// The kit's browser against servers whose faults are known: one that saw no failed load, no mixture of versions, or no
// hidden tab where there is one would let every scenario pass. Two hosts, two versions that mix, and pages that err.

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

describe.skipIf(!needsTool('chromium'))('a browser of the kit', () => {
  let browser: TestBrowser;
  let server: Server;
  let port: number;
  const sites: { url: string; site: string | undefined }[] = [];

  const at = (path: string, host = 'shop.localhost'): string => `http://${host}:${port}${path}`;

  beforeAll(async () => {
    server = createServer((request, response) => {
      const url = request.url ?? '';
      sites.push({ url, site: request.headers['sec-fetch-site'] as string | undefined });
      // Paths say which version they are of, and how they fare.
      response.setHeader('x-lockstep-version', /v\d/.exec(url)?.[0] ?? 'v1');
      response.setHeader('cache-control', 'no-cache');
      if (url.includes('missing')) response.statusCode = 404;
      if (url.includes('reset')) return void request.socket.destroy();
      if (url.includes('redirect')) return void response.writeHead(303, { location: '/page-v1' }).end();
      response.setHeader('content-type', url.includes('page') ? 'text/html' : 'text/plain');
      response.end('<!doctype html><link rel=icon href=data:,><title>page</title>');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser?.stop();
    server?.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('has nothing to tell of a page that got its own version', async () => {
    const tab = await browser.openTab(at('/page-v1'));
    await tab.page.evaluate(() => fetch('/api-v1').then((answer) => answer.text()));
    await tab.settle();
    expect(tab.version()).toBe('v1');
    expect(tab.answers.map(({ type, version, page }) => [type, version, page])).toEqual([
      ['Document', 'v1', 'v1'],
      ['Fetch', 'v1', 'v1'],
    ]);
    expect(tab.trouble()).toEqual([]);
  });

  it('tells of an answer of another version, of failed loads, console errors and exceptions', async () => {
    const tab = await browser.openTab(at('/page-v1'));
    await tab.page.evaluate(async () => {
      await fetch('/api-v2');
      await fetch('/missing');
      await fetch('/reset').catch(() => {});
      console.error('said aloud');
      setTimeout(() => {
        throw new Error('not caught');
      });
    });
    await waitFor(() => tab.pageErrors.length === 1, { what: 'the exception' });
    await tab.settle();
    expect(tab.trouble()).toEqual([
      expect.stringMatching(/^GET .*\/reset: net::ERR_EMPTY_RESPONSE$/),
      expect.stringMatching(/^GET .*\/missing \(Fetch\): 404$/),
      expect.stringMatching(/^console: .*404/),
      expect.stringMatching(/^console: .*ERR_EMPTY_RESPONSE/),
      expect.stringMatching(/^console: said aloud/),
      expect.stringMatching(/^exception: Error: not caught/),
      expect.stringMatching(/\/api-v2 \(Fetch\): a page of v1 got v2$/),
    ]);
    expect(tab.trouble({ except: ({ url }) => url.endsWith('/api-v2') })).toHaveLength(6);
    tab.clear();
    expect(tab.trouble()).toEqual([]);
  });

  it('holds what a restored page asks for against the page that it is, not the one in between', async () => {
    const tab = await browser.openTab(at('/page-v1'));
    await tab.page.evaluate(() => {
      addEventListener('pageshow', ({ persisted }) => {
        document.title = persisted ? 'restored' : 'loaded';
      });
    });
    await tab.page.goto(at('/page-v2'));
    expect(tab.version()).toBe('v2');
    await tab.page.goBack({ waitUntil: 'commit' });
    await waitFor(async () => (await tab.page.title()) === 'restored', { what: 'the page to be restored' });
    expect(tab.version()).toBe('v1');
    await tab.page.evaluate(() => fetch('/api-v1'));
    await tab.settle();
    expect(tab.trouble()).toEqual([]);
  });

  it('tells of a redirect of another version than the page that it led to', async () => {
    const tab = await browser.openTab(at('/redirect-v2'));
    expect(tab.page.url()).toBe(at('/page-v1'));
    expect(tab.skewed()).toHaveLength(1);
  });

  it('really hides all tabs but the one in front', async () => {
    const states = () =>
      Promise.all([first, second].map(({ page }) => page.evaluate(() => document.visibilityState)));
    const first = await browser.openTab(at('/page-v1'));
    const second = await browser.openTab(at('/page-v1'));
    expect(await states()).toEqual(['hidden', 'visible']);
    await first.page.bringToFront();
    expect(await states()).toEqual(['visible', 'hidden']);
    await browser.hideAll();
    expect(await states()).toEqual(['hidden', 'hidden']);
  });

  it('sends Sec-Fetch fields, and takes two names under localhost for two sites', async () => {
    const tab = await browser.openTab(at('/page-v1?from'));
    await tab.page.evaluate((url) => location.assign(url), at('/page-v1?other', 'pay.localhost'));
    await tab.page.waitForURL('**/page-v1?other');
    await tab.page.evaluate((url) => location.assign(url), at('/page-v1?plain', 'shop.test'));
    await tab.page.waitForURL('**/page-v1?plain');
    const siteOf = (query: string) => sites.find(({ url }) => url === `/page-v1?${query}`)?.site;
    expect([siteOf('from'), siteOf('other'), siteOf('plain')]).toEqual(['none', 'cross-site', undefined]);
  });

  it('records tabs that pages open', async () => {
    const tab = await browser.openTab(at('/page-v1'));
    const [page] = await Promise.all([
      browser.context.waitForEvent('page'),
      tab.page.evaluate(() => void window.open('/page-v2')),
    ]);
    const opened = await browser.tabOf(page);
    await page.evaluate(() => fetch('/missing'));
    await opened.settle();
    expect(opened.trouble()).toContainEqual(expect.stringContaining('/missing (Fetch): 404'));
    expect(browser.tabs).toContain(opened);
  });
});
