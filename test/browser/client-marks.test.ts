// A page of V1 whose browser has a pin of V2 by now, because another tab went on: whatever the page asks its own origin for
// must say that it is of V1, whichever way it asks, and nothing must be different for the page but that.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChromium, type TestBrowser } from '../kit/chromium.ts';
import { type ClientScene, startClientScene } from '../kit/client-scene.ts';
import type { Tab } from '../kit/tab.ts';
import { needsTool } from '../kit/tools.ts';
import { waitFor } from '../kit/wait-for.ts';

interface Api {
  readonly version: string;
  readonly method: string;
  readonly url: string;
  readonly bytes: number;
}

describe.skipIf(!needsTool('chromium')).each(['wire', 'http-proxy'])('on the %s engine', (engine) => {
  let browser: TestBrowser;
  let scene: ClientScene;
  let tab: Tab;

  beforeAll(async () => {
    browser = await startChromium();
    scene = await startClientScene(browser, { more: { engine } });
    tab = await scene.openOldTab('/');
  });
  afterAll(async () => {
    await scene?.stop();
    await browser?.stop();
  });
  const lastOf = (path: string) => scene.v1.requests.findLast(({ url }) => url.startsWith(path));

  describe('a page of v1 with a pin of v2', () => {
    it('would be answered by v2 without the script', async () => {
      const frame = await tab.page.evaluate(async () => {
        const plain = document.body.appendChild(document.createElement('iframe'));
        const answer: Api = await (await plain.contentWindow!.fetch('/api/plain')).json();
        plain.remove();
        return answer.version;
      });
      expect(frame).toBe('v2');
      tab.clear();
    });

    it('is answered by v1, however it calls fetch', async () => {
      const answers = await tab.page.evaluate(async () => {
        class Settings {
          get method(): string {
            return 'PUT';
          }
        }
        const form = new FormData();
        form.set('a', 'b');
        const ask = async (input: RequestInfo | URL, init?: RequestInit): Promise<Api> =>
          (await fetch(input, init)).json();
        return [
          await ask('/api/text'),
          await ask('api/relative?x=%20#part'),
          await ask(new URL('/api/url', location.href)),
          await ask(new Request('/api/request', { headers: { 'x-own': '1' } })),
          await ask(new Request('/api/posted', { method: 'POST', body: 'abc' })),
          await ask('/api/text-posted', { method: 'POST', body: 'abcd', headers: [['x-own', '1']] }),
          await ask('/api/form', { method: 'POST', body: form }),
          await ask('/api/getters', new Settings()),
          await ask('/api/overridden', new Request('/', { method: 'DELETE' })),
        ];
      });
      expect(answers.map(({ version }) => version)).toEqual(answers.map(() => 'v1'));
      expect(answers.map(({ method, url, bytes }) => [method, url, bytes])).toEqual([
        ['GET', '/api/text', 0],
        ['GET', '/api/relative?x=%20', 0],
        ['GET', '/api/url', 0],
        ['GET', '/api/request', 0],
        ['POST', '/api/posted', 3],
        ['POST', '/api/text-posted', 4],
        ['POST', '/api/form', expect.any(Number)],
        ['PUT', '/api/getters', 0],
        ['DELETE', '/api/overridden', 0],
      ]);
      expect(lastOf('/api/request')!.headers).toMatchObject({ 'x-own': '1' });
      expect(lastOf('/api/text-posted')!.headers).toMatchObject({
        'content-length': '4',
        'content-type': 'text/plain;charset=UTF-8',
        'x-own': '1',
      });
      expect(lastOf('/api/form')!.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
    });

    it('keeps what it gives to fetch as it was', async () => {
      const kept = await tab.page.evaluate(async () => {
        const init = Object.freeze({ headers: Object.freeze({ accept: 'x/y' }) });
        const request = new Request('/api/kept');
        await fetch('/api/frozen', init);
        await fetch(request);
        await fetch(request);
        const aborted = fetch('/hang', { signal: AbortSignal.timeout(10) }).catch((error) => error.name);
        const named = await (await fetch('/api/x', { headers: { 'x-lockstep-version': 'v2' } })).json();
        return {
          headers: [...request.headers],
          used: request.bodyUsed,
          aborted: await aborted,
          named: named.version,
          invalid: await fetch('http://[').catch((error) => error.name),
          method: await fetch('/', { method: 'a b' }).catch((error) => error.name),
        };
      });
      expect(kept).toEqual({
        headers: [],
        used: false,
        aborted: 'TimeoutError',
        named: 'v2',
        invalid: 'TypeError',
        method: 'TypeError',
      });
      tab.clear();
    });

    it('is answered by v1 by XMLHttpRequest, at once or later, a request used twice too', async () => {
      const answers = await tab.page.evaluate(async () => {
        const request = new XMLHttpRequest();
        const ask = (method: string, url: string, isLater = true): Promise<Api> =>
          new Promise((resolve) => {
            request.open(method, url, isLater);
            request.setRequestHeader('x-own', '1');
            request.onload = () => resolve(JSON.parse(request.responseText));
            request.send(method === 'POST' ? 'abc' : null);
          });
        return [
          await ask('GET', '/api/xhr'),
          await ask('POST', '/api/xhr'),
          await ask('GET', '/api/at-once', false),
        ];
      });
      expect(answers).toMatchObject([
        { version: 'v1', bytes: 0 },
        { version: 'v1', method: 'POST', bytes: 3 },
        { version: 'v1' },
      ]);
    });

    it('is answered by v1 by EventSource, WebSocket and sendBeacon, which ask for what the page said', async () => {
      const heard = await tab.page.evaluate(async () => {
        const events = new EventSource('/sse?a=1');
        const event: string = await new Promise((resolve) => {
          events.onmessage = ({ data }) => resolve(data);
        });
        events.close();
        const socket = new WebSocket(`ws://${location.host}/ws`);
        const message: string = await new Promise((resolve) => {
          socket.onmessage = ({ data }) => resolve(data);
        });
        socket.close();
        return {
          event,
          message: JSON.parse(message),
          wasQueued: navigator.sendBeacon('/api/beacon?b', 'abc'),
        };
      });
      expect(heard).toEqual({ event: 'v1', message: { version: 'v1' }, wasQueued: true });
      await waitFor(() => lastOf('/api/beacon'), { what: 'the beacon to reach v1' });
      expect(lastOf('/sse')!.url).toBe('/sse?a=1');
      expect(lastOf('/api/beacon')!).toMatchObject({ method: 'POST', url: '/api/beacon?b' });
    });

    it('asks other origins as it would without the script', async () => {
      await tab.page.evaluate(async (url) => {
        await fetch(url);
        await new Promise((resolve) => {
          const request = new XMLHttpRequest();
          request.open('GET', url);
          request.onload = resolve;
          request.send();
        });
        navigator.sendBeacon(url, 'abc');
        const data: string = await (await fetch('data:text/plain,abc')).text();
        const blob: string = await (await fetch(URL.createObjectURL(new Blob(['abc'])))).text();
        if (data !== 'abc' || blob !== 'abc') throw new Error('no origin at all');
      }, scene.beyond('/simple'));
      await waitFor(() => scene.elsewhere.length === 3, { what: 'three requests elsewhere' });
      expect(scene.elsewhere.map(({ line }) => line)).toEqual(['GET /simple', 'GET /simple', 'POST /simple']);
      expect(scene.elsewhere.filter(({ headers }) => 'x-lockstep-version' in headers)).toEqual([]);
    });

    it('follows a redirect to another origin that would refuse the mark', async () => {
      expect(await tab.page.evaluate(async () => (await fetch('/away')).text())).toBe('from elsewhere');
      expect(scene.elsewhere.at(-1)!.headers).not.toHaveProperty('x-lockstep-version');
      // Chromium tells of the preflight that was refused before.
      tab.clear();
    });

    it('had no failed load, no error and no skew in all of that', async () => {
      await tab.settle();
      expect(tab.trouble()).toEqual([]);
    });
  });
});
