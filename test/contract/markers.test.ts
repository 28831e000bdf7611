// Versions named by markers, on every engine: in header fields, the query, the path and cookies, before and after heads are
// recognised, and none where none is switched on.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { startUpstream, type Upstream, VERSION_FIELD } from '../kit/upstream.ts';
import { onEveryEngine } from './engines.ts';
import { recorded, type Scene, startScene } from './scene.ts';

const MARKERS = {
  headers: ['x-deployment-id', 'x-build'],
  queries: ['dpl'],
  paths: ['/app/{version}/*'],
  cookies: ['__vdpl'],
};
const FROM_THE_SITE = [
  'Sec-Fetch-Dest: document',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-Site: same-origin',
  'Accept: text/html',
];

onEveryEngine((engine) => {
  let v1: Upstream;
  let v2: Upstream;
  let scene: Scene;
  let plain: Scene;
  beforeAll(async () => {
    [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
    const versions = { v1: [v1.address], v2: [v2.address], v3: [v1.address] };
    [scene, plain] = await Promise.all([
      startScene(engine, { versions, markers: MARKERS }),
      startScene(engine, { versions }),
    ]);
    await Promise.all([scene.activate('v2', ['v3']), plain.activate('v2', ['v3'])]);
  });
  afterAll(async () => {
    await Promise.all([scene?.stop(), plain?.stop()]);
    await Promise.all([v1?.stop(), v2?.stop()]);
  });

  describe('a marker', () => {
    test.each([
      { name: 'a header', lines: ['X-Deployment-Id: v1'] },
      { name: 'another header, in any case', lines: ['x-BUILD: v1'] },
      { name: 'the last of two fields', lines: ['X-Build: v2', 'X-Build: v1'] },
      { name: 'the header that comes first in the settings', lines: ['X-Build: v2', 'X-Deployment-Id: v1'] },
      { name: 'the query', lines: [], target: '/chunk.js?a=1&dpl=v1' },
      { name: 'the path', lines: [], target: '/app/v1/chunk.js' },
      { name: 'a cookie', lines: ['Cookie: a=b; __vdpl=v1'], isFirst: true },
    ])('$name goes where it says', async ({ lines, target = '/api', isFirst = false }) => {
      const fields = isFirst ? lines : [scene.pin('v2'), ...lines];
      const answer = await rawRequest(scene, fields, { target });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v1');
      expect(onlyValue(answer, 'x-lockstep-version')).toBe('v1');
      await recorded(scene, { version: 'v1', reason: 'marker' });
    });

    test('in the query of a page from the site itself moves the session', async () => {
      const pin = scene.pin('v2');
      const answer = await rawRequest(scene, [...FROM_THE_SITE, pin], { target: '/?dpl=v1' });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v1');
      const [moved] = pinsSent(answer);
      expect(moved).toMatch(new RegExp(`^lockstep=1\\.v1~${pin.split('~')[1]}~`));
      const next = await rawRequest(scene, [`Cookie: ${moved!.split(';')[0]}`], { target: '/api' });
      expect(onlyValue(next, VERSION_FIELD)).toBe('v1');
    });

    test('in a cookie gets a pin', async () => {
      const answer = await rawRequest(scene, [...FROM_THE_SITE, 'Cookie: __vdpl=v1']);
      expect(pinsSent(answer)[0]).toMatch(/^lockstep=1\.v1~/);
    });

    test('of a version that is gone is a 409 that tells the page to reload', async () => {
      for (const [lines, target] of [
        [['X-Build: v3'], '/api'],
        [[], '/api?dpl=v3'],
        [[], '/app/v3/x'],
      ] as const) {
        const refused = await rawRequest(scene, [scene.pin('v2'), ...lines], { target });
        expect([refused.status, onlyValue(refused, 'x-lockstep-reload')]).toEqual([409, '1']);
      }
    });

    test('that is unknown is ignored', async () => {
      const answer = await rawRequest(scene, [scene.pin('v2'), 'X-Build: v9'], {
        target: '/app/v9/x?dpl=v9',
      });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
    });

    test('reaches the application as it came', async () => {
      await rawRequest(scene, ['X-Build: v1'], { target: '/app/v2/x?dpl=v1' });
      const { url, rawHeaders } = v1.requests.at(-1)!;
      expect(url).toBe('/app/v2/x?dpl=v1');
      expect(rawHeaders).toContain('X-Build');
    });

    test('steers one request of many with the same fields on one connection', async () => {
      const client = await rawClient(scene);
      const fields = `Host: shop.example\r\n${scene.pin('v2')}\r\n\r\n`;
      const want = ['v2', 'v2', 'v1', 'v2', 'v1', 'v2'];
      const got: string[] = [];
      for (const target of ['/a', '/b', '/c?dpl=v1', '/d', '/app/v1/e', '/f?x=1']) {
        await client.send(`GET ${target} HTTP/1.1\r\n${fields}`);
        got.push(onlyValue(await client.finalAnswer('GET'), VERSION_FIELD));
      }
      expect(got).toEqual(want);
      client.close();
    });

    test('is nothing where none is switched on', async () => {
      const fields = [...FROM_THE_SITE, 'Cookie: __vdpl=v1', 'X-Build: v1', 'X-Deployment-Id: v1'];
      const answer = await rawRequest(plain, fields, { target: '/app/v1/x?dpl=v1' });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
      await recorded(plain, { version: 'v2', reason: 'new' });
    });
  });
});
