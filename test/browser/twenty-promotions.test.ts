// An afternoon of twenty deploys, at moments that a seed picks, while people use the shop. Somebody with several windows
// follows links, goes back and forth, reloads, and leaves a tab open until its version's servers are off, to open a lazy part
// of it then: one session, whose tabs are of different versions. Others fill in forms, and send them after the next deploy;
// pay and sign in at another site; look at pages with WebSockets and event streams, across promotes and to the end of
// drains. The operator retires what is drained and stops its servers.
// No load fails, nothing is said on a console, and nothing is answered by another version than the page's.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Certificate } from '../kit/certificate.ts';
import type { TestBrowser } from '../kit/chromium.ts';
import { between, seededRandom } from '../kit/random.ts';
import { SEED } from '../kit/seed.ts';
import {
  lookAtAll,
  onlooker,
  type Person,
  payer,
  reader,
  shopper,
  visit,
  writer,
} from '../kit/shop-people.ts';
import { ShopScene } from '../kit/shop-scene.ts';
import { needsTool } from '../kit/tools.ts';
import { startTrustingBrowser, type TrustingBrowser } from '../kit/trusting-browser.ts';

const DEPLOYS = 20;

const hasTools = needsTool('chromium') && needsTool('openssl');

describe.skipIf(!hasTools)('twenty promotions at random moments', () => {
  let trusting: TrustingBrowser;
  let certificate: Certificate;
  let browser: TestBrowser;
  let shop: ShopScene;

  beforeAll(async () => {
    trusting = await startTrustingBrowser();
    ({ browser, certificate } = trusting);
  });
  afterAll(async () => {
    await trusting?.stop();
  });
  beforeEach(async () => {
    shop = await ShopScene.start({ browser, hasClient: true, builds: ['v1'] });
  });
  afterEach(() => shop?.stop());

  /** What is drained goes: its servers are wanted for the next build. */
  const clearAway = async (): Promise<void> => {
    const { versions } = await shop.gateway.admin.status();
    for (const { id, state } of versions) if (state === 'drained') await shop.takeAway(id);
  };

  it(`are seen by nobody (seed ${SEED})`, { timeout: 600_000 }, async () => {
    await shop.open(
      {
        cookie: { idle: '8s' },
        drain: { nudge: '0s', deadline: '30s' },
        more: { pin: { scope: 'page' } },
      },
      certificate,
    );
    const random = seededRandom(SEED);
    let isOver = false;
    const people: readonly Person[] = [
      // First, because a new tab would cover the window that was opened last.
      reader(shop),
      shopper(shop, seededRandom(SEED + 1)),
      shopper(shop, seededRandom(SEED + 3)),
      writer(shop),
      payer(shop, seededRandom(SEED + 2)),
      ...['/live-leaving', '/talking'].map((path) => onlooker(shop, path)),
    ];
    const visits: ((isOver: () => boolean) => Promise<number>)[] = [];
    for (const [index, person] of people.entries())
      visits.push(await visit(person, seededRandom(SEED + 10 + index)));
    const tester = await shop.browser.openStranger(shop.at('/products'));
    await lookAtAll(shop, tester);
    const lives = visits.map((live) => live(() => isOver));
    const failed = Promise.all(lives);
    failed.catch(() => {});
    const deploys = async (): Promise<void> => {
      for (let nth = 2; nth <= DEPLOYS + 1; nth++) {
        await sleep(between(random, 100, 2_500));
        await shop.deploy(`v${nth}`);
        await lookAtAll(shop, tester);
        await clearAway();
      }
    };
    await Promise.race([deploys(), failed]);
    isOver = true;
    const acts = await failed;
    expect(shop.trouble()).toEqual([]);
    // Somebody was there for it, and most pools were empty in time.
    expect(Math.min(...acts)).toBeGreaterThan(0);
    expect([...shop.sites.keys()].filter((build) => shop.isOff(build)).length).toBeGreaterThan(DEPLOYS / 4);
  });
});
