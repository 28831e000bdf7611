// The shop of shop-site/ as browsers meet it: servers of each build, the provider on another site, and a gateway in front
// of the shop, new for each test. Names are what browsers go by: `shop.localhost` and `pay.localhost` are two sites, and
// trustworthy ones, so that Sec-Fetch fields are sent, service workers run and Secure cookies are kept.

import { Warehouse } from '../../src/demo/warehouse.ts';
import type { TestBrowser } from './chromium.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import type { GatewaySettings } from './gateway-config.ts';
import { httpRequest } from './http-request.ts';
import { type Provider, startProvider } from './shop-site/provider.ts';
import { type Site, startSite } from './shop-site/site.ts';
import type { Tab, TroubleOptions } from './tab.ts';
import { waitFor } from './wait-for.ts';

export interface ShopTls {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface ShopSceneOptions {
  readonly browser: TestBrowser;
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
  readonly closed: readonly number[];
  readonly restored: number;
}

export class ShopScene {
  readonly browser: TestBrowser;
  readonly sites: ReadonlyMap<string, Site>;
  readonly #provider: Provider;
  #gateway: TestGateway | null = null;
  #scheme = 'http';

  private constructor(browser: TestBrowser, sites: readonly Site[], provider: Provider) {
    this.browser = browser;
    this.sites = new Map(sites.map((site) => [site.build.id, site]));
    this.#provider = provider;
  }

  static async start({ browser, hasClient = false, builds }: ShopSceneOptions): Promise<ShopScene> {
    const warehouse = new Warehouse();
    let scene: ShopScene | null = null;
    const provider = await startProvider(() => scene!.origin);
    const elsewhere = (): string => scene!.elsewhere('');
    const sites: Site[] = [];
    for (const build of builds ?? ['v1', 'v2', 'v3']) {
      sites.push(await startSite({ build, warehouse, hasClient, provider: elsewhere }));
    }
    scene = new ShopScene(browser, sites, provider);
    return scene;
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
  async open(settings: GatewaySettings = {}, tls: ShopTls | null = null): Promise<void> {
    await this.close();
    const files = tls === null ? null : { cert: tls.certFile, key: tls.keyFile };
    const listen = files === null ? {} : { listen: [{ address: '127.0.0.1:0', tls: files }] };
    this.#scheme = tls === null ? 'http' : 'https';
    this.#gateway = await startGateway({
      versions: Object.fromEntries([...this.sites].map(([build, { url }]) => [build, [url]])),
      active: [...this.sites.keys()][0]!,
      health: { path: '/healthz', timeout: '5s' },
      ...listen,
      ...settings,
    });
  }

  /** Closes tabs and gateway, and forgets cookies and what was recorded. */
  async close(): Promise<void> {
    await Promise.all(this.browser.tabs.map(({ page }) => page.close()));
    for (const tab of this.browser.tabs) tab.clear();
    await this.browser.context.clearCookies();
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

  /** The version becomes the one that new sessions get. */
  async promote(build: string): Promise<void> {
    await waitFor(() => this.gateway.admin.promote(build), { what: `${build} to be promoted` });
    const { headers } = await httpRequest(`${this.gateway.url}/products`, {
      headers: { accept: 'text/html' },
    });
    if (headers['x-lockstep-version'] !== build)
      throw new Error(`a new session got another version than ${build}`);
  }

  /** What tabs and servers saw of failed loads, errors and skew. Expect []. */
  trouble(options: TroubleOptions = {}): string[] {
    const seen = [...this.sites.values()].flatMap(({ skewed, missing, build }) => [
      ...skewed.map((text) => `server: ${text}`),
      ...missing.map((path) => `server: ${build.id} has no ${path}`),
    ]);
    return [...this.browser.trouble(options), ...seen];
  }
}

/** Waits until the page that the tab shows is one of the shop and has done its first calls. */
export async function isReady(tab: Tab): Promise<void> {
  await tab.page.waitForFunction('globalThis.shop?.isReady === true', undefined, { polling: 50 });
}

/** A person clicks a link or button and sees what comes of it. */
export async function follow(tab: Tab, selector: string): Promise<void> {
  const left = tab.page.waitForEvent('framenavigated', (frame) => frame === tab.page.mainFrame());
  await tab.page.click(selector);
  await left;
  await isReady(tab);
}

export function recordOf(tab: Tab): Promise<PageRecord> {
  return tab.page.evaluate('JSON.parse(JSON.stringify(shop))');
}
