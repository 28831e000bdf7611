// Work 2: what a browser sends (a head of 900 B: 12 fields, 6 cookies) and a page of 64 KiB.

import type { Work } from '../bench.ts';
import { bodyOf, PAGE_BYTES, PAGE_PATH, startFiles } from '../upstreams.ts';
import { type Case, measureCases, pinnedCookies } from './measured-cases.ts';

/** Ten; Host and Cookie are the other two. */
const FIELDS = [
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Accept-Language: en-GB,en-US;q=0.9,en;q=0.8,de;q=0.7',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Referer: http://shop.example/products?page=2',
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: same-origin',
  'Upgrade-Insecure-Requests: 1',
  'Cache-Control: max-age=0',
];
/** Five; the pin is the sixth, and stands in their midst. */
const BEFORE = 'theme=dark; _ga=GA1.1.1234567890.1700000000; ';
const AFTER = '; consent=analytics.none; basket=3f9c2d7be1a04c55; locale=en-GB';

export const browserPages: Work = {
  name: 'browser-pages',
  number: 2,
  title: "pinned GET with a browser's head, 64 KiB, kept connections",
  run: async (bench) => {
    const upstreams = await startFiles(await bench.folder('upstreams'));
    const expected = { path: PAGE_PATH, body: (version: string) => bodyOf(version, PAGE_BYTES) };
    try {
      await measureCases(bench, browserPages, { upstreams, expected, cases: [pageCase(32), pageCase(512)] });
    } finally {
      await upstreams.stop();
    }
  },
};

function pageCase(connections: number): Case {
  return {
    name: `${connections} connections`,
    plan: { method: 'GET', path: PAGE_PATH, fields: FIELDS, body: null, connections },
    cookies: (peer, upstreams) => pinnedCookies(peer, upstreams).map((pin) => BEFORE + pin + AFTER),
  };
}
