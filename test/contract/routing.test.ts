// Where a request goes and what it and its answer say about it, on every engine: the decision is Steering's, which has its
// own tests; here it is seen that an engine asks it with the right facts and does what it says.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { rawClient } from '../kit/raw-client.ts';
import { NAVIGATION, onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { type Message, valuesOf } from '../kit/strict-http.ts';
import { startUpstream, type Upstream, VERSION_FIELD } from '../kit/upstream.ts';
import { onEveryEngineAndThread } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

onEveryEngineAndThread((engine) => {
  let v1: Upstream;
  let v2: Upstream;
  let scene: Scene;
  beforeAll(async () => {
    const handle = respond;
    [v1, v2] = await Promise.all([
      startUpstream({ version: 'v1', handle }),
      startUpstream({ version: 'v2', handle }),
    ]);
    scene = await startTwo();
  });
  afterAll(async () => {
    await scene?.stop();
    await Promise.all([v1?.stop(), v2?.stop()]);
  });
  const startTwo = (more: Partial<SceneSettings> = {}): Promise<Scene> =>
    startScene(engine, { versions: { v1: [v1.address], v2: [v2.address] }, ...more });
  const lastSeen = (of: Upstream): readonly [string, string][] => {
    const raw = of.requests.at(-1)!.rawHeaders;
    return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1]!] as [string, string]] : []));
  };
  const seen = (of: Upstream, name: string): readonly string[] =>
    lastSeen(of).flatMap(([n, value]) => (n.toLowerCase() === name ? [value] : []));

  describe('a request', () => {
    test('without a pin goes to the active version, and its document brings a pin', async () => {
      const answer = await rawRequest(scene, NAVIGATION);
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v1');
      expect(onlyValue(answer, 'x-lockstep-version')).toBe('v1');
      expect(onlyValue(answer, 'server-timing')).toBe('lockstep;desc="v1"');
      expect(pinsSent(answer)).toHaveLength(1);
      expect(pinsSent(answer)[0]).toMatch(/^lockstep=1\.v1~.*; Path=\/; HttpOnly; SameSite=Lax$/);
      expect(onlyValue(answer, 'cache-control')).toContain('private');
    });

    test('with a pin goes to the version of the pin, and no second pin comes back', async () => {
      const answer = await rawRequest(scene, [...NAVIGATION, scene.pin('v2')]);
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
      expect(pinsSent(answer)).toEqual([]);
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ version: 'v2', reason: 'pinned', upstream: v2.address });
    });

    test('with a tab header goes where that says', async () => {
      const answer = await rawRequest(scene, [scene.pin('v1'), 'X-Lockstep-Version: v2'], {
        target: '/api/x',
      });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
    });

    test('with the mark of a page in its query goes where that says, and up without it', async () => {
      const answer = await rawRequest(scene, [scene.pin('v1')], { target: '/api/x?a=1&__lockstep=v2&b' });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
      expect(pinsSent(answer)).toEqual([]);
      expect(v2.requests.at(-1)!.url).toBe('/api/x?a=1&b');
      await scene.settled();
      const record = scene.records.find(({ url }) => url === '/api/x?a=1&b');
      expect(record).toMatchObject({ version: 'v2', reason: 'tab' });
    });

    test('with such a mark is not taken for the one before it, whose fields were the same', async () => {
      const client = await rawClient(scene);
      const pin = scene.pin('v1');
      const servedBy = async (target: string): Promise<string> => {
        await client.send(`GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${pin}\r\n\r\n`);
        return onlyValue(await client.finalAnswer('GET'), VERSION_FIELD);
      };
      const targets = ['/api/x', '/api/x', '/api/x?__lockstep=v2', '/api/x', '/api/x?__lockstep=v2'];
      const served: string[] = [];
      for (const target of targets) served.push(await servedBy(target));
      client.close();
      expect(served).toEqual(['v1', 'v1', 'v2', 'v1', 'v2']);
    });

    test('for a page is led nowhere by a mark in its link', async () => {
      const answer = await rawRequest(scene, [...NAVIGATION, scene.pin('v1')], { target: '/?__lockstep=v2' });
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v1');
      expect(v1.requests.at(-1)!.url).toBe('/');
    });

    test('that posts a form gets a page that says so: to load it again would post again', async () => {
      const answer = await rawRequest(scene, [...NAVIGATION, scene.pin('v1')], {
        method: 'POST',
        target: '/api/order',
        body: 'x',
      });
      expect(valuesOf(answer, 'server-timing')).toEqual(['lockstep;desc="v1"', 'lockstep-posted']);
    });

    test('tells the application its version, session and client', async () => {
      const pin = scene.pin('v2');
      await rawRequest(scene, [pin]);
      expect(seen(v2, 'x-lockstep-version')).toEqual(['v2']);
      expect(seen(v2, 'x-lockstep-session')).toEqual([pin.split('~')[1]]);
      expect(seen(v2, 'x-lockstep-hops')).toEqual(['1']);
      expect(seen(v2, 'x-forwarded-for')).toEqual(['127.0.0.1']);
      expect(seen(v2, 'x-forwarded-proto')).toEqual(['http']);
      expect(seen(v2, 'x-forwarded-host')).toEqual(['shop.example']);
      expect(seen(v2, 'host')).toEqual(['shop.example']);
      expect(seen(v2, 'cookie')).toEqual([pin.slice('Cookie: '.length)]);
    });

    test('keeps the spelling, order and number of its fields', async () => {
      await rawRequest(scene, ['X-One: 1', 'x-ONE: 2', 'my_own_field: 1', 'X-Empty: ']);
      expect(lastSeen(v1)).toEqual(
        expect.arrayContaining([
          ['X-One', '1'],
          ['my_own_field', '1'],
          ['X-Empty', ''],
        ]),
      );
      expect(seen(v1, 'x-one')).toEqual(['1', '2']);
    });

    test.each(['//evil.example/x', '/a//b', '/http:/x', '/a?b=c?d=//e', '/%2e%2e/x', '/a/../b', "/'{}|^`\\"])(
      'keeps its target %s as it is',
      async (target) => {
        await rawRequest(scene, [], { target });
        expect(v1.requests.at(-1)!.url).toBe(target);
      },
    );

    test('loses what speaks of its connection or only a proxy may say', async () => {
      await rawRequest(scene, [
        'Connection: x-mine, keep-alive',
        'X-Mine: 1',
        'Keep-Alive: timeout=5',
        'Proxy-Connection: keep-alive',
        'TE: trailers',
        'Upgrade: h2c',
        'HTTP2-Settings: x',
        'X-Forwarded-For: 6.6.6.6',
        'X_Forwarded_For: 6.6.6.6',
        'Forwarded: for=6.6.6.6',
        'X-Real-IP: 6.6.6.6',
        'X-Lockstep-Session: stolen',
        'X_Lockstep_Version: v2',
      ]);
      const names = lastSeen(v1).map(([name]) => name.toLowerCase());
      for (const name of ['x-mine', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'http2-settings']) {
        expect(names).not.toContain(name);
      }
      expect(JSON.stringify(lastSeen(v1))).not.toMatch(/6\.6\.6|stolen/);
      expect(names.filter((name) => name.includes('_'))).toEqual([]);
    });

    test('of HTTP/1.0 without a Host is answered, and the connection ends', async () => {
      const { client, answer } = await oneZero(scene);
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v1');
      await client.waitForEnd();
      client.close();
    });

    test('V11: for another host than those that are served is a 421', async () => {
      const strict = await startTwo({ hosts: ['shop.example'] });
      expect((await rawRequest(strict, [])).status).toBe(200);
      const refused = await otherHost(strict);
      expect([refused.status, onlyValue(refused, 'x-lockstep-error')]).toEqual([421, 'unknown-host']);
      await strict.stop();
    });

    test('that has passed eight gateways is a 508', async () => {
      const refused = await rawRequest(scene, ['X-Lockstep-Hops: 8']);
      expect([refused.status, onlyValue(refused, 'x-lockstep-error')]).toEqual([508, 'loop']);
    });

    test.each(['CONNECT', 'TRACE'])('%s is a 405', async (method) => {
      const target = method === 'CONNECT' ? 'shop.example:443' : '/';
      const refused = await rawRequest(scene, [], { method, target });
      expect([refused.status, onlyValue(refused, 'x-lockstep-error')]).toEqual([405, 'method-not-allowed']);
      expect(onlyValue(refused, 'allow')).toContain('GET');
    });

    test('shows the application no pin when that is to be stripped', async () => {
      const stripping = await startTwo({ cookie: { strip: true } });
      await rawRequest(stripping, [`${stripping.pin('v1')}; mine=1`]);
      expect(seen(v1, 'cookie')).toEqual(['mine=1']);
      await rawRequest(stripping, [stripping.pin('v1')]);
      expect(seen(v1, 'cookie')).toEqual([]);
      await stripping.stop();
    });
  });

  describe('a trusted proxy', () => {
    test('is believed, and its address added on the right', async () => {
      const behind = await startTwo({ trustedProxies: ['127.0.0.0/8'] });
      const answer = await rawRequest(behind, [
        ...NAVIGATION,
        'X-Forwarded-For: 192.0.2.7',
        'X-Forwarded-Proto: https',
      ]);
      expect(seen(v1, 'x-forwarded-for')).toEqual(['192.0.2.7, 127.0.0.1']);
      expect(seen(v1, 'x-forwarded-proto')).toEqual(['https']);
      expect(pinsSent(answer)[0]).toMatch(/; Secure/);
      await behind.settled();
      expect(behind.records.at(-1)!.client).toBe('192.0.2.7');
      await behind.stop();
    });
  });

  describe('an answer', () => {
    test('keeps its Set-Cookie lines apart and in order, and loses one of the pin’s name', async () => {
      const answer = await rawRequest(scene, [scene.pin('v1')], { target: '/cookies' });
      expect(valuesOf(answer, 'set-cookie')).toEqual(['a=1; Path=/', 'b=2, with a comma', 'a=3']);
    });

    test('loses what speaks of its connection or only the gateway may say', async () => {
      const answer = await rawRequest(scene, [], { target: '/hops' });
      expect(answer.leaks).toEqual([]);
      for (const name of ['x-mine', 'keep-alive', 'proxy-connection', 'x-lockstep-session']) {
        expect(valuesOf(answer, name)).toEqual([]);
      }
      expect(onlyValue(answer, 'x-lockstep-version')).toBe('v1');
      expect(onlyValue(answer, 'x-other')).toBe('kept');
    });

    test('is not kept by a shared cache when it carries a pin', async () => {
      const answer = await rawRequest(scene, NAVIGATION, { target: '/prerendered' });
      expect(pinsSent(answer)).toHaveLength(1);
      expect(onlyValue(answer, 'cache-control')).not.toMatch(/s-maxage|public/);
      expect(valuesOf(answer, 'cdn-cache-control')).toEqual([]);
    });
  });

  describe('a dead pin', () => {
    let gone: Scene;
    beforeAll(async () => {
      gone = await startTwo();
      await gone.activate('v2', ['v1']);
    });
    afterAll(() => gone?.stop());

    test('takes a navigation to the newest version, with a new pin and without its conditions', async () => {
      const lines = [...NAVIGATION, gone.pin('v1'), 'If-None-Match: "x"', 'Range: bytes=0-1'];
      const answer = await rawRequest(gone, lines);
      expect(onlyValue(answer, VERSION_FIELD)).toBe('v2');
      expect(pinsSent(answer)[0]).toMatch(/^lockstep=1\.v2~/);
      expect(seen(v2, 'if-none-match')).toEqual([]);
      expect(seen(v2, 'range')).toEqual([]);
    });

    test.each([
      { method: 'GET', body: '' },
      { method: 'POST', body: 'x' },
    ])('is a 409 for a $method of its page, on a connection that stays', async ({ method, body }) => {
      const before = v2.requestCount() + v1.requestCount();
      const lines = [gone.pin('v1'), 'Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty'];
      const answer = await rawRequest(gone, lines, { method, target: '/api/x', body });
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([409, 'dead-pin']);
      expect(onlyValue(answer, 'x-lockstep-reload')).toBe('1');
      expect(onlyValue(answer, 'content-type')).toBe('application/problem+json');
      if (body === '') expect(valuesOf(answer, 'connection')).toEqual([]);
      expect(v2.requestCount() + v1.requestCount()).toBe(before);
      await gone.settled();
      // Not merely the last one: a request that another thread served before may end after it.
      const record = gone.records.find((one) => one.url === '/api/x' && one.method === method);
      expect(record).toMatchObject({ status: 409, reason: 'pin-gone', failure: 'dead-pin' });
    });
  });
});

