// One browser, one cookie jar, two tabs: the first shows a page of V1, the second was opened after the promote and got
// V2, and with it the browser's pin. Each tab's script names its page's version, so each stays on it; both sessions
// count, each until its own tab is idle; and what V1 answers late does not take the V2 pin away.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, browserWithCookies, type Tab } from '../kit/browser.ts';
import { pinOf, startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

const IDLE_MS = 2_000;

describe('two tabs of one browser on two versions', () => {
  let scene: TwoVersions;
  let browser: Browser;
  let first: Tab;
  let second: Tab;
  const pinnedTo = (): string | undefined => browser.jar.get('lockstep')?.value.match(/^1\.([^~]+)/)?.[1];
  const live = async (id: string): Promise<number> => (await scene.gateway.admin.version(id)).sessions.live;
  beforeAll(async () => {
    scene = await startTwoVersions({ cookie: { idle: `${IDLE_MS}ms` }, drain: { navigation: '0s' } });
    browser = browserWithCookies({ origin: scene.gateway.url });
    first = browser.openTab({ sendsVersion: true });
    second = browser.openTab({ sendsVersion: true });
  });
  afterAll(async () => {
    browser?.close();
    await scene?.stop();
  });

  test('a late answer of v1 does not undo the pin of v2', async () => {
    // A pin old enough to be refreshed: the late answer would carry one.
    const seen = Date.now() - IDLE_MS * 0.75;
    browser.jar.store([`lockstep=${pinOf({ version: 'v1', seen })}; Path=/`], new URL(scene.gateway.url));
    await first.load('/late');
    expect(first.page()).toBe('v1');
    const old = pinOf({ version: 'v1', session: browser.jar.get('lockstep')!.value.split('~')[1]!, seen });
    browser.jar.store([`lockstep=${old}; Path=/`], new URL(scene.gateway.url));
    const late = first.ajax('/slow?ms=700');
    await waitFor(() => scene.v1.requests.some(({ url }) => url.startsWith('/slow')), {
      what: 'the slow request',
    });
    await scene.gateway.admin.promote('v2');
    await second.load('/');
    expect(second.page()).toBe('v2');
    expect(pinnedTo()).toBe('v2');
    const answer = await late;
    expect(answer.headers['x-lockstep-version']).toBe('v1');
    expect(answer.setCookies).toEqual([]);
    expect(pinnedTo()).toBe('v2');
  });

  test('each tab is answered by its own version, and each version counts a live session', async () => {
    for (let n = 0; n < 5; n++) {
      await Promise.all([first.ajax('/api/items'), second.ajax('/api/items')]);
    }
    expect(browser.mismatches).toEqual([]);
    expect(browser.failures).toEqual([]);
    expect([await live('v1'), await live('v2')]).toEqual([1, 1]);
  });

  test('v1 is not drained while its tab works, and is when only that one is idle', async () => {
    const until = performance.now() + 2 * IDLE_MS;
    while (performance.now() < until) {
      await first.ajax('/api/items');
      await second.ajax('/api/items');
      expect((await scene.gateway.admin.version('v1')).state).toBe('draining');
    }
    await waitFor(
      async () => {
        await second.ajax('/api/items');
        return (await scene.gateway.admin.version('v1')).state === 'drained';
      },
      { what: 'v1 to be drained', timeoutMs: 20_000, everyMs: 50 },
    );
    expect(await live('v2')).toBe(1);
    expect(browser.mismatches).toEqual([]);
    expect((await first.send('GET', '/api/items')).status).toBe(409);
  });
});
