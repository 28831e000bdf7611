// Four servers that restart with other versions, the gateway that discovers what they run, and people who browse meanwhile.

import type { Status } from '../../src/core/status.ts';
import { type Browser, browserWithCookies } from './browser.ts';
import { startGateway, type TestGateway } from './gateway.ts';
import { type RestartedServer, restartedServer } from './restarted-server.ts';

/** Steps that take down what was started, the last first. */
export type Ends = (() => Promise<unknown>)[];

export async function farmOf(
  count: number,
  version: string,
  ends: Ends,
  mode: 'keep' | 'close' = 'keep',
): Promise<readonly RestartedServer[]> {
  const names = Array.from({ length: count }, (_, at) => `web0${at + 1}`);
  const servers = await Promise.all(names.map((name) => restartedServer(name, mode)));
  for (const server of servers) ends.push(() => server.kill());
  await Promise.all(servers.map((server) => server.start(version)));
  return servers;
}

export interface Discovering {
  readonly discovery?: Readonly<Record<string, unknown>>;
  readonly health?: Readonly<Record<string, unknown>>;
  readonly cookie?: Readonly<Record<string, unknown>>;
  readonly drain?: Readonly<Record<string, unknown>>;
  readonly deadPin?: Readonly<Record<string, unknown>>;
  readonly stateDir?: string;
  readonly versions?: Readonly<Record<string, readonly string[]>>;
  readonly active?: string;
  readonly more?: Readonly<Record<string, unknown>>;
}

export async function gatewayThatDiscovers(
  servers: readonly Pick<RestartedServer, 'name' | 'url'>[],
  { discovery, health, more, ...rest }: Discovering,
  ends: Ends,
): Promise<TestGateway> {
  const gateway = await startGateway({
    health: { path: '/healthz', interval: '250ms', rise: 1, fall: 3, ...health },
    ...rest,
    more: {
      discovery: {
        servers: servers.map(({ name, url }) => ({ name, url })),
        version: { header: 'x-app-version' },
        autoPromote: { share: '50%' },
        ...discovery,
      },
      // What answers say besides is not to help.
      skew: { header: null, detect: false },
      ...more,
    },
  });
  ends.push(() => gateway.stop());
  return gateway;
}

/** Undefined: there is no such version. */
export async function stateOf({ admin }: TestGateway, id: string): Promise<string | undefined> {
  return (await admin.status()).versions.find((version) => version.id === id)?.state;
}

/** Whose pool that server stands in. */
export async function versionOf(
  { admin }: TestGateway,
  server: Pick<RestartedServer, 'name'>,
): Promise<string | null> {
  const { discovery } = (await admin.status()) as Status;
  return discovery?.servers.find(({ name }) => name === server.name)?.version ?? null;
}

export interface Crowd {
  readonly browsers: readonly Browser[];
  stop(): Promise<void>;
}

/** Browsers that load pages, ask for data, and stay a while on each page. */
export function crowdAt(gateway: Pick<TestGateway, 'url'>, count: number, ends: Ends): Crowd {
  const browsers = Array.from({ length: count }, () => browserWithCookies({ origin: gateway.url }));
  let isOver = false;
  const browse = async (browser: Browser) => {
    const tab = browser.openTab();
    while (!isOver) {
      await tab.load('/');
      for (let asked = 0; asked < 8 && !isOver; asked++) {
        await tab.ajax('/api/cart');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  const over = Promise.all(browsers.map(browse));
  over.catch(() => {});
  const stop = async () => {
    isOver = true;
    await over;
    for (const browser of browsers) browser.close();
  };
  ends.push(() => stop().catch(() => {}));
  return { browsers, stop };
}
