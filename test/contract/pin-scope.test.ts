// pin.scope: page, on every engine, and over all threads: page loads get the newest version, and what a page asks for stays
// with the version of that page, also when another tab has taken the pin along.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import type { Message } from '../kit/strict-http.ts';
import { startUpstream, type Upstream, VERSION_FIELD } from '../kit/upstream.ts';
import { onEveryEngine } from './engines.ts';
import { recorded, type Scene, startScene } from './scene.ts';

const PAGE = ['Sec-Fetch-Dest: document', 'Sec-Fetch-Mode: navigate', 'Sec-Fetch-Site: same-origin'];

onEveryEngine((engine) => {
  let v1: Upstream;
  let v2: Upstream;
  let scene: Scene;
  beforeAll(async () => {
    const handle = ({ url }: IncomingMessage, response: ServerResponse) => {
      if (url === '/moved') response.writeHead(302, { location: '/target' }).end();
      else
        response
          .writeHead(200, { 'content-type': url === '/file' ? 'application/pdf' : 'text/html' })
          .end('x');
      return true;
    };
    [v1, v2] = await Promise.all([
      startUpstream({ version: 'v1', handle }),
      startUpstream({ version: 'v2', handle }),
    ]);
    scene = await startScene(engine, { versions: { v1: [v1.address], v2: [v2.address] }, scope: 'page' });
  });
  afterAll(async () => {
    await scene?.stop();
    await Promise.all([v1?.stop(), v2?.stop()]);
  });
  beforeEach(() => scene.activate('v1'));

  /** A browser whose tabs share one cookie. */
  function browser() {
    let cookie = '';
    const ask = async (fields: readonly string[], target: string, method = 'GET'): Promise<Message> => {
      const lines = cookie === '' ? fields : [...fields, `Cookie: ${cookie}`];
      const answer = await rawRequest(scene, lines, { method, target });
      cookie = pinsSent(answer)[0]?.split(';')[0] ?? cookie;
      return answer;
    };
    const version = async (...asked: Parameters<typeof ask>) => onlyValue(await ask(...asked), VERSION_FIELD);
    return {
      load: (target: string) => version(PAGE, target),
      get: (dest: string, target: string, page: string) =>
        version(
          [
            `Sec-Fetch-Dest: ${dest}`,
            'Sec-Fetch-Mode: no-cors',
            'Sec-Fetch-Site: same-origin',
            `Referer: http://shop.example${page}`,
          ],
          target,
        ),
      submit: (target: string, page: string) =>
        version([...PAGE, `Referer: http://shop.example${page}`], target, 'POST'),
      follow: (target: string, page: string) =>
        version([...PAGE, `Referer: http://shop.example${page}`], target),
      pinned: () => /^lockstep=1\.([^~]+)~/.exec(cookie)?.[1],
    };
  }

  describe('with pin.scope: page', () => {
    test('the next page load gets the newest version, and the pin goes along', async () => {
      const { load, pinned } = browser();
      expect([await load('/'), pinned()]).toEqual(['v1', 'v1']);
      await scene.activate('v2');
      expect([await load('/next'), pinned()]).toEqual(['v2', 'v2']);
      await recorded(scene, { version: 'v2', reason: 'repinned-navigation' });
    });

    test('what two tabs ask for goes to the version of each, whatever the pin says', async () => {
      const { load, get, pinned } = browser();
      await load('/old?id=1');
      await scene.activate('v2');
      await load('/new?id=2');
      expect(pinned()).toBe('v2');
      for (const dest of ['image', 'script', 'iframe']) {
        expect(await get(dest, `/of-${dest}`, '/old?id=1')).toBe('v1');
        expect(await get(dest, `/of-${dest}`, '/new?id=2')).toBe('v2');
      }
      expect(await get('image', '/x', '/nobody-knows')).toBe('v2');
      await recorded(scene, { version: 'v1', reason: 'page' });
    });

    test('a form of the old tab goes to its version, and so does the page behind it', async () => {
      const { load, submit, follow, get } = browser();
      await load('/old');
      await scene.activate('v2');
      await load('/new');
      expect(await submit('/buy', '/old')).toBe('v1');
      expect(await follow('/thanks', '/old')).toBe('v1');
      expect(await get('image', '/x', '/thanks')).toBe('v1');
    });

    test('a form of a page whose version is gone is a 409, and its body reaches nobody', async () => {
      const { load, submit } = browser();
      await load('/old');
      await scene.activate('v2');
      await load('/new');
      await scene.activate('v2', ['v1']);
      const before = v2.requests.length;
      expect(await submit('/buy', '/old')).toBe('');
      expect(v2.requests.length).toBe(before);
    });

    test('a redirect is followed where it came from, so that the whole chain is of one version', async () => {
      const { load, pinned } = browser();
      await load('/');
      await scene.activate('v2');
      expect([await load('/moved'), pinned()]).toEqual(['v2', 'v1']);
      expect([await load('/target'), pinned()]).toEqual(['v2', 'v2']);
    });

    test('a download leaves the pin with the page that stays', async () => {
      const { load, get, pinned } = browser();
      await load('/');
      await scene.activate('v2');
      expect([await load('/file'), pinned()]).toEqual(['v2', 'v1']);
      expect(await get('image', '/x', '/')).toBe('v1');
    });
  });

  test('with pin.scope: session page loads stay, and so does everything else', async () => {
    const sticky = await startScene(engine, { versions: { v1: [v1.address], v2: [v2.address] } });
    await sticky.activate('v2');
    const answer = await rawRequest(sticky, [...PAGE, sticky.pin('v1')]);
    expect(onlyValue(answer, VERSION_FIELD)).toBe('v1');
    await sticky.stop();
  });
});
