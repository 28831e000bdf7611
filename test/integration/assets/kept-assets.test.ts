// A page of v1 is open. v2 is promoted, v1 drained and retired, its servers are stopped, the gateway is restarted: what the page
// loads late is there, to the octet, in whatever way it is asked for.

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { startGateway, type TestGateway } from '../../kit/gateway.ts';
import { temporaryFolder } from '../../kit/gateway-config.ts';
import { httpRequest } from '../../kit/http-request.ts';
import { startUpstream, type Upstream } from '../../kit/upstream.ts';
import { waitFor } from '../../kit/wait-for.ts';

const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';
const IMMUTABLE = 'public, max-age=31536000, immutable';

const cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** Files by path; each answers as a good static file server does. What is not there is a 404. */
async function startVersion(version: string, files: Readonly<Record<string, string>>): Promise<Upstream> {
  const upstream = await startUpstream({
    version,
    handle: (request, response) => serveFile(files, request, response),
  });
  cleanUp.push(() => upstream.stop());
  return upstream;
}

function serveFile(
  files: Readonly<Record<string, string>>,
  { url = '', headers, method }: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (!url.startsWith('/assets/')) return false;
  const content = files[url];
  if (content === undefined) {
    response.writeHead(404, { 'content-type': 'text/plain' }).end(`no ${url} here`);
    return true;
  }
  const accepted = String(headers['accept-encoding'] ?? '');
  const coding = accepted.includes('br') ? 'br' : accepted.includes('gzip') ? 'gzip' : '';
  const body = { br: brotliCompressSync, gzip: gzipSync, '': Buffer.from }[coding](content);
  const etag = `"${createHash('sha256').update(content).digest('hex').slice(0, 8)}${coding}"`;
  response.writeHead(200, {
    'content-type': 'text/javascript',
    'cache-control': IMMUTABLE,
    'content-length': body.length,
    'last-modified': MODIFIED,
    vary: 'Accept-Encoding',
    etag,
    ...(coding !== '' && { 'content-encoding': coding }),
  });
  response.end(method === 'HEAD' ? undefined : body);
  return true;
}

interface Scene {
  readonly v1: Upstream;
  readonly v2: Upstream;
  readonly stateDir: string;
  gateway: TestGateway;
  /** Of a session on v1. */
  readonly cookie: string;
}

const CHUNK = '/assets/chunk-3f2a9c01.js';
const SECRET = `export default ${JSON.stringify('lazy '.repeat(400))};`;

const settings = (engine: string, threads: number, more: object = {}) => ({
  deadPin: { patience: '200ms' },
  more: { assets: {}, engine, threads, ...more },
});

async function open(engine: string, threads: number, more: object = {}): Promise<Scene> {
  const v1 = await startVersion('v1', { [CHUNK]: SECRET, '/assets/logo.svg': '<svg>1</svg>' });
  const v2 = await startVersion('v2', {
    '/assets/chunk-77aa88bb.js': 'export default 2;',
    '/assets/new.svg': '<svg/>',
  });
  const state = await temporaryFolder('state');
  cleanUp.push(() => state.remove());
  const gateway = await startGateway({
    ...settings(engine, threads, more),
    versions: { v1: [v1.url], v2: [v2.url] },
    active: 'v1',
    stateDir: state.path,
  });
  const scene: Scene = { v1, v2, stateDir: state.path, gateway, cookie: await newSession(gateway) };
  cleanUp.push(() => scene.gateway.stop());
  return scene;
}

/** v1 drains, v2 is active. */
async function openWithTwo(engine: string, threads: number, more: object = {}): Promise<Scene> {
  const scene = await open(engine, threads, more);
  await scene.gateway.admin.promote('v2');
  return scene;
}

async function newSession(gateway: TestGateway): Promise<string> {
  const { headers } = await httpRequest(`${gateway.url}/`, { headers: { accept: 'text/html' } });
  return String(headers['set-cookie']).split(';')[0]!;
}

function get(scene: Scene, path: string, headers: Readonly<Record<string, string>> = {}, method = 'GET') {
  // Ports change with the restart.
  const sent = { host: 'shop.example', cookie: scene.cookie, ...headers };
  return httpRequest(`${scene.gateway.url}${path}`, { method, headers: sent });
}

