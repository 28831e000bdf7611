// Who may have made-up names looked for at other versions, and how often.

import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { AssetDesk } from '../../../src/assets/desk.ts';
import { AssetMatch } from '../../../src/core/asset-match.ts';

const PAGE = { version: 'v1', host: 'shop.example', scheme: 'http', method: 'GET', headers: {} } as const;

/** Its one live version has what `isThere` says. */
function desk(isThere: (target: string) => boolean) {
  let nowMs = 1_000_000;
  const one = new AssetDesk({
    asker: {
      ask: async (_, { target }) => ({
        status: isThere(target) ? 200 : 404,
        fields: { 'content-type': 'text/javascript' },
        body: Readable.from([]) as never,
      }),
      close: async () => {},
    },
    memory: () => null,
    match: () => new AssetMatch(['hashed']),
    liveVersions: () => ['v2'],
    serversOf: () => ['127.0.0.1:1'],
    onSeen: () => {},
    wallMs: () => nowMs,
  });
  let names = 0;
  /** Searches that `count` requests for names that nobody has led to. */
  const searches = async (client: string, count: number) => {
    const before = one.asked;
    for (let i = 0; i < count; i++) await ask(client, `/x-${++names + 1_000}a0b1c2d3.js`);
    return one.asked - before;
  };
  const ask = (client: string, target: string) =>
    one.answer({ ...PAGE, client, target, method: 'HEAD' }, fakeAnswer());
  return { one, ask, searches, pass: (ms: number) => (nowMs += ms) };
}

function fakeAnswer(): ServerResponse {
  const answer = { headersSent: false, writeHead: () => answer, end: () => answer, destroy: () => answer };
  return answer as unknown as ServerResponse;
}

it("lets the made-up names of one network take nothing from another's searches", async () => {
  const { one, ask, searches } = desk((target) => target.includes('there'));
  expect(await searches('192.0.2.7', 200)).toBe(25);
  expect(await searches('192.0.2.8', 5)).toBe(0);
  await ask('198.51.100.1', '/there-3f2a9c01.js');
  expect(one.counts.live).toBe(1);
  expect(await searches('198.51.100.1', 5)).toBe(5);
});

it('gives a network two searches in vain each second', async () => {
  const { searches, pass } = desk(() => false);
  await searches('2001:db8:1::1', 100);
  pass(5_000);
  expect(await searches('2001:db8:1:ffff::2', 100)).toBe(10);
});

it('keeps to what all networks together may have, however many there are', async () => {
  const { searches, pass } = desk(() => false);
  let sent = 0;
  for (let i = 0; i < 2_000; i++) sent += await searches(`10.${i >> 8}.${i & 255}.1`, 1);
  expect(sent).toBe(50);
  pass(1_000);
  for (let i = 0; i < 2_000; i++) sent += await searches(`10.${i >> 8}.${i & 255}.1`, 1);
  expect(sent).toBe(60);
});
