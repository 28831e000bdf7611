// The sample shop by itself: what its two versions answer, and that they do not understand each other.

import { once } from 'node:events';
import { Script } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Shop, type ShopOptions, startShop } from '../../../src/demo/shop.ts';
import { Warehouse } from '../../../src/demo/warehouse.ts';

const shops: Shop[] = [];
afterEach(async () => {
  await Promise.all(shops.splice(0).map((shop) => shop.close()));
});

async function start(options: Partial<ShopOptions> = {}): Promise<Shop> {
  const shop = await startShop({ version: 'v1', name: 'web01', ...options });
  shops.push(shop);
  return shop;
}

const post = (shop: Shop, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${shop.url}/api/cart`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const cookieOf = (answer: Response) => answer.headers.getSetCookie()[0]!.split(';')[0]!;

test.each(['/', '/product/mug', '/cart'])('%s is a document that names its version', async (path) => {
  const shop = await start({ version: 'v2', name: 'web03' });
  const answer = await fetch(shop.url + path);
  const html = await answer.text();
  expect(answer.status).toBe(200);
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
  expect([answer.headers.get('x-app-version'), answer.headers.get('x-app-upstream')]).toEqual([
    'v2',
    'web03',
  ]);
  expect(html).toContain('<html lang="en" data-version="v2" data-upstream="web03">');
  expect(html.match(/(?:src|href)="(?!\/|data:)[^"]*"/g)).toBeNull();
});

test('assets are immutable, differ between versions, and are not found at the other one', async () => {
  const [first, second] = [await start(), await start({ version: 'v2' })];
  const assets = async (shop: Shop) =>
    (await (await fetch(shop.url)).text()).match(/\/assets\/app-[0-9a-f]{10}\.(?:js|css)/g)!;
  const [ofFirst, ofSecond] = [await assets(first), await assets(second)];
  expect(ofFirst).toHaveLength(2);
  expect(ofFirst.filter((path) => ofSecond.includes(path))).toEqual([]);
  for (const path of ofFirst) {
    const answer = await fetch(first.url + path);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    const text = await answer.text();
    if (path.endsWith('.js')) expect(() => new Script(text)).not.toThrow();
    expect((await fetch(second.url + path)).status).toBe(404);
  }
});

test('the cart is kept by cookie and told in the words of the version', async () => {
  const warehouse = new Warehouse();
  const [first, second] = [await start({ warehouse }), await start({ version: 'v2', warehouse })];
  const added = await post(first, { id: 'mug', quantity: 2 });
  expect(await added.json()).toEqual({
    items: [{ id: 'mug', name: 'Enamel mug', quantity: 2, price: 12.5 }],
    total: 25,
  });
  const cookie = cookieOf(added);
  await post(second, { sku: 'pin', qty: 1 }, { cookie });
  const seen = await fetch(`${second.url}/api/cart`, { headers: { cookie } });
  expect(seen.headers.get('cache-control')).toBe('no-store');
  expect(seen.headers.getSetCookie()).toEqual([]);
  expect(await seen.json()).toEqual({
    lines: [
      { sku: 'mug', title: 'Enamel mug', qty: 2, cents: 1_250 },
      { sku: 'pin', title: 'Enamel pin', qty: 1, cents: 450 },
    ],
    totalCents: 2_950,
  });
});

test.each([
  { name: 'an order in the words of the other version', body: { sku: 'mug', qty: 1 } },
  { name: 'an unknown product', body: { id: 'yacht', quantity: 1 } },
  { name: 'more than there is', body: { id: 'mug', quantity: 41 } },
  { name: 'less than one', body: { id: 'mug', quantity: 0 } },
  { name: 'half a mug', body: { id: 'mug', quantity: 0.5 } },
  { name: 'no object', body: null },
])('refuses $name', async ({ body }) => {
  const shop = await start();
  const answer = await post(shop, body);
  expect(answer.status).toBe(422);
  expect(await answer.json()).toHaveProperty('error');
});

test('a page of one version breaks on the answers of the other', async () => {
  const [first, second] = [await start(), await start({ version: 'v2' })];
  const cartOf = async (page: Shop, server: Shop) => {
    const path = /\/assets\/app-[0-9a-f]+\.js/.exec(await (await fetch(page.url)).text())![0];
    const script = await (await fetch(page.url + path)).text();
    const adapter = script.slice(0, script.indexOf('const page'));
    const answer = await (await fetch(`${server.url}/api/cart`)).json();
    return new Function('answer', `${adapter}; return cartOf(answer);`)(answer);
  };
  expect(await cartOf(first, first)).toEqual({ rows: [], total: '0.00' });
  expect(await cartOf(second, second)).toEqual({ rows: [], total: '0.00' });
  await expect(cartOf(first, second)).rejects.toThrow(TypeError);
  await expect(cartOf(second, first)).rejects.toThrow(TypeError);
});

test('the form works without JavaScript: POST, 303, GET', async () => {
  const shop = await start({ version: 'v2' });
  const form = new URLSearchParams({ sku: 'lamp', qty: '1' });
  const posted = await fetch(`${shop.url}/cart`, { method: 'POST', body: form, redirect: 'manual' });
  expect([posted.status, posted.headers.get('location')]).toEqual([303, '/cart']);
  const page = await fetch(`${shop.url}/cart`, { headers: { cookie: cookieOf(posted) } });
  expect(await page.text()).toContain('1 × Desk lamp');
});

test('the event stream says who sends it, then the stock', async () => {
  const shop = await start();
  const stop = new AbortController();
  const answer = await fetch(`${shop.url}/events`, { signal: stop.signal });
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  for await (const chunk of answer.body!) {
    text += Buffer.from(chunk).toString();
    if (text.includes('event: stock')) break;
  }
  stop.abort();
  expect(text).toContain('event: hello\ndata: {"version":"v1","upstream":"web01"');
  expect(text).toContain('event: stock\ndata: {"stock":{"mug":40,');
});

test('the WebSocket greets, echoes and counts who looks', async () => {
  const shop = await start();
  const socket = new WebSocket(`ws://${shop.address}/ws`);
  const messages: Record<string, unknown>[] = [];
  socket.on('message', (data) => {
    messages.push(JSON.parse(data.toString()));
    if (messages.length === 2) socket.send('hello');
    if (messages.length === 3) socket.close();
  });
  await once(socket, 'close');
  expect(messages[0]).toEqual({ version: 'v1', upstream: 'web01', looking: 1, isFirst: true });
  expect(messages[2]).toMatchObject({ echo: 'hello' });
});

