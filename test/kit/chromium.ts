// Debian's Chromium, driven by playwright-core as a person uses it: an own process with a fresh profile, several tabs in
// one window, of which all but the front one are really hidden (playwright's own launch pretends that every page has the
// focus, and switches the back/forward cache off). Each tab records what it loaded (test/kit/tab.ts).
//
// Hosts: every name under .localhost and .test is loopback here. Sec-Fetch fields and Secure cookies exist only for
// trustworthy origins: http://127.0.0.1, http://localhost, http://NAME.localhost, and anything by TLS, never http://NAME.test.
// Different hosts are different sites: shop.localhost to pay.localhost is `cross-site` (localhost counts as a public
// suffix), so is localhost to 127.0.0.1; shop.test to pay.test is, too, and www.shop.test to api.shop.test is `same-site`.
// For TLS give the certificate in `trusts`: answers of a merely ignored bad certificate would never be cached.

import { createHash, X509Certificate } from 'node:crypto';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { temporaryFolder } from './gateway-config.ts';
import { startProcess } from './processes.ts';
import { recordTab, type Tab, type TroubleOptions } from './tab.ts';
import { findTool } from './tools.ts';
import { waitFor } from './wait-for.ts';

export interface ChromiumOptions {
  /** PEM of certificates that are taken as good, whoever signed them and whatever name they bear. */
  readonly trusts?: readonly string[];
  /** A folder that is kept, and with it what the browser knows; default: a new one, removed at the end. */
  readonly profile?: string;
  /** Further switches. */
  readonly args?: readonly string[];
}

export interface TestBrowser {
  readonly browser: Browser;
  /** The profile that all its tabs share. */
  readonly context: BrowserContext;
  /** Every tab so far, in their order, also those that pages opened and those that were closed. */
  readonly tabs: readonly Tab[];
  /** Opens in front: the others are hidden from then on. */
  openTab(url?: string): Promise<Tab>;
  /** As openTab, in a window of its own: such pages are all shown, as on the screens of several people. */
  openWindow(url: string): Promise<Tab>;
  /** Another person: a context without the cookies of the first. Its windows are recorded, too. */
  openStranger(url: string): Promise<Tab>;
  /** The record of a page, for those that pages opened. */
  tabOf(page: Page): Promise<Tab>;
  /** Hides every tab, by bringing an empty one to the front. */
  hideAll(): Promise<void>;
  /** Of all tabs: what tests expect to be empty. */
  trouble(options?: TroubleOptions): string[];
  /** Ends the process and removes the profile. Done at once the second time. */
  stop(): Promise<void>;
}

const SWITCHES = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--no-default-browser-check',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-extensions',
  '--disable-dev-shm-usage',
  '--disable-popup-blocking',
  '--password-store=basic',
  '--remote-debugging-port=0',
  '--host-resolver-rules=MAP *.test 127.0.0.1, MAP *.localhost 127.0.0.1',
];

/** For `describe.skipIf(!needsTool('chromium'))`. Takes about 2 s on two cores: start one for a file, not for a test. */
export async function startChromium(options: ChromiumOptions = {}): Promise<TestBrowser> {
  const program = findTool('chromium');
  if (program === null) throw new Error('chromium is not installed');
  const { trusts = [], args = [] } = options;
  const temporary = options.profile === undefined ? await temporaryFolder('chromium') : null;
  const trusted = trusts.length === 0 ? [] : [`--ignore-certificate-errors-spki-list=${trusts.map(keyHash)}`];
  const process_ = startProcess(program, [
    ...SWITCHES,
    ...trusted,
    ...args,
    `--user-data-dir=${options.profile ?? temporary!.path}`,
    'about:blank',
  ]);
  const killIfLeft = (): void => process_.signal('SIGKILL');
  process.once('exit', killIfLeft);
  const end = async (): Promise<void> => {
    await process_.stop('SIGTERM', 5_000).catch(() => {});
    process.off('exit', killIfLeft);
    await temporary?.remove();
  };
  try {
    const endpoint = await waitFor(
      () => {
        if (!process_.isRunning()) throw new Error(`Chromium ended: ${process_.stderr()}`);
        return /DevTools listening on (ws:\S+)/.exec(process_.stderr())?.[1];
      },
      { what: 'Chromium to listen', timeoutMs: 30_000 },
    );
    const browser = await chromium.connectOverCDP(endpoint, { noDefaults: true, isLocal: true });
    return await drive(browser, end);
  } catch (error) {
    await end();
    throw error;
  }
}

/** Without a debugger, since Chromium prerenders no pages while one looks on: it shows a page, and servers see the rest. */
export async function showUnobserved(url: string): Promise<{ stop(): Promise<void> }> {
  const program = findTool('chromium');
  if (program === null) throw new Error('chromium is not installed');
  const profile = await temporaryFolder('chromium');
  const switches = SWITCHES.filter((name) => !name.startsWith('--remote-debugging'));
  const process_ = startProcess(program, [...switches, `--user-data-dir=${profile.path}`, url]);
  const killIfLeft = (): void => process_.signal('SIGKILL');
  process.once('exit', killIfLeft);
  return {
    stop: async () => {
      await process_.stop('SIGTERM', 5_000).catch(() => {});
      process.off('exit', killIfLeft);
      await profile.remove();
    },
  };
}

async function drive(browser: Browser, end: () => Promise<void>): Promise<TestBrowser> {
  const context = browser.contexts()[0]!;
  const cover = context.pages()[0] ?? (await context.newPage());
  const tabs: Tab[] = [];
  const records = new Map<Page, Promise<Tab>>();
  const tabOf = (page: Page): Promise<Tab> => {
    let record = records.get(page);
    if (record === undefined) {
      record = recordTab(page, context).then((tab) => {
        tabs.push(tab);
        return tab;
      });
      record.catch(() => {});
      records.set(page, record);
    }
    return record;
  };
  context.on('page', (page) => void tabOf(page));
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    const session = await browser.newBrowserCDPSession().catch(() => null);
    await session?.send('Browser.close').catch(() => {});
    await browser.close().catch(() => {});
    await end();
  };
  return {
    browser,
    context,
    tabs,
    openTab: async (url) => {
      const tab = await tabOf(await context.newPage());
      if (url !== undefined) await tab.page.goto(url);
      return tab;
    },
    openWindow: async (url) => {
      const session = await browser.newBrowserCDPSession();
      const opened = context.waitForEvent('page');
      await session.send('Target.createTarget', { url: 'about:blank', newWindow: true });
      const tab = await tabOf(await opened);
      await tab.page.goto(url);
      return tab;
    },
    openStranger: async (url) => {
      const stranger = await browser.newContext();
      const tab = await recordTab(await stranger.newPage(), stranger);
      tabs.push(tab);
      await tab.page.goto(url);
      return tab;
    },
    tabOf,
    hideAll: () => cover.bringToFront(),
    trouble: (options) => tabs.flatMap((tab) => tab.trouble(options)),
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** What the switch takes: SHA-256 of the public key, in Base64. */
function keyHash(pem: string): string {
  const key = new X509Certificate(pem).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('base64');
}
