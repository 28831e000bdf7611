// A page is left open for longer than `idle`, and its pin has expired; but it still is a page of its version. While that
// version takes pinned traffic its AJAX and POST go there; afterwards they get a 409, and never another version.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, browserWithCookies, type Tab } from '../kit/browser.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

describe('a page left open for longer than idle', () => {
  let scene: TwoVersions;
  let sleeper: { browser: Browser; tab: Tab };
  let keeper: { browser: Browser; tab: Tab };
  const live = async (id: string): Promise<number> => (await scene.gateway.admin.version(id)).sessions.live;
  beforeAll(async () => {
    scene = await startTwoVersions({ cookie: { idle: '1s' } });
    const open = async (): Promise<{ browser: Browser; tab: Tab }> => {
      const browser = browserWithCookies({ origin: scene.gateway.url });
      const tab = browser.openTab();
      await tab.load('/');
      await tab.ajax('/api/first');
      return { browser, tab };
    };
    sleeper = await open();
    keeper = await open();
    expect([sleeper.tab.page(), keeper.tab.page()]).toEqual(['v1', 'v1']);
    await scene.gateway.admin.promote('v2');
    // The keeper works on, so that V1 is not drained while the sleeper's session ends.
    await waitFor(
      async () => {
        await keeper.tab.ajax('/api/keep');
        return (await live('v1')) === 1;
      },
      { what: "the sleeper's session to end", everyMs: 100 },
    );
  });
  afterAll(async () => {
    sleeper?.browser.close();
    keeper?.browser.close();
    await scene?.stop();
  });

  test('still gets its AJAX and POST from its own version', async () => {
    await sleeper.tab.ajax('/api/items');
    await sleeper.tab.post('/api/cart');
    expect(sleeper.browser.failures).toEqual([]);
    expect(sleeper.browser.mismatches).toEqual([]);
    expect(scene.v2.requestCount()).toBe(0);
  });

  test('gets a new session on the newest version when it navigates', async () => {
    const other = browserWithCookies({ origin: scene.gateway.url });
    other.jar.store(
      sleeper.browser.jar.all().map(({ name, value }) => `${name}=${value}; Path=/`),
      new URL(scene.gateway.url),
    );
    const before = other.jar.get('lockstep')!.value;
    // The AJAX before has woken the session; it must fall asleep once more.
    await waitFor(
      async () => {
        await keeper.tab.ajax('/api/keep');
        return (await live('v1')) === 1;
      },
      { what: "the sleeper's session to end again", everyMs: 100 },
    );
    const tab = other.openTab();
    const answer = await tab.load('/');
    expect(tab.page()).toBe('v2');
    expect(answer.headers['x-lockstep-version']).toBe('v2');
    const after = other.jar.get('lockstep')!.value;
    expect(after.split('~')[1], 'a new session').not.toBe(before.split('~')[1]);
    other.close();
  });

  test('gets a 409 once its version is drained, and no version sees the request', async () => {
    await scene.gateway.admin.waitForDrained('v1');
    const seen = [scene.v1.requestCount(), scene.v2.requestCount()];
    for (const [method, path] of [
      ['GET', '/api/items'],
      ['POST', '/api/cart'],
      ['DELETE', '/api/cart'],
    ] as const) {
      const answer = await sleeper.tab.send(method, path);
      expect(answer.status, `${method} ${path}`).toBe(409);
      expect(answer.headers['x-lockstep-error']).toBe('dead-pin');
      expect(answer.headers['x-lockstep-reload']).toBe('1');
      expect(answer.setCookies, 'the page keeps its pin').toEqual([]);
    }
    expect([scene.v1.requestCount(), scene.v2.requestCount()]).toEqual(seen);
    await sleeper.tab.load('/');
    expect(sleeper.tab.page()).toBe('v2');
    await sleeper.tab.post('/api/cart');
    expect(sleeper.browser.mismatches).toEqual([]);
  });
});
