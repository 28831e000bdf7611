// An application keeps sessions in its memory, as ASP.NET does, on two servers of each version. HAProxy holds each browser
// to its server by a cookie of its own, Lockstep stands before HAProxy and holds it to its version: carts are kept, through
// a promote as well, and what HAProxy says in cookies and fields reaches the browser to the letter. Without HAProxy's cookie
// carts are lost; with `affinity: upstream` and the servers themselves as upstreams they are kept again.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, browserWithCookies, type Tab } from '../kit/browser.ts';
import { PERSISTENCE_COOKIE, SERVER_FIELD, startFarmHaproxy } from '../kit/deploys/farm-haproxy.ts';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { needsTool } from '../kit/tools.ts';
import { startWebFarm, type WebFarm } from '../kit/web-farm.ts';

const hasHaproxy = needsTool('haproxy');
const BROWSERS = 8;
const PURCHASES = 4;

type Ends = (() => Promise<unknown>)[];
const ends: Ends = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** web01 and web02 run v1, web03 and web04 v2. */
let farm: WebFarm;

beforeAll(async () => {
  if (!hasHaproxy) return;
  farm = await startWebFarm({ version: 'v1', lameMs: 0 });
  await Promise.all(['web03', 'web04'].map((name) => farm.server(name).update('v2')));
}, 150_000);
afterAll(() => farm?.stop());

async function gatewayBefore(
  v1: readonly string[],
  v2: readonly string[],
  affinity: 'none' | 'upstream' = 'none',
): Promise<TestGateway> {
  const gateway = await startGateway({ versions: { v1, v2 }, active: 'v1', more: { affinity } });
  ends.push(() => gateway.stop());
  return gateway;
}

async function gatewayBeforeHaproxy(hasCookie: boolean): Promise<TestGateway> {
  const haproxy = await startFarmHaproxy({
    pools: [farm.servers.slice(0, 2), farm.servers.slice(2)],
    hasCookie,
  });
  ends.push(haproxy.stop);
  return gatewayBefore([haproxy.urls[0]!], [haproxy.urls[1]!]);
}

interface Customer {
  readonly browser: Browser;
  readonly tab: Tab;
}

async function customersOf(gateway: TestGateway): Promise<readonly Customer[]> {
  const customers = Array.from({ length: BROWSERS }, () => {
    const browser = browserWithCookies({ origin: gateway.url });
    ends.push(async () => browser.close());
    return { browser, tab: browser.openTab() };
  });
  await Promise.all(customers.map(({ tab }) => tab.load('/')));
  return customers;
}

/** What is in each cart after so many purchases; those of all customers are mixed, so that no server has its turn twice. */
async function carts(customers: readonly Customer[], purchases = PURCHASES): Promise<readonly number[]> {
  let counts: readonly number[] = [];
  for (let nth = 0; nth < purchases; nth++) {
    const answers = await Promise.all(customers.map(({ tab }) => tab.post('/api/cart')));
    counts = answers.map((answer) => answer.json<{ count: number }>().count);
  }
  return counts;
}

const each = <T>(value: T): readonly T[] => Array.from({ length: BROWSERS }, () => value);

describe.skipIf(!hasHaproxy)('an application with sessions in its memory', () => {
  test("keeps them by HAProxy's own cookie, through a promote", async () => {
    const gateway = await gatewayBeforeHaproxy(true);
    const customers = await customersOf(gateway);
    expect(await carts(customers)).toEqual(each(PURCHASES));

    await gateway.admin.promote('v2');
    expect(await carts(customers)).toEqual(each(2 * PURCHASES));
    const later = await customersOf(gateway);
    expect(later.map(({ tab }) => tab.page())).toEqual(each('v2'));
    expect(await carts(later)).toEqual(each(PURCHASES));
    const told = [...customers, ...later].flatMap(({ browser }) => [
      ...browser.mismatches,
      ...browser.failures,
    ]);
    expect(told).toEqual([]);
    const servers = customers.map(({ browser }) => browser.jar.get(PERSISTENCE_COOKIE)?.value);
    expect(new Set(servers), 'both servers of v1 have customers').toEqual(new Set(['web01', 'web02']));
  });

  test("gives browsers HAProxy's cookie and field as HAProxy wrote them", async () => {
    const gateway = await gatewayBeforeHaproxy(true);
    const { tab, browser } = (await customersOf(gateway))[0]!;
    browser.jar.clear();
    const first = await tab.load('/');
    const server = String(first.headers['x-app-server']);
    expect(first.headers[SERVER_FIELD]).toBe(`be_app/${server}`);
    expect(first.setCookies).toContain(`${PERSISTENCE_COOKIE}=${server}; path=/`);
    expect(first.setCookies.some((line) => line.startsWith('lockstep='))).toBe(true);
    // HAProxy knows its cookie again: it sets none, and stays with the server.
    const second = await tab.ajax('/api/items');
    expect(second.headers[SERVER_FIELD]).toBe(`be_app/${server}`);
    expect(second.setCookies).toEqual([]);
  });

  test('loses them where HAProxy takes turns', async () => {
    const customers = await customersOf(await gatewayBeforeHaproxy(false));
    expect(Math.min(...(await carts(customers)))).toBeLessThan(PURCHASES);
  });

  test('keeps them by affinity: upstream, through a promote, and loses them without', async () => {
    const urls = farm.servers.map(({ url }) => url);
    const held = await gatewayBefore(urls.slice(0, 2), urls.slice(2), 'upstream');
    const customers = await customersOf(held);
    expect(await carts(customers)).toEqual(each(PURCHASES));
    await held.admin.promote('v2');
    expect(await carts(customers)).toEqual(each(2 * PURCHASES));

    const mixed = await customersOf(await gatewayBefore(urls.slice(0, 2), urls.slice(2)));
    expect(Math.min(...(await carts(mixed)))).toBeLessThan(PURCHASES);
  });
});
