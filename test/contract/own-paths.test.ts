// Own paths on every engine: they are answered by the inner upstream, whatever the application does, and neither reaches the
// other. No request there has a version or a session, or counts for one.

import { tmpdir } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sendJson } from '../../src/inner/answers.ts';
import { InnerServer } from '../../src/inner/server.ts';
import { httpRequest } from '../kit/http-request.ts';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngine } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

/** What /.lockstep/told answers with. */
interface Told {
  readonly page: string | null;
  readonly pin: string | null;
  readonly session: string | null;
  readonly client: string;
  readonly isSecure: boolean;
  readonly fields: readonly string[];
}

onEveryEngine((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  let app: Upstream;
  let inner: InnerServer;
  /** Of most tests: to make one in threads takes a while. */
  let shared: Scene;
  let scene: Scene;
  let askedBefore = 0;
  beforeAll(async () => {
    app = await startUpstream({ version: 'v1' });
    inner = await openInner();
    shared = await startScene(engine, { versions: { v1: [app.address] }, inner: inner.settings });
  });
  afterAll(async () => {
    await shared.stop();
    await inner.close();
    await app.stop();
  });
  beforeEach(() => {
    scene = shared;
    askedBefore = app.requestCount();
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const sceneWith = async (more: Partial<SceneSettings> = {}): Promise<Scene> => {
    const settings = { versions: { v1: [app.address] }, inner: inner.settings, ...more };
    const made = await startScene(engine, settings);
    cleanUp.push(() => made.stop());
    return made;
  };
  const ask = (
    target: string,
    lines: readonly string[] = [],
    more: { method?: string; body?: string } = {},
  ) => rawRequest(scene, lines, { target, ...more });
  const told = async (lines: readonly string[], query = ''): Promise<Told> =>
    JSON.parse((await ask(`/.lockstep/told${query}`, lines)).body.toString());

  describe('a request for an own path', () => {
    test('is answered inside: no version, no pin, no timing, and nothing of it at the application', async () => {
      const answer = await ask('/.lockstep/told', ['Sec-Fetch-Dest: document', 'Accept: text/html']);
      expect(answer.status).toBe(200);
      expect(valuesOf(answer, 'x-lockstep-version')).toEqual([]);
      expect(valuesOf(answer, 'server-timing')).toEqual([]);
      expect(valuesOf(answer, 'set-cookie')).toEqual([]);
      expect(onlyValue(answer, 'cache-control')).toBe('no-store');
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({
        reason: 'own',
        version: '',
        session: '',
        status: 200,
        upstream: 'inner',
        failure: null,
      });
      expect(app.requestCount() - askedBefore).toBe(0);
      expect(scene.inFlight('v1')).toBe(0);
    });

    test('with a pin gets none refreshed and touches no session, however old the pin is', async () => {
      const answer = await ask('/.lockstep/told', [scene.pin('v1')]);
      expect(pinsSent(answer)).toEqual([]);
      expect((await told([scene.pin('v1')])).pin).toBe('v1');
    });

    test('V10: tells what the gateway knows, and nothing that a client says in its place', async () => {
      const forged = ['page', 'pin', 'session', 'client', 'scheme', 'reason', 'anything'];
      const lines = forged.flatMap((name) => [
        `x-lockstep-${name}: forged`,
        `X-LOCKSTEP-${name}: asset`,
        `x_lockstep_${name}: forged`,
        `x.lockstep.${name}: forged`,
      ]);
      const known = await told([...lines, 'Connection: x-lockstep-client, x-lockstep-reason']);
      expect(known).toEqual({
        page: null,
        pin: null,
        session: null,
        client: '127.0.0.1',
        isSecure: false,
        fields: expect.not.arrayContaining(['x-lockstep-anything', 'x-lockstep-page', 'x-lockstep-pin']),
      });
      const pinned = await told([...lines, scene.pin('v1'), 'x-lockstep-version: v2'], '?v=v3');
      expect(pinned).toMatchObject({ page: 'v2', pin: 'v1', client: '127.0.0.1' });
      expect(pinned.session).toMatch(/^[\w-]{10,}$/);
    });

    test('V04: tells nothing of a pin that does not verify', async () => {
      const forged = scene.pin('v1').replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
      expect(await told([forged])).toMatchObject({ pin: null, session: null });
    });

    test('goes by its path: of the tree below a prefix, whatever the query, no other', async () => {
      expect(JSON.parse((await ask('/.lockstep/tree/a/b?x=1')).body.toString()).path).toBe(
        '/.lockstep/tree/a/b',
      );
      for (const target of [
        '/.lockstep/tree',
        '/.lockstep/told/',
        '/.lockstep/toldx',
        '/.lockstep',
        '/.lockstep/',
      ]) {
        const answer = await ask(target);
        expect([target, answer.status]).toEqual([target, 404]);
        expect(onlyValue(answer, 'x-lockstep-error')).toBe('not-found');
        expect(onlyValue(answer, 'content-type')).toBe('application/problem+json');
      }
      expect(app.requestCount() - askedBefore).toBe(0);
    });

    test('M04: is not fooled by dots, slashes and percent signs: an application gets no path that begins as ours', async () => {
      for (const target of [
        '/.lockstep/../api/x',
        '/.lockstep/..%2fapi',
        '/.lockstep//told',
        '/.lockstep/%74old',
      ]) {
        expect([target, (await ask(target)).status]).toEqual([target, 404]);
      }
      expect(app.requestCount() - askedBefore).toBe(0);
      // Other paths to everybody, and so the application's.
      for (const target of [
        '/.lockstepper',
        '/%2elockstep/told',
        '//.lockstep/told',
        '/api/.lockstep/told',
      ]) {
        expect([target, onlyValue(await ask(target), 'x-app-version')]).toEqual([target, 'v1']);
      }
    });

    test('is the same in absolute form', async () => {
      const client = await rawClient(scene);
      cleanUp.push(() => client.close());
      await client.send('GET http://shop.example/.lockstep/told HTTP/1.1\r\nHost: shop.example\r\n\r\n');
      expect((await client.finalAnswer()).status).toBe(200);
      expect(app.requestCount() - askedBefore).toBe(0);
    });

    test('may be HEAD and OPTIONS; another method is a 405 that says which are served', async () => {
      const head = await ask('/.lockstep/told', [], { method: 'HEAD' });
      expect([head.status, head.body.length]).toEqual([200, 0]);
      const options = await ask('/.lockstep/told', [], { method: 'OPTIONS' });
      expect([options.status, onlyValue(options, 'allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
      for (const method of ['POST', 'PUT', 'DELETE', 'PURGE']) {
        const answer = await ask('/.lockstep/told', [], {
          method,
          body: 'x'.repeat(100_000),
        });
        expect([method, answer.status, onlyValue(answer, 'allow')]).toEqual([
          method,
          405,
          'GET, HEAD, OPTIONS',
        ]);
        expect(JSON.parse(answer.body.toString()).code).toBe('method-not-allowed');
      }
    });

    test('may have a body, where it is for that', async () => {
      const body = 'a body that is long enough '.repeat(20_000);
      expect((await ask('/.lockstep/echo', [], { method: 'POST', body })).body.toString()).toBe(body);
    });

    test('that fails inside is a 500, and the next one is served', async () => {
      expect((await ask('/.lockstep/throws')).status).toBe(500);
      expect((await ask('/.lockstep/told')).status).toBe(200);
    });

    test('is no WebSocket', async () => {
      const lines = [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: x',
      ];
      expect((await ask('/.lockstep/stream', lines)).status).toBe(404);
    });

    test('is served to HTTP/1.0 as well', async () => {
      for (const lines of ['', 'Host: shop.example\r\n']) {
        const client = await rawClient(scene);
        cleanUp.push(() => client.close());
        await client.send(`GET /.lockstep/told HTTP/1.0\r\n${lines}\r\n`);
        const answer = await client.finalAnswer();
        expect([answer.status, JSON.parse(answer.body.toString()).client]).toEqual([200, '127.0.0.1']);
      }
    });

    test('is served on a connection between requests for the application, each by its own', async () => {
      const client = await rawClient(scene);
      cleanUp.push(() => client.close());
      const pin = scene.pin('v1');
      for (const target of ['/api/a', '/.lockstep/told', '/api/a', '/.lockstep/told', '/api/b']) {
        await client.send(`GET ${target} HTTP/1.1\r\nHost: shop.example\r\n${pin}\r\n\r\n`);
        const answer = await client.finalAnswer();
        expect([target, onlyValue(answer, 'x-lockstep-version')]).toEqual([
          target,
          target[1] === '.' ? '' : 'v1',
        ]);
      }
      expect(app.requests.slice(-3).map(({ url }) => url)).toEqual(['/api/a', '/api/a', '/api/b']);
    });

    test('is served while no version is, and whatever their upstreams can bear', async () => {
      scene = await sceneWith({ limits: { upstreamConnections: 1, queue: 0 } });
      await scene.activate('v1', ['v1']);
      const streams = [await rawClient(scene), await rawClient(scene)];
      for (const stream of streams) {
        cleanUp.push(() => stream.close());
        await stream.send('GET /.lockstep/stream HTTP/1.1\r\nHost: shop.example\r\n\r\n');
        await waitFor(() => stream.received().includes(': first'), { what: 'the stream to begin' });
      }
      expect((await ask('/.lockstep/told')).status).toBe(200);
    });

    test('T22: asks the main thread so many at once, and no more: the others wait their turn, and get it', async () => {
      const gate = Promise.withResolvers<void>();
      let [now, most] = [0, 0];
      const gated = await openInner();
      cleanUp.push(() => gated.close());
      gated.serve('/.lockstep/gate', async (_request, answer) => {
        most = Math.max(most, ++now);
        await gate.promise;
        now--;
        sendJson(answer, {});
      });
      scene = await sceneWith({ inner: gated.settings, limits: { queue: 0, queueTimeoutMs: 60_000 } });
      const all = Array.from({ length: 100 }, () => httpRequest(`${scene.url}/.lockstep/gate`));
      await waitFor(() => now >= 64, { what: 'as many as may be' });
      await waitFor(() => scene.gauges.versionQueued(0) === 100 - now, { what: 'the others to wait' });
      gate.resolve();
      expect(new Set((await Promise.all(all)).map(({ status }) => status))).toEqual(new Set([200]));
      // Of two threads each may take the last place.
      expect(most).toBeLessThanOrEqual(65);
    });

    test('V11: on a host that is not served is a 421', async () => {
      scene = await sceneWith({ hosts: ['other.example'] });
      expect((await ask('/.lockstep/told')).status).toBe(421);
    });

    test('fails for itself when nobody is there to answer it: no version is chosen in its place', async () => {
      const gone = await openInner();
      await gone.close();
      scene = await sceneWith({ inner: gone.settings });
      const answer = await ask('/.lockstep/told');
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'connect-failed']);
      expect(app.requestCount() - askedBefore).toBe(0);
    });
  });

  test('an event stream of ours is no stream of a version, and ends with the gateway, whole', async () => {
    scene = await sceneWith();
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    await client.send(`GET /.lockstep/stream HTTP/1.1\r\nHost: shop.example\r\n${scene.pin('v1')}\r\n\r\n`);
    await waitFor(() => client.received().includes(': first'), { what: 'the stream to begin' });
    await scene.settled();
    expect([scene.streams('v1'), scene.inFlight('v1')]).toEqual([0, 0]);
    scene.engine.abortVersion('v1');
    scene.engine.closeStreams('v1', 'all', 0);
    expect((await ask('/.lockstep/told')).status).toBe(200);
    expect(client.ended()).toBeNull();
    await scene.stop(2_000);
    expect((await client.finalAnswer()).status).toBe(200);
  });

  test('where nothing serves own paths, all are 404', async () => {
    scene = await startScene(engine, { versions: { v1: [app.address] } });
    cleanUp.push(() => scene.stop());
    expect((await ask('/.lockstep/told')).status).toBe(404);
    expect(app.requestCount() - askedBefore).toBe(0);
  });
});

async function openInner(): Promise<InnerServer> {
  const inner = await InnerServer.open([tmpdir()], { onFault: () => {} });
  inner.serve('/.lockstep/told', ({ page, pin, session, client, isSecure, headers }, answer) => {
    const fields = Object.keys(headers).filter((name) => name.startsWith('x-lockstep-'));
    sendJson(answer, { page, pin, session, client, isSecure, fields });
  });
  inner.serve('/.lockstep/tree/*', ({ path }, answer) => sendJson(answer, { path }));
  inner.serve('/.lockstep/echo', ({ message }, answer) => void message.pipe(answer), ['POST']);
  inner.serve('/.lockstep/throws', () => Promise.reject(new Error('for the test')));
  inner.serve('/.lockstep/stream', (_request, answer) => {
    answer.writeHead(200, { 'Content-Type': 'text/event-stream' });
    answer.write(': first\n\n');
  });
  return inner;
}
