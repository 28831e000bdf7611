// The shop of shop-site/ as browsers meet it: servers of each build, the provider on another site, and a gateway in front
// of the shop, new for each test. Names are what browsers go by: `shop.localhost` and `pay.localhost` are two sites, and
// trustworthy ones, so that Sec-Fetch fields are sent, service workers run and Secure cookies are kept.

import { Warehouse } from '../../src/demo/warehouse.ts';
import type { Certificate } from './certificate.ts';
import type { TestBrowser } from './chromium.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import type { GatewaySettings } from './gateway-config.ts';
import { type Provider, startProvider } from './shop-site/provider.ts';
import { type Site, type SiteOptions, startSite } from './shop-site/site.ts';
import type { Tab, TabAnswer, TroubleOptions } from './tab.ts';
import { waitFor } from './wait-for.ts';

export interface ShopSceneOptions {
  /** None where nobody looks on. */
  readonly browser?: TestBrowser;
  /** Pages have the gateway's script. Default: no. */
  readonly hasClient?: boolean;
  /** Default: v1, v2, v3. */
  readonly builds?: readonly string[];
}

/** What a page of the shop keeps of its own: see shop-site/browser/app.js. */
export interface PageRecord {
  readonly build: string;
  readonly answers: readonly string[];
  readonly skewed: readonly string[];
  readonly failed: readonly string[];
  readonly dead: readonly string[];
  readonly closed: readonly (number | string)[];
  readonly updates: readonly string[];
  readonly ticks: number;
  readonly restored: number;
}

export class ShopScene {
  readonly #browser: TestBrowser | null;
  readonly sites: Map<string, Site>;
  readonly #options: Omit<SiteOptions, 'build'>;
  readonly #provider: Provider;
  #gateway: TestGateway | null = null;
  readonly #off = new Set<string>();
  #scheme = 'http';
  /** Promoted last. */
  newest = '';

  private constructor(browser: TestBrowser | null, hasClient: boolean, provider: Provider) {
    this.#browser = browser;
    this.sites = new Map();
    this.#provider = provider;
    const elsewhere = (): string => this.elsewhere('');
    this.#options = { warehouse: new Warehouse(), hasClient, provider: elsewhere };
  }

  static async start({ browser, hasClient = false, builds }: ShopSceneOptions): Promise<ShopScene> {
    let scene: ShopScene | null = null;
    const provider = await startProvider(() => scene!.origin);
    scene = new ShopScene(browser ?? null, hasClient, provider);
    for (const build of builds ?? ['v1', 'v2', 'v3']) await scene.#startSite(build);
    return scene;
  }

  get browser(): TestBrowser {
    if (this.#browser === null) throw new Error('nobody looks on');
    return this.#browser;
  }

  get gateway(): TestGateway {
    if (this.#gateway === null) throw new Error('no gateway was opened');
    return this.#gateway;
  }

  get origin(): string {
    return `${this.#scheme}://shop.localhost:${this.gateway.port}`;
  }

  site(build: string): Site {
    return this.sites.get(build)!;
  }

  /** A new gateway and a browser that knows nothing of the one before: v1 is active, the other builds are staged. */
  async open(settings: GatewaySettings = {}, tls: Certificate | null = null): Promise<void> {
    await this.close();
    const files = tls === null ? null : { cert: tls.certFile, key: tls.keyFile };
    const listen = files === null ? {} : { listen: [{ address: '127.0.0.1:0', tls: files }] };
    this.newest = [...this.sites.keys()][0]!;
    this.#scheme = tls === null ? 'http' : 'https';
    this.#gateway = await startGateway({
      versions: Object.fromEntries([...this.sites].map(([build, { url }]) => [build, [url]])),
      active: this.newest,
      health: { path: '/healthz', timeout: '5s' },
      ...listen,
      ...settings,
      more: { assets: {}, ...settings.more },
    });
  }