test('a failing server says so to health checks and goes on serving', async () => {
  const shop = await start();
  const status = async (path: string) => (await fetch(shop.url + path)).status;
  expect(await status('/healthz')).toBe(200);
  shop.fail(true);
  expect([await status('/healthz'), await status('/')]).toEqual([503, 200]);
  shop.fail(false);
  expect(await status('/healthz')).toBe(200);
});

test('knows what it does not have', async () => {
  const shop = await start();
  const status = async (path: string, method = 'GET') => (await fetch(shop.url + path, { method })).status;
  expect(await status('/nothing')).toBe(404);
  expect(await status('/product/yacht')).toBe(404);
  expect(await status('/api/nothing')).toBe(404);
  expect(await status('/', 'DELETE')).toBe(405);
  expect(await status('/', 'HEAD')).toBe(200);
  const socket = new WebSocket(`ws://${shop.address}/elsewhere`);
  await expect(once(socket, 'open')).rejects.toThrow('404');
});

test('close() ends open streams and sockets, and is idempotent', async () => {
  const shop = await start();
  const stream = await fetch(`${shop.url}/events`);
  const socket = new WebSocket(`ws://${shop.address}/ws`);
  await once(socket, 'open');
  const ended = Promise.all([once(socket, 'close'), stream.text().catch(() => '')]);
  await Promise.all([shop.close(), shop.close(), ended]);
  await expect(fetch(shop.url)).rejects.toThrow();
});