function respond({ url = '' }: IncomingMessage, response: ServerResponse): boolean {
  switch (url) {
    case '/cookies':
      response.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2, with a comma', 'lockstep=forged', 'a=3']);
      break;
    case '/hops':
      response.writeHead(200, {
        Connection: 'x-mine',
        'X-Mine': '1',
        'Keep-Alive': 'timeout=99',
        'Proxy-Connection': 'x',
        'X-Lockstep-Session': 'stolen',
        'X-Lockstep-Version': 'v9',
        'X-Other': 'kept',
      });
      break;
    case '/prerendered':
      response.writeHead(200, {
        'Content-Type': 'text/html',
        'Cache-Control': 'public, s-maxage=31536000',
        'CDN-Cache-Control': 'max-age=60',
      });
      break;
    default:
      return false;
  }
  response.end('x');
  return true;
}

async function oneZero(scene: Scene) {
  const client = await rawClient(scene);
  await client.send('GET / HTTP/1.0\r\n\r\n');
  return { client, answer: await client.finalAnswer() };
}

async function otherHost(scene: Scene): Promise<Message> {
  const client = await rawClient(scene);
  await client.send('GET / HTTP/1.1\r\nHost: evilshop.example\r\n\r\n');
  return client.finalAnswer().finally(() => client.close());
}
