// A site with people on it whose servers come and go: whoever tells of a server (an operator, a reload, DNS, a file), it joins the pool
// of the version that it runs and gets requests; when it is taken back it gets no more, what is under way there is finished, and
// nobody notices.

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServersReport } from '../../src/core/server-report.ts';
import { type Browser, browserWithCookies } from '../kit/browser.ts';
import { crowdAt, type Ends } from '../kit/discovering-farm.ts';
import { type DnsServer, startDnsServer } from '../kit/dns-server.ts';
import { type GatewaySettings, type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { type SayingServer, sayingServer, stopServers } from '../kit/saying-server.ts';
import { waitFor } from '../kit/wait-for.ts';

const SERVICE = '_http._tcp.app.test';

let folder: TemporaryFolder;
let dns: DnsServer;
let file: string;
let web01: SayingServer;
let gateway: GatewayProcess;

beforeAll(async () => {
  folder = await temporaryFolder('farm');
  file = join(folder.path, 'servers.txt');
  dns = await startDnsServer();
  dns.set('web02.app.test', { a: ['127.0.0.1'], ttlSeconds: 1 });
  web01 = await sayingServer('web01', 'v1');
  await writeFile(file, '[]');
  gateway = await startGatewayProcess(settings([]));
  await waitFor(async () => (await gateway.admin.status()).active === 'v1', { what: 'v1 to be active' });
});
afterAll(async () => {
  await gateway.stop();
  await stopServers([web01]);
  await dns.stop();
  await folder.remove();
});

function settings(more: readonly SayingServer[]): GatewaySettings {
  return {
    health: { path: '/healthz', interval: '100ms' },
    more: {
      discovery: {
        servers: [web01, ...more].map(({ name, url }) => ({ name, url })),
        dns: [{ name: SERVICE, type: 'srv', every: '1s', loopback: true }],
        resolvers: [dns.address],
        file,
        autoPromote: {},
      },
    },
  };
}

async function reload(more: readonly SayingServer[]): Promise<void> {
  await gateway.rewrite(settings(more));
  expect((await gateway.admin.call('POST', '/v1/reload')).status).toBe(200);
}

const portOf = ({ address }: SayingServer) => Number(address.split(':')[1]);

const SOURCES: readonly {
  readonly name: string;
  readonly add: (server: SayingServer) => Promise<unknown>;
  readonly remove: (server: SayingServer) => Promise<unknown>;
}[] = [
  {
    name: 'an operator',
    add: ({ name, url }) => gateway.admin.call('POST', '/v1/servers', { name, url }),
    remove: ({ name }) => gateway.admin.call('DELETE', `/v1/servers/${name}`),
  },
  { name: 'a reload', add: (server) => reload([server]), remove: () => reload([]) },
  {
    name: 'DNS',
    add: async (server) => {
      dns.set(SERVICE, {
        srv: [web01, server].map((each) => ({ port: portOf(each), target: 'web02.app.test' })),
      });
    },
    remove: async () => {
      dns.set(SERVICE, { srv: [{ port: portOf(web01), target: 'web02.app.test' }] });
    },
  },
  {
    name: 'a file',
    add: ({ name, url }) => writeFile(file, `${name} ${url}\n`),
    remove: () => writeFile(file, '[]'),
  },
];

async function pool(id: string): Promise<readonly string[]> {
  const { versions } = await gateway.admin.status();
  return versions.find((version) => version.id === id)?.upstreams.map(({ address }) => address) ?? [];
}

test.each(SOURCES)(
  'a server that $name tells of joins its pool, and leaves it without a failed request',
  async ({ add, remove }) => {
    const ends: Ends = [];
    const web02 = await sayingServer('web02', 'v1');
    ends.push(() => stopServers([web02]));
    try {
      const { browsers, stop } = crowdAt(gateway, 6, ends);
      const isIn = async () => (await pool('v1')).includes(web02.address);
      await add(web02);
      await waitFor(isIn, { what: 'web02 to join v1' });
      await waitFor(() => web02.asked.length > 0, { what: 'requests at web02' });
      const { servers } = (await gateway.admin.call('GET', '/v1/servers')).json<ServersReport>();
      expect(servers.find(({ address }) => address === web02.address)).toMatchObject({
        version: 'v1',
        reported: 'v1',
      });

      // Some that are under way when it goes, at least one of them there.
      const waiting: Browser[] = [];
      const answers: Promise<number>[] = [];
      const ask = async () => {
        const browser = browserWithCookies({ origin: gateway.url });
        waiting.push(browser);
        const tab = browser.openTab();
        await tab.load('/');
        answers.push(
          tab.send('GET', '/held').then(
            ({ status }) => status,
            () => 0,
          ),
        );
      };
      await waitFor(() => ask().then(() => web02.held() > 0), { what: 'a request held by web02' });
      await remove(web02);
      await waitFor(async () => !(await isIn()), { what: 'web02 to leave v1' });
      const answered = () => browsers.reduce((sum, browser) => sum + (browser.answered.get('v1') ?? 0), 0);
      const more = async (count: number) => {
        const before = answered();
        await waitFor(() => answered() >= before + count, { what: `${count} more answers` });
      };
      await more(browsers.length * 2);
      const asked = web02.asked.length;
      await more(60);
      expect(web02.asked.length).toBe(asked);

      web02.release();
      web01.release();
      expect(new Set(await Promise.all(answers))).toEqual(new Set([200]));
      await stop();
      for (const browser of waiting) browser.close();
      for (const browser of [...browsers, ...waiting]) {
        expect({ failures: browser.failures, mismatches: browser.mismatches }).toEqual({
          failures: [],
          mismatches: [],
        });
      }
      expect(await pool('v1')).toEqual([web01.address]);
    } finally {
      for (const end of ends.reverse()) await end();
    }
  },
);
