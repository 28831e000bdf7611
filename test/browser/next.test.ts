// A Next.js application that nobody here wrote (create-next-app's shape, `deploymentId` set), unchanged, in two builds behind
// the gateway with `markers: [next]`. What it asks with its deployment id (chunks, RSC payloads, server actions) goes to the
// build of its page, whatever the browser's pin says by then.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { builtNextShops, nextStart } from '../kit/framework-builds.ts';
import { freePorts } from '../kit/free-port.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

const VERSIONS = ['v1', 'v2'] as const;
const BUILD_MS = 300_000;

interface RunningNext {
  readonly url: string;
  readonly process: TestProcess;
}

describe.skipIf(!needsTool('chromium'))('Next.js with a deployment id', () => {
  const applications = new Map<string, RunningNext>();
  let browser: TestBrowser;

  beforeAll(async () => {
    const folders = await builtNextShops(VERSIONS);
    for (const [at, version] of VERSIONS.entries())
      applications.set(version, await startNext(folders[at]!, version));
    browser = await startChromium();
  }, BUILD_MS);

  afterAll(async () => {
    await browser?.stop();
    for (const { process } of applications.values()) await process.stop();
  });

  async function withGateway(
    more: Readonly<Record<string, unknown>>,
    scene: (gateway: TestGateway) => Promise<void>,
  ): Promise<void> {
    const pools = Object.fromEntries([...applications].map(([version, { url }]) => [version, [url]]));
    const gateway = await startGateway({
      versions: pools,
      active: 'v1',
      more: { markers: ['next'], ...more },
    });
    await browser.context.clearCookies();
    try {
      await scene(gateway);
    } finally {
      for (const tab of browser.tabs) await tab.page.close().catch(() => {});
      await gateway.stop();
    }
  }

  it('keeps an open page in its build after a promote: navigation, chunks, actions, AJAX', async () => {
    await withGateway({}, async (gateway) => {
      const tab = await browser.openTab(gateway.url);
      await expectText(tab, '#client-build', 'v1');
      await gateway.admin.promote('v2');

      await openLazyChunk(tab, 'v1');
      await ask(tab, 'v1');
      await goTo(tab, 'First item', 'v1');
      await goTo(tab, 'Second item', 'v1');
      await goTo(tab, 'Cart', 'v1');
      await order(tab, 'v1');
      await goTo(tab, 'Home', 'v1');
      expect(tab.trouble()).toEqual([]);
      expect(rscAnswers(tab)).not.toEqual([]);
    });
  });

  it('keeps two tabs in two builds with one pin: scope page', async () => {
    await withGateway({ pin: { scope: 'page' } }, async (gateway) => {
      const old = await browser.openTab(gateway.url);
      await expectText(old, '#client-build', 'v1');
      await gateway.admin.promote('v2');
      const young = await browser.openTab(gateway.url);
      await expectText(young, '#client-build', 'v2');

      // The browser has one pin by now, of v2; the old tab's requests bear their own mark.
      await old.page.bringToFront();
      await openLazyChunk(old, 'v1');
      await goTo(old, 'Second item', 'v1');
      await goTo(old, 'Cart', 'v1');
      await order(old, 'v1');
      await young.page.bringToFront();
      await openLazyChunk(young, 'v2');
      await goTo(young, 'Cart', 'v2');
      await order(young, 'v2');
      expect(old.trouble()).toEqual([]);
      expect(young.trouble()).toEqual([]);
    });
  });

  it('reloads a page into the new build by itself when its own is gone', async () => {
    await withGateway({}, async (gateway) => {
      const tab = await browser.openTab(gateway.url);
      await expectText(tab, '#client-build', 'v1');
      await gateway.admin.promote('v2');
      await gateway.admin.retire('v1', true);
      await tab.page.getByText('Cart', { exact: true }).click();
      await expectText(tab, '#page-build', 'v2');
      await expectText(tab, '#layout-build', 'v2');
      // Next.js asks for the payload first; it is told 409 and takes the whole page instead.
      expect(tab.answers.filter(({ status }) => status === 409).length).toBeGreaterThan(0);
      expect(tab.skewed()).toEqual([]);
      tab.clear();
      await order(tab, 'v2');
      expect(tab.trouble()).toEqual([]);
    });
  });

  it('never gives an order of a page that is gone to another build', async () => {
    await withGateway({}, async (gateway) => {
      const tab = await browser.openTab(`${gateway.url}/cart`);
      await expectText(tab, '#page-build', 'v1');
      await gateway.admin.promote('v2');
      await gateway.admin.retire('v1', true);
      await tab.page.click('#order');
      await waitFor(() => tab.answers.some(({ method, status }) => method === 'POST' && status === 409), {
        what: 'the order to be refused',
      });
      expect(tab.answers.filter(({ method, version }) => method === 'POST' && version === 'v2')).toEqual([]);
    });
  });
});

async function startNext(folder: string, version: string): Promise<RunningNext> {
  const [port] = (await freePorts(1)) as [number];
  const { args, env, cwd } = nextStart(folder, version);
  const process_ = startProcess(process.execPath, [...args, '-H', '127.0.0.1', '-p', String(port)], {
    cwd,
    env,
  });
  await waitFor(
    () => {
      if (!process_.isRunning())
        throw new Error(`next start ended: ${process_.stdout()}${process_.stderr()}`);
      return process_.stdout().includes('Ready');
    },
    { what: `Next.js ${version} to be ready`, timeoutMs: 60_000 },
  );
  return { url: `http://127.0.0.1:${port}`, process: process_ };
}

async function expectText({ page }: Tab, selector: string, text: string): Promise<void> {
  await page.locator(`${selector}:text-is("${text}")`).waitFor({ state: 'attached', timeout: 30_000 });
}

async function openLazyChunk(tab: Tab, build: string): Promise<void> {
  await tab.page.click('#open');
  await expectText(tab, '#lazy-build', build);
}

async function ask(tab: Tab, build: string): Promise<void> {
  await tab.page.click('#ask');
  await expectText(tab, '#api-build', build);
}

/** By the link, so that Next.js's router goes there; a page that was loaded anew would lose the mark. */
async function goTo(tab: Tab, link: string, build: string): Promise<void> {
  await tab.page.evaluate('globalThis.isSamePage = true');
  await tab.page.getByRole('link', { name: link, exact: true }).click();
  const heading =
    link === 'Home' ? 'Shop' : link === 'Cart' ? 'Cart' : `Item ${link === 'First item' ? 1 : 2}`;
  await tab.page.getByRole('heading', { name: heading, exact: true }).waitFor();
  await expectText(tab, '#page-build', build);
  expect(await tab.page.evaluate('globalThis.isSamePage')).toBe(true);
}

async function order(tab: Tab, build: string): Promise<void> {
  await tab.page.click('#order');
  await expectText(tab, '#action-build', build);
  await expectText(tab, '#action-article', 'tea');
}

function rscAnswers({ answers }: Tab): readonly unknown[] {
  return answers.filter(({ headers }) => headers['content-type']?.startsWith('text/x-component') === true);
}