  /** Closes tabs and gateway, and forgets cookies and what was recorded. */
  async close(): Promise<void> {
    const tabs = this.#browser?.tabs ?? [];
    await Promise.all(tabs.map(({ page }) => page.close()));
    for (const tab of tabs) tab.clear();
    await this.#browser?.context.clearCookies();
    await this.#gateway?.stop();
    this.#gateway = null;
    for (const site of this.sites.values()) site.clear();
  }

  async stop(): Promise<void> {
    await this.close();
    await Promise.all([...this.sites.values(), this.#provider].map((server) => server.stop()));
  }

  at(path: string): string {
    return `${this.origin}${path}`;
  }

  /** At the provider. */
  elsewhere(path: string): string {
    return `http://pay.localhost:${this.#provider.port}${path}`;
  }

  /** A tab on a page of the shop whose script has done its first calls. */
  async openTab(path: string): Promise<Tab> {
    const tab = await this.browser.openTab(this.at(path));
    await isReady(tab);
    return tab;
  }

  /** Its servers are stopped. */
  isOff(build: string): boolean {
    return this.#off.has(build);
  }

  /** In a window of its own: the gateway's script reloads no page that somebody looks at. */
  async openWindow(path: string): Promise<Tab> {
    const tab = await this.browser.openWindow(this.at(path));
    await isReady(tab);
    return tab;
  }

  /** A new build on a server of its own is put and gets the new sessions. */
  async deploy(build: string): Promise<void> {
    const site = await this.#startSite(build);
    await this.gateway.admin.put(build, [site.url]);
    await this.gateway.admin.wait(build, 'healthy');
    await this.promote(build);
  }

  /** The version is retired, which it must be ready for, and its server is stopped. */
  async takeAway(build: string): Promise<void> {
    await this.gateway.admin.retire(build);
    await this.site(build).stop();
    this.#off.add(build);
  }

  /** The version becomes the one that new sessions get. */
  async promote(build: string): Promise<void> {
    await waitFor(() => this.gateway.admin.promote(build), { what: `${build} to be promoted` });
    const { active } = await this.gateway.admin.status();
    if (active !== build) throw new Error(`${active} is active, not ${build}`);
    this.newest = build;
  }

  /**
   * What tabs and servers saw of failed loads, errors and skew. Expect []. Hashed assets out of the browser's cache are of
   * whatever version brought them: builds share some, and their pages check the build of the others.
   */
  trouble({ except = () => false }: TroubleOptions = {}): string[] {
    const seen = [...this.sites.values()].flatMap(({ skewed, missing, build }) => [
      ...skewed.map((text) => `server: ${text}`),
      // Assets that one version does not have are looked for at others: the browser's record has those that nobody had.
      ...missing.filter((path) => !isAsset(path)).map((path) => `server: ${build.id} has no ${path}`),
    ]);
    const isExpected = (answer: TabAnswer): boolean =>
      except(answer) || (answer.fromCache && isAsset(new URL(answer.url).pathname));
    return [...(this.#browser?.trouble({ except: isExpected }) ?? []), ...seen];
  }

  async #startSite(build: string): Promise<Site> {
    const site = await startSite({ build, ...this.#options });
    this.sites.set(build, site);
    return site;
  }
}

function isAsset(path: string): boolean {
  return path.startsWith('/assets/');
}

/** Waits until the page that the tab shows is one of the shop and has done its first calls. */
export async function isReady(tab: Tab): Promise<void> {
  await tab.page.waitForFunction('globalThis.shop?.isReady === true', undefined, { polling: 50 });
}

/** A person clicks a link or button and sees what comes of it. */
export async function follow(tab: Tab, selector: string): Promise<void> {
  await Promise.all([
    tab.page.waitForEvent('framenavigated', (frame) => frame === tab.page.mainFrame()),
    tab.page.click(selector),
  ]);
  await isReady(tab);
}

export function recordOf(tab: Tab): Promise<PageRecord> {
  return tab.page.evaluate('JSON.parse(JSON.stringify(shop))');
}