/** All copies that are wanted have been made. */
async function kept(scene: Scene, assets: number): Promise<void> {
  await waitFor(async () => (await metric(scene, 'lockstep_asset_memory_assets')) === assets, {
    what: `${assets} assets in memory`,
  });
}

async function metric(scene: Scene, name: string): Promise<number> {
  const line = (await scene.gateway.admin.call('GET', '/metrics'))
    .text()
    .split('\n')
    .find((text) => text.startsWith(`${name} `) || text.startsWith(`${name}{`));
  return Number(line?.split(' ').at(-1) ?? Number.NaN);
}

/** v1 is gone for good, and its servers. */
async function goOn({ gateway, v1 }: Scene): Promise<void> {
  if ((await gateway.admin.status()).active === 'v1') await gateway.admin.promote('v2');
  await gateway.admin.retire('v1', true);
  await v1.stop();
}

async function restart(scene: Scene, engine: string, threads: number): Promise<void> {
  await scene.gateway.stop();
  scene.gateway = await startGateway({
    ...settings(engine, threads),
    versions: { v2: [scene.v2.url] },
    active: 'v2',
    stateDir: scene.stateDir,
  });
}

describe.each([
  ['wire', 1],
  ['wire', 2],
  ['http-proxy', 1],
] as const)('assets of a version that is gone: %s, %i threads', (engine, threads) => {
  it('are there after its servers are stopped and the gateway was restarted', async () => {
    const scene = await open(engine, threads);
    expect((await get(scene, CHUNK)).text()).toBe(SECRET);
    await kept(scene, 1);
    await goOn(scene);
    for (const again of [false, true]) {
      if (again) await restart(scene, engine, threads);
      const answer = await get(scene, CHUNK);
      expect(answer.status).toBe(200);
      expect(answer.text()).toBe(SECRET);
      expect(answer.headers).toMatchObject({
        'content-type': 'text/javascript',
        'cache-control': IMMUTABLE,
        'last-modified': MODIFIED,
        'x-lockstep-version': 'v1',
      });
      expect(answer.headers['set-cookie']).toBeUndefined();
    }
  });

  it('are there in parts, to conditions, in codings and to HEAD', async () => {
    const scene = await open(engine, threads);
    const { headers } = await get(scene, CHUNK);
    await kept(scene, 1);
    await goOn(scene);
    const part = await get(scene, CHUNK, { range: 'bytes=10-19' });
    expect([part.status, part.text()]).toEqual([206, SECRET.slice(10, 20)]);
    expect(part.headers['content-range']).toBe(`bytes 10-19/${SECRET.length}`);
    const behind = await get(scene, CHUNK, { range: `bytes=${SECRET.length}-` });
    expect([behind.status, behind.headers['content-range']]).toEqual([416, `bytes */${SECRET.length}`]);
    const unchanged = await get(scene, CHUNK, { 'if-none-match': String(headers.etag) });
    expect([unchanged.status, unchanged.body.length]).toEqual([304, 0]);
    const since = await get(scene, CHUNK, { 'if-modified-since': MODIFIED });
    expect(since.status).toBe(304);
    const br = await get(scene, CHUNK, { 'accept-encoding': 'gzip, deflate, br' });
    expect([br.headers['content-encoding'], brotliDecompressSync(br.body).toString()]).toEqual([
      'br',
      SECRET,
    ]);
    const gzip = await get(scene, CHUNK, { 'accept-encoding': 'gzip' });
    expect([gzip.headers['content-encoding'], gunzipSync(gzip.body).toString()]).toEqual(['gzip', SECRET]);
    const head = await get(scene, CHUNK, {}, 'HEAD');
    expect([head.status, head.body.length]).toEqual([200, 0]);
    expect(head.headers['content-length']).toBe(String(SECRET.length));
  });

  it('are with TLS what they were with it, and without it what they were without', async () => {
    const v1 = await startUpstream({
      version: 'v1',
      handle: ({ url, headers }, response) => {
        if (url !== CHUNK) return false;
        const body = `load("${String(headers['x-forwarded-proto'])}://cdn.example/");`;
        const length = String(body.length);
        response.writeHead(200, { 'cache-control': IMMUTABLE, 'content-length': length }).end(body);
        return true;
      },
    });
    cleanUp.push(() => v1.stop());
    const v2 = await startVersion('v2', {});
    const gateway = await startGateway({
      ...settings(engine, threads, { trustedProxies: ['127.0.0.0/8'] }),
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
    });
    cleanUp.push(() => gateway.stop());
    const scene = { v1, v2, gateway, stateDir: '', cookie: await newSession(gateway) };
    const schemes = ['http', 'https'];
    for (const scheme of schemes) await get(scene, CHUNK, { 'x-forwarded-proto': scheme });
    await kept(scene, 2);
    await goOn(scene);
    for (const scheme of schemes) {
      const answer = await get(scene, CHUNK, { 'x-forwarded-proto': scheme });
      expect(answer.text()).toBe(`load("${scheme}://cdn.example/");`);
    }
  });

  it('are no help to what is no asset, and to what nobody has: the page is told to reload', async () => {
    const scene = await open(engine, threads);
    await get(scene, CHUNK);
    await kept(scene, 1);
    await goOn(scene);
    for (const path of ['/api/cart', '/assets/never-00aa11bb.js']) {
      const answer = await get(scene, path);
      expect([path, answer.status, answer.headers['x-lockstep-reload']]).toEqual([path, 409, '1']);
    }
    const post = await get(scene, CHUNK, {}, 'POST');
    expect(post.status).toBe(409);
    expect(scene.v2.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('are not to be had of a version that was cut off', async () => {
    const scene = await open(engine, threads);
    await get(scene, CHUNK);
    await kept(scene, 1);
    await scene.gateway.admin.promote('v2');
    await scene.gateway.admin.cutoff('v1', 'it is broken');
    expect((await get(scene, CHUNK)).status).toBe(409);
    await kept(scene, 0);
  });
});

describe.each([
  ['wire', 1],
  ['wire', 2],
  ['http-proxy', 1],
] as const)('an asset that its version does not have: %s, %i threads', (engine, threads) => {
  it('comes from the version that has it', async () => {
    const scene = await openWithTwo(engine, threads);
    const answer = await get(scene, '/assets/chunk-77aa88bb.js', { 'accept-encoding': 'gzip' });
    expect(answer.status).toBe(200);
    expect(gunzipSync(answer.body).toString()).toBe('export default 2;');
    expect(answer.headers['x-lockstep-version']).toBe('v2');
    expect(answer.headers['set-cookie']).toBeUndefined();
    // The page stays what it is.
    expect((await get(scene, '/api/cart')).json()).toMatchObject({ version: 'v1' });
  });

  it("is the version's own 404 when nobody has it, and nobody is asked again for a while", async () => {
    const scene = await openWithTwo(engine, threads);
    for (let i = 0; i < 5; i++) {
      const answer = await get(scene, '/assets/chunk-0a0b0c0d.js');
      expect([answer.status, answer.text()]).toEqual([404, 'no /assets/chunk-0a0b0c0d.js here']);
      expect(answer.headers['x-lockstep-version']).toBe('v1');
    }
    expect(scene.v2.requests.filter(({ url }) => url.startsWith('/assets/'))).toHaveLength(1);
  });

  it('is asked of others without cookies, authorization and addresses', async () => {
    const scene = await openWithTwo(engine, threads);
    const secret = {
      authorization: 'Bearer secret',
      cookie: `${scene.cookie}; sid=secret`,
      referer: 'https://secret/',
    };
    await get(scene, '/assets/chunk-77aa88bb.js', { ...secret, 'x-secret': 'secret' });
    await get(scene, CHUNK, secret);
    await kept(scene, 2);
    const asked = [...scene.v1.requests, ...scene.v2.requests].filter(
      ({ headers }) => headers['user-agent'] === 'lockstep-assets',
    );
    expect(asked.length).toBeGreaterThanOrEqual(4);
    expect(asked.filter(({ rawHeaders }) => /secret|127\.0\.0\.1/.test(rawHeaders.join()))).toEqual([]);
    expect(asked.every(({ headers }) => headers.host === 'shop.example')).toBe(true);
  });

  it('is not taken from another version when it is for one client, or a page', async () => {
    const scene = await openWithTwo(engine, threads);
    const heads = {
      '/assets/private-00000a01.js': { 'cache-control': 'private, max-age=60' },
      '/assets/no-store-00000a02.js': { 'cache-control': 'no-store' },
      '/assets/cookie-00000a03.js': { 'cache-control': IMMUTABLE, 'set-cookie': 'a=1' },
      '/assets/page-00000a04.js': { 'content-type': 'text/html', 'cache-control': IMMUTABLE },
      '/assets/vary-00000a05.js': { 'cache-control': IMMUTABLE, vary: 'Cookie' },
      '/assets/fleeting.js': { 'cache-control': 'max-age=0' },
    };
    const other = await startUpstream({
      version: 'v2',
      handle: ({ url = '' }, response) => {
        if (!(url in heads)) return false;
        response.writeHead(200, { 'content-type': 'text/javascript', ...heads[url as keyof typeof heads] });
        response.end('not for you');
        return true;
      },
    });
    cleanUp.push(() => other.stop());
    await scene.gateway.admin.put('v3', [other.url]);
    await scene.gateway.admin.wait('v3', 'healthy');
    await scene.gateway.admin.promote('v3');
    for (const path of Object.keys(heads)) {
      const answer = await get(scene, path);
      expect([path, answer.status]).toEqual([path, 404]);
    }
    expect(other.requests.filter(({ url }) => url in heads)).toHaveLength(Object.keys(heads).length);
  });

  it('is not a page that is shown in place of a missing script', async () => {
    const shell = '<!doctype html><title>Shop</title>';
    const v1 = await startUpstream({
      version: 'v1',
      handle: ({ url = '' }, response) => {
        if (url === '/healthz' || url.startsWith('/api/')) return false;
        response.writeHead(200, { 'content-type': 'text/html' }).end(shell);
        return true;
      },
    });
    const v2 = await startVersion('v2', { [CHUNK]: SECRET });
    cleanUp.push(() => v1.stop());
    const versions = { v1: [v1.url], v2: [v2.url] };
    const gateway = await startGateway({ ...settings(engine, threads), versions, active: 'v1' });
    cleanUp.push(() => gateway.stop());
    const cookie = await newSession(gateway);
    await gateway.admin.promote('v2');
    const headers = {
      cookie,
      'sec-fetch-dest': 'script',
      'sec-fetch-mode': 'no-cors',
    };
    const script = await httpRequest(`${gateway.url}${CHUNK}`, { headers });
    expect([script.text(), script.headers['x-lockstep-version']]).toEqual([SECRET, 'v2']);
    const none = await httpRequest(`${gateway.url}/assets/none-0a0b0c0d.js`, { headers });
    expect([none.status, none.text()]).toEqual([200, shell]);
  });
});

describe('a flood of requests for made-up names', () => {
  it('leads to few requests to other versions, and harms nobody who asks for what is there', async () => {
    const scene = await openWithTwo('wire', 2);
    await get(scene, CHUNK);
    await kept(scene, 1);
    const asked = () => scene.v2.requests.filter(({ url }) => url.startsWith('/assets/')).length;
    const startedAt = performance.now();
    for (let round = 0; round < 30; round++) {
      const names = Array.from({ length: 20 }, (_, i) => `/assets/x-${round}${i}a0b1c2d3.js`);
      const answers = await Promise.all(names.map((name) => get(scene, name)));
      expect(answers.every(({ status }) => status === 404)).toBe(true);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    // 50 at once and 10 each second; those under way when the ration ran out come on top.
    expect(asked()).toBeLessThanOrEqual(50 + 10 * Math.ceil(seconds) + 32);
    expect(asked()).toBeLessThan(300);
    await goOn(scene);
    expect((await get(scene, CHUNK)).text()).toBe(SECRET);
  });

  it("takes nothing from another client's searches", async () => {
    const scene = await openWithTwo('wire', 2, { trustedProxies: ['127.0.0.0/8'] });
    const from = (client: string) => ({ 'x-forwarded-for': client });
    for (let i = 0; i < 60; i++) await get(scene, `/assets/x-${100 + i}a0b1c2d3.js`, from('192.0.2.7'));
    const asked = scene.v2.requests.filter(({ url }) => url.startsWith('/assets/')).length;
    expect(asked).toBeLessThan(60);
    const answer = await get(scene, '/assets/chunk-77aa88bb.js', from('198.51.100.1'));
    expect([answer.status, answer.text()]).toEqual([200, 'export default 2;']);
  });

  it('takes nothing from what a version is known to have', async () => {
    const scene = await openWithTwo('wire', 1, { assets: { memory: null } });
    const elsewhere = '/assets/chunk-77aa88bb.js';
    expect((await get(scene, elsewhere)).status).toBe(200);
    const names = Array.from({ length: 120 }, (_, i) => `/assets/x-${100 + i}a0b1c2d3.js`);
    await Promise.all(names.map((name) => get(scene, name)));
    expect((await get(scene, elsewhere)).status).toBe(200);
  });
});

describe('assets that nobody has asked for yet', () => {
  const page =
    '<link rel="stylesheet" href="/assets/app-aa11bb22.css"><script type="module" src="/assets/app-3f2a9c01.js"></script>';
  const files = {
    '/assets/app-3f2a9c01.js': 'import("./lazy-77aa88bb.js"); const page = "/assets/not-there-00aa11bb.js";',
    '/assets/lazy-77aa88bb.js': 'export default "late";',
    '/assets/app-aa11bb22.css': 'a { background: url(./paper-cc33dd44.png) }',
    '/assets/paper-cc33dd44.png': 'not really',
  };

  async function openWarm(hosts: readonly string[] | null): Promise<Scene> {
    const v1 = await startUpstream({
      version: 'v1',
      handle: (request, response) => {
        if (request.url !== '/') return serveFile(files, request, response);
        response.writeHead(200, { 'content-type': 'text/html' }).end(page);
        return true;
      },
    });
    cleanUp.push(() => v1.stop());
    const v2 = await startVersion('v2', {});
    const state = await temporaryFolder('state');
    cleanUp.push(() => state.remove());
    const gateway = await startGateway({
      ...settings('wire', 1, { assets: { warm: true }, hosts }),
      versions: { v1: [v1.url], v2: [v2.url] },
      active: 'v1',
      stateDir: state.path,
    });
    cleanUp.push(() => gateway.stop());
    const { headers } = await httpRequest(gateway.url, {
      headers: { host: 'shop.example', accept: 'text/html' },
    });
    return { v1, v2, stateDir: state.path, gateway, cookie: String(headers['set-cookie']).split(';')[0]! };
  }

  it.each([[null], [['shop.example']]])('are fetched ahead with warm: true, as %j', async (hosts) => {
    const scene = await openWarm(hosts);
    await kept(scene, Object.keys(files).length);
    await goOn(scene);
    for (const [path, content] of Object.entries(files)) {
      const answer = await get(scene, path);
      expect([path, answer.status, answer.text()]).toEqual([path, 200, content]);
    }
    expect((await get(scene, '/assets/not-there-00aa11bb.js')).status).toBe(409);
  });
});

describe('without memory', () => {
  it('versions that take traffic are asked all the same', async () => {
    const scene = await openWithTwo('wire', 1, { assets: { memory: null } });
    expect((await get(scene, '/assets/chunk-77aa88bb.js')).text()).toBe('export default 2;');
    expect((await get(scene, CHUNK)).text()).toBe(SECRET);
    await goOn(scene);
    expect((await get(scene, CHUNK)).status).toBe(409);
  });

  it('and without all of it a version answers for itself', async () => {
    const scene = await openWithTwo('wire', 1, { assets: null });
    expect((await get(scene, '/assets/chunk-77aa88bb.js')).status).toBe(404);
    expect(scene.v2.requests.filter(({ url }) => url.startsWith('/assets/'))).toEqual([]);
  });
});
