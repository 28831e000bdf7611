// A page of v1 is left open, v1 ends, and the operator would rather have what it asks for answered by v2 than refused
// (deadPin.safe: newest). That is skew, and the gateway says so: in the access log, the metrics, the status, an event and
// `lockstep skew`. Nothing of that where page and answer agree, and where detection is off.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { renderStatus } from '../../src/cli/status-table.ts';
import type { SkewReport } from '../../src/core/status.ts';
import { cookieJar } from '../kit/cookie-jar.ts';
import { type Answer, httpRequest } from '../kit/http-request.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';
import { fakeTerminal } from './admin/fake-terminal.ts';

const PAGE = {
  'sec-fetch-dest': 'document',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'same-origin',
  accept: 'text/html',
};
const FETCH = { 'sec-fetch-dest': 'empty', 'sec-fetch-mode': 'cors', 'sec-fetch-site': 'same-origin' };

let folder: string;
let scene: TwoVersions;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lockstep-skew-'));
});
afterEach(async () => {
  await scene.stop();
  await rm(folder, { recursive: true, force: true });
});

/** A browser with a page of v1 at /cart; then v1 ends. */
async function leftBehind(more: Readonly<Record<string, unknown>> = {}) {
  scene = await startTwoVersions({
    accessLog: { file: join(folder, 'access.log') },
    deadPin: { safe: 'newest' },
    more,
  });
  const { gateway } = scene;
  const jar = cookieJar();
  const get = async (path: string, headers: Record<string, string>): Promise<Answer> => {
    const url = new URL(path, gateway.url);
    const cookie = jar.headerFor(url);
    const answer = await httpRequest(url.href, { headers: { ...headers, ...(cookie !== '' && { cookie }) } });
    jar.store(answer.setCookies, url);
    return answer;
  };
  expect((await get('/cart', PAGE)).headers['x-lockstep-version']).toBe('v1');
  const page = (path: string) => ({ referer: `${gateway.url}${path}` });
  await get('/api/at-first', { ...FETCH, ...page('/cart'), 'x-lockstep-version': 'v1' });
  await gateway.admin.wait('v2', 'healthy');
  await gateway.admin.promote('v2');
  await get('/api/while-it-drains', { ...FETCH, ...page('/cart') });
  await gateway.admin.retire('v1', true);
  return { gateway, get, page };
}

const report = async (): Promise<SkewReport> =>
  (await scene.gateway.admin.call('GET', '/v1/skew')).json<SkewReport>();
const skewed = (requests: number) =>
  waitFor(async () => (await report()).requests === requests, { what: `${requests} skewed requests` });
const log = () => readFile(join(folder, 'access.log'), 'utf8').catch(() => '');

describe.each([{ threads: 1 }, { threads: 2 }, { threads: 1, engine: 'http-proxy' }])(
  'with %j',
  (settings) => {
    test('what a page got from another version is seen', async () => {
      const { gateway, get, page } = await leftBehind(settings);
      const events = await gateway.admin.follow();
      const answer = await get('/api/cart?secret=1', { ...FETCH, ...page('/cart') });
      expect(answer.headers['x-lockstep-version']).toBe('v2');
      await get('/api/cart', { ...FETCH, 'x-lockstep-version': 'v1' });
      // Nobody knows what page that was.
      await get('/api/a', { ...FETCH, ...page('/elsewhere') });
      expect((await get('/', PAGE)).headers['x-lockstep-version']).toBe('v2');
      await get('/api/b', { ...FETCH, ...page('/') });
      await skewed(2);
      const { paths, versions } = await report();
      expect(versions).toEqual([{ page: 'v1', version: 'v2', requests: 2 }]);
      expect(paths).toMatchObject([{ page: 'v1', version: 'v2', path: '/api/cart', requests: 2 }]);
      // Of all threads: each hands over its own lines when it comes to it.
      const marked = await waitFor(
        async () => {
          const lines = (await log()).trim().split('\n');
          const found = lines.map((line) => JSON.parse(line)).filter((line) => 'page' in line);
          return found.length >= 2 && lines.some((line) => line.includes('/api/b')) ? found : null;
        },
        { what: 'the log' },
      );
      expect(marked.map(({ url }) => url).sort()).toEqual(['/api/cart', '/api/cart?secret=1']);
      for (const line of marked) expect(line).toMatchObject({ version: 'v2', page: 'v1' });
      expect(marked.map(({ id }) => id)).toContain(paths[0]!.request);
      const metrics = (await gateway.admin.call('GET', '/metrics')).text();
      expect(metrics).toContain('lockstep_skewed_requests_total{page="v1",version="v2"} 2\n');
      const now = { colour: false, nowMs: Date.now(), timeZone: 'UTC', columns: 200 };
      const status = renderStatus(await gateway.admin.status(), now);
      expect(status).toContain("! 2 requests were answered by another version than the page's, the latest ");
      await waitFor(() => events.seen.some(({ type }) => type === 'skew'), { what: 'the event' });
      events.stop();
      expect(events.seen.find(({ type }) => type === 'skew')).toMatchObject({
        version: 'v1',
        detail: { page: 'v1', answeredBy: 'v2', path: '/api/cart' },
      });
    });
  },
);

test('nothing is looked for where it is off', async () => {
  const { get, page } = await leftBehind({ skew: { detect: false } });
  await get('/api/cart', { ...FETCH, ...page('/cart') });
  await waitFor(async () => (await log()).includes('/api/cart'), { what: 'the log' });
  expect((await report()).requests).toBe(0);
  expect(await log()).not.toContain('"page"');
});

test('lockstep skew tells of it', async () => {
  const { gateway, get, page } = await leftBehind();
  const lockstep = async (line: string) => {
    const { terminal, ran } = fakeTerminal({ env: { LOCKSTEP_ADMIN: gateway.admin.url } });
    expect(await run(line.split(' '), terminal)).toBe(0);
    return ran.out;
  };
  expect(await lockstep('skew')).toMatch(/^No skew seen since .*\.\n$/);
  for (let n = 0; n < 3; n++) await get('/api/cart', { ...FETCH, ...page('/cart') });
  await skewed(3);
  const out = await lockstep('skew');
  expect(out).toContain('3 skewed requests since');
  expect(out).toMatch(/^v1 +v2 +3 .*\/api\/cart$/m);
  expect(JSON.parse(await lockstep('skew --json'))).toMatchObject({ requests: 3 });
});
