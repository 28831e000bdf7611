// The kit against servers whose faults are known: a browser that sees no mismatch where there is one, or a jar that
// sends what it should not, would let every scenario pass.

import { createServer, type Server } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { browserWithCookies } from './browser.ts';
import { cookieJar } from './cookie-jar.ts';
import { httpRequest } from './http-request.ts';
import { patternHash, patternParts } from './pattern.ts';
import { rawClient } from './raw-client.ts';
import { answers, startRawUpstream } from './raw-upstream.ts';
import { startRecordingUpstream } from './recording-upstream.ts';
import { startUpstream } from './upstream.ts';
import { waitFor } from './wait-for.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe('browserWithCookies', () => {
  test('records an answer of another version than its page, and a failed request', async () => {
    // A "gateway" that mixes versions: documents from v1, API calls from v2, and an error.
    const [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
    cleanups.push(v1.stop, v2.stop);
    const origin = await serve((url) => (url.startsWith('/api/') ? v2.url : v1.url));
    const browser = browserWithCookies({ origin });
    const tab = browser.openTab();
    await tab.load('/');
    expect(tab.page()).toBe('v1');
    expect(browser.mismatches).toEqual([]);
    await tab.ajax('/api/items');
    expect(browser.mismatches).toEqual(['GET /api/items: a page of v1 was answered by v2']);
    expect(browser.failures).toEqual([]);
    await tab.ajax('/fail');
    expect(browser.failures).toEqual(['GET /fail: 500 ']);
    browser.close();
  });

  test('sends the version of its page from a tab that is told to', async () => {
    const v1 = await startUpstream({ version: 'v1' });
    cleanups.push(v1.stop);
    const browser = browserWithCookies({ origin: v1.url });
    const tab = browser.openTab({ sendsVersion: true });
    await tab.load('/');
    await tab.post('/api/cart');
    expect(v1.requests.map(({ headers }) => headers['x-lockstep-version'])).toEqual([undefined, 'v1', 'v1']);
    browser.close();
  });
});

describe('cookieJar', () => {
  const url = new URL('http://shop.example/a/b');
  test.each([
    { name: 'a cookie of the whole site', given: 'k=1; Path=/', want: 'k=1', at: 'http://shop.example/' },
    { name: 'nothing outside its path', given: 'k=1; Path=/a', want: '', at: 'http://shop.example/ab' },
    { name: 'nothing to another host', given: 'k=1; Path=/', want: '', at: 'http://x.shop.example/' },
    {
      name: 'a domain cookie to a sub-domain',
      given: 'k=1; Path=/; Domain=shop.example',
      want: 'k=1',
      at: 'http://x.shop.example/',
    },
    {
      name: 'no cookie of a foreign domain',
      given: 'k=1; Path=/; Domain=evil.example',
      want: '',
      at: 'http://evil.example/',
    },
    {
      name: 'no Secure cookie that came without TLS',
      given: 'k=1; Path=/; Secure',
      want: '',
      at: 'https://shop.example/',
    },
    {
      name: 'no cookie that has been removed',
      given: 'k=; Path=/; Max-Age=0',
      want: '',
      at: 'http://shop.example/',
    },
  ])('sends $name', ({ given, want, at }) => {
    const jar = cookieJar();
    jar.store([given], url);
    expect(jar.headerFor(new URL(at))).toBe(want);
  });
});

describe('upstreams and raw clients', () => {
  test('an upstream that was killed resets its connections and comes back on its port', async () => {
    const upstream = await startUpstream({ version: 'v1' });
    cleanups.push(upstream.stop);
    const client = await rawClient(upstream);
    await client.send('GET /hang HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(() => upstream.requestCount() === 1, { what: 'the request to arrive' });
    await upstream.kill();
    expect(await client.waitForEnd()).toBe('reset');
    await upstream.restart();
    expect((await httpRequest(`${upstream.url}/api/x`)).json()).toMatchObject({ version: 'v1' });
  });

  test('bodies of a pattern arrive with their hash', async () => {
    const upstream = await startUpstream({ version: 'v1' });
    cleanups.push(upstream.stop);
    const { body } = await httpRequest(`${upstream.url}/bytes?n=200001&chunked`);
    expect(body.equals(Buffer.concat([...patternParts(200_001)]))).toBe(true);
    const answer = await httpRequest(`${upstream.url}/echo`, { method: 'POST', body });
    expect(answer.headers['x-body-sha256']).toBe(patternHash(200_001));
  });

  test('a raw client throws on an answer that is cut short', async () => {
    const raw = await startRawUpstream(() =>
      answers('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 'close'),
    );
    cleanups.push(raw.stop);
    const client = await rawClient(raw);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    await expect(client.answer()).rejects.toThrow('the connection ended (fin) before a whole answer');
  });

  test('a recording upstream tells faults from whole requests', async () => {
    const recorder = await startRecordingUpstream();
    cleanups.push(recorder.stop);
    const good = await rawClient(recorder.upstream);
    await good.send('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nTE: x\r\n\r\n');
    expect((await good.answer()).body.toString()).toBe('{"method":"GET","target":"/1","body":""}');
    await good.answer();
    expect(recorder.requests().map(({ target }) => target)).toEqual(['/1', '/2']);
    expect(recorder.leaks()).toEqual(['TE (hop-by-hop)']);
    const bad = await rawClient(recorder.upstream);
    await bad.send('GET /1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n');
    await bad.waitForEnd();
    expect(recorder.faults()).toEqual(['2 Host fields']);
    good.close();
  });
});

async function serve(choose: (url: string) => string): Promise<string> {
  const server: Server = createServer((request, response) => {
    const url = request.url ?? '/';
    if (url === '/fail') {
      response.writeHead(500).end();
      return;
    }
    httpRequest(`${choose(url)}${url}`).then((answer) => {
      response.setHeader('x-app-version', String(answer.headers['x-app-version']));
      response.end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(() => resolve())));
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
}
