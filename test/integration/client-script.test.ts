// /.lockstep/client.js as browsers, caches and curl get it: compressed as they can read it, kept for a while, asked for again
// by its ETag, and never a matter of versions or pins.

import { readFileSync } from 'node:fs';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../kit/http-request.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';

const SOURCE = readFileSync(new URL('../../src/client/client.min.js', import.meta.url));

describe.each(['wire', 'http-proxy'])('/.lockstep/client.js on the %s engine', (engine) => {
  let scene: TwoVersions;
  beforeAll(async () => {
    scene = await startTwoVersions({ more: { engine } });
  });
  afterAll(() => scene.stop());
  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    httpRequest(`${scene.gateway.url}/.lockstep/client.js`, { method, headers });

  test.each([
    { accepted: 'gzip, deflate, br, zstd', coding: 'br', plain: brotliDecompressSync },
    { accepted: 'gzip, deflate', coding: 'gzip', plain: gunzipSync },
    { accepted: 'br;q=0, GZIP;q=0.5', coding: 'gzip', plain: gunzipSync },
    { accepted: 'identity', coding: undefined, plain: (body: Buffer) => body },
    { accepted: '', coding: undefined, plain: (body: Buffer) => body },
  ])('is $coding for who accepts "$accepted"', async ({ accepted, coding, plain }) => {
    const { status, headers, body } = await get({ 'accept-encoding': accepted });
    expect(status).toBe(200);
    expect(headers['content-encoding']).toBe(coding);
    expect(plain(body).equals(SOURCE)).toBe(true);
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'content-length': String(body.length),
      'x-content-type-options': 'nosniff',
      vary: 'Accept-Encoding',
    });
  });

  test('takes less than 2 KiB on its way', async () => {
    for (const coding of ['gzip', 'br'])
      expect((await get({ 'accept-encoding': coding })).body.length).toBeLessThan(2_048);
  });

  test('may be kept by anybody for a while, has no version, and brings no pin', async () => {
    const { headers, setCookies } = await get();
    expect(headers['cache-control']).toBe('public, max-age=600, stale-while-revalidate=86400');
    expect(headers['x-lockstep-version']).toBeUndefined();
    expect(setCookies).toEqual([]);
    expect(scene.v1.requestCount() + scene.v2.requestCount()).toBe(0);
  });

  test('is a 304 for who has it, in that coding', async () => {
    const [gzip, plain] = await Promise.all([get({ 'accept-encoding': 'gzip' }), get()]);
    const etag = gzip.headers.etag!;
    expect(plain.headers.etag).not.toBe(etag);
    const ask = async (known: string) =>
      (await get({ 'accept-encoding': 'gzip', 'if-none-match': known })).status;
    expect(await ask(etag)).toBe(304);
    expect(await ask(`"other", W/${etag}`)).toBe(304);
    expect(await ask('*')).toBe(304);
    expect(await ask(plain.headers.etag!)).toBe(200);
  });

  test('has a head for HEAD, and nothing for POST', async () => {
    const head = await get({}, 'HEAD');
    expect(head.headers['content-length']).toBe(String(SOURCE.length));
    expect(head.body.length).toBe(0);
    expect((await get({}, 'POST')).status).toBe(405);
  });
});
