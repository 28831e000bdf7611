// Requests that wait for an upstream, limits that end requests, and engines that stop, on every engine.

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { NAVIGATION, onlyValue, rawRequest } from '../kit/raw-request.ts';
import { silent, startRawUpstream } from '../kit/raw-upstream.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { startUpstream, type Upstream, VERSION_FIELD } from '../kit/upstream.ts';
import { waitFor, within } from '../kit/wait-for.ts';
import { onEveryEngineAndThread } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

onEveryEngineAndThread((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  let v1: Upstream;
  let v2: Upstream;
  beforeEach(async () => {
    [v1, v2] = await Promise.all([startUpstream({ version: 'v1' }), startUpstream({ version: 'v2' })]);
    cleanUp.push(
      () => v1.stop(),
      () => v2.stop(),
    );
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const sceneOf = async (more: Partial<SceneSettings> = {}): Promise<Scene> => {
    const scene = await startScene(engine, { versions: { v1: [v1.address], v2: [v2.address] }, ...more });
    cleanUp.push(() => scene.stop());
    return scene;
  };
  const clientOf = async (scene: Scene): Promise<RawClient> => {
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    return client;
  };
  const underWay = (scene: Scene, count: number): Promise<unknown> =>
    waitFor(() => scene.engine.stats().exchanges === count, { what: `${count} requests under way` });

  describe('a pinned request without an upstream', () => {
    test('waits until one is available', async () => {
      const scene = await sceneOf();
      scene.setHealth('v2', 'down');
      const client = await clientOf(scene);
      await client.send(
        `POST /echo HTTP/1.1\r\nHost: a\r\n${scene.pin('v2')}\r\nContent-Length: 5\r\n\r\nhello`,
      );
      await underWay(scene, 1);
      scene.setHealth('v2', 'up');
      const answer = await client.answer();
      expect([onlyValue(answer, VERSION_FIELD), answer.body.toString()]).toEqual(['v2', '5']);
      await scene.settled();
      expect(scene.records[0]).toMatchObject({ reason: 'held', status: 200 });
    });

    test('is judged anew when a new table comes', async () => {
      const scene = await sceneOf();
      scene.setHealth('v2', 'down');
      const client = await clientOf(scene);
      await client.send(
        `${['GET / HTTP/1.1', 'Host: a', ...NAVIGATION, scene.pin('v2')].join('\r\n')}\r\n\r\n`,
      );
      await underWay(scene, 1);
      await scene.activate('v1', ['v2']);
      expect(onlyValue(await client.answer(), VERSION_FIELD)).toBe('v1');
    });

    test('is refused when its time is up', async () => {
      const scene = await sceneOf({ deadPin: { patienceMs: 200 } });
      scene.setHealth('v2', 'down');
      const answer = await rawRequest(scene, [scene.pin('v2')], {
        method: 'POST',
        target: '/api/x',
        body: 'x',
      });
      expect(answer.status).toBe(409);
      expect(v1.requestCount() + v2.requestCount()).toBe(0);
    });

    test('is a 503 that says when to come back, where the version is the active one', async () => {
      const scene = await sceneOf({ deadPin: { patienceMs: 100 } });
      scene.setHealth('v1', 'down');
      const answer = await rawRequest(scene, [scene.pin('v1')]);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'no-upstream']);
      expect(onlyValue(answer, 'retry-after')).toBe('1');
    });
  });

  describe('a limit', () => {
    test.each([
      {
        name: 'the length of the target',
        target: `/${'a'.repeat(600)}`,
        lines: [],
        status: 414,
        limits: { uri: 500 },
      },
      {
        name: 'the number of fields',
        target: '/',
        lines: Array(30).fill('a: 1'),
        status: 431,
        limits: { headers: 20 },
      },
      {
        name: 'the head',
        target: '/',
        lines: [`a: ${'b'.repeat(3_000)}`],
        status: 431,
        limits: { headBytes: 2_048 },
      },
    ])('on $name is a $status, and the connection ends', async ({ target, lines, status, limits }) => {
      const scene = await sceneOf({ limits });
      const client = await clientOf(scene);
      await client.send(`${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`);
      const answer = await client.answer();
      expect(answer.status).toBe(status);
      expect(valuesOf(answer, 'connection')).toEqual(['close']);
      await client.waitForEnd();
      await scene.settled();
      expect(scene.records).toHaveLength(1);
      expect((await rawRequest(scene, [])).status).toBe(200);
    });

    test.each([
      { name: 'by length', framing: 'Content-Length: 11', body: 'hello world' },
      { name: 'chunked', framing: 'Transfer-Encoding: chunked', body: 'b\r\nhello world\r\n0\r\n\r\n' },
    ])(
      'on bodies is a 413 for one $name, and the upstream sees none of it whole',
      async ({ framing, body }) => {
        const scene = await sceneOf({ limits: { body: 10 } });
        const client = await clientOf(scene);
        await client.send(`POST /api/x HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${body}`);
        const answer = await client.answer();
        expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([413, 'body-too-large']);
        await client.waitForEnd();
        await waitFor(() => v1.openConnections() === 0, { what: 'the upstream’s side to be cut' });
        expect((await rawRequest(scene, [], { method: 'POST', body: '0123456789' })).status).toBe(200);
      },
    );

    test('T01: on slow heads is a 408', async () => {
      const scene = await sceneOf({ limits: { headerTimeoutMs: 300 } });
      const client = await clientOf(scene);
      await client.send('GET / HTTP/1.1\r\nHost');
      const answer = await client.answer();
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([408, 'slow-head']);
      await client.waitForEnd();
    });

    test('T01: on slow heads holds for the second request of a connection, too', async () => {
      const scene = await sceneOf({ limits: { headerTimeoutMs: 300 } });
      const client = await clientOf(scene);
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
      await client.send('GET / HTTP/1.1\r\nHost');
      expect((await client.answer()).status).toBe(408);
    });

    test('T02: on slow bodies is a 408, and the upstream’s side is cut', async () => {
      const scene = await sceneOf({ limits: { bodyProgressMs: 300 } });
      const client = await clientOf(scene);
      await client.send('POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx');
      const answer = await client.answer();
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([408, 'slow-body']);
      await waitFor(() => v1.openConnections() === 0, { what: 'the upstream’s side to be cut' });
    });

    test('T03: on slow readers ends the connection and frees the upstream, whose answer waited', async () => {
      const scene = await sceneOf({ limits: { sendProgressMs: 400 } });
      const client = await clientOf(scene);
      client.socket.pause();
      await client.send('GET /bytes?n=50000000 HTTP/1.1\r\nHost: a\r\n\r\n');
      await waitFor(() => scene.records.length === 1, { what: 'the request to be given up' });
      await scene.settled();
      expect(scene.records[0]).toMatchObject({ failure: 'slow-reader' });
      expect(scene.records[0]!.bytesOut).toBeLessThan(20_000_000);
      await waitFor(() => v1.openConnections() === 0, { what: 'the upstream’s side to be cut' });
    });

    test('on the body’s progress does not count while the upstream takes none', async () => {
      const upstream = await startRawUpstream(() => ({ onOpen: ({ socket }) => void socket.pause() }));
      cleanUp.push(() => upstream.stop());
      const scene = await sceneOf({
        versions: { v1: [upstream.address] },
        limits: { bodyProgressMs: 150, sendProgressMs: 700 },
      });
      const client = await clientOf(scene);
      await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90000000\r\n\r\n');
      const chunk = Buffer.alloc(1_048_576);
      void (async () => {
        while (client.ended() === null && client.received().length === 0) await client.send(chunk);
      })();
      const answer = await client.answer('GET', 10_000);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([504, 'upstream-timeout']);
    });
  });

  describe('reconfiguring', () => {
    test('changes what the next requests go by, and closes no connection', async () => {
      const scene = await sceneOf();
      const client = await clientOf(scene);
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
      const { listen: _, ...settings } = scene.options;
      scene.engine.reconfigure({ ...settings, hosts: ['b'], limits: { ...settings.limits, body: 3 } });
      // As a reload does: every thread has heard of it when it has acknowledged the next table.
      await scene.activate('v1');
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(421);
      await client.send('POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\nabcd');
      expect((await client.answer()).status).toBe(413);
    });
  });

  describe('shutting down', () => {
    test('T15: answers what is under way, says close, takes no new connection and ends', async () => {
      const scene = await sceneOf();
      const slow = await clientOf(scene);
      const kept = await clientOf(scene);
      await kept.send('GET /api/1 HTTP/1.1\r\nHost: a\r\n\r\n');
      await kept.answer();
      await slow.send('GET /slow?ms=400 HTTP/1.1\r\nHost: a\r\n\r\n');
      await underWay(scene, 1);
      const done = scene.engine.shutdown(10_000);
      expect(scene.engine.shutdown(0)).toBe(done);
      const refusal = () =>
        rawClient(scene).then(
          (late) => late.close(),
          (error: Error) => error.message,
        );
      // Threads hear of it in a moment.
      await waitFor(async () => (await refusal())?.includes('ECONNREFUSED'), { what: 'no new connections' });
      // A request that was on its way when the gateway began to stop.
      await kept.send('GET /api/2 HTTP/1.1\r\nHost: a\r\n\r\n');
      for (const client of [kept, slow]) {
        const answer = await client.answer();
        expect([answer.status, valuesOf(answer, 'connection')]).toEqual([200, ['close']]);
        client.close();
      }
      await within(done, { what: 'the engine to stop', timeoutMs: 5_000 });
      await scene.settled();
      expect(scene.engine.stats()).toMatchObject({ clientConnections: 0, exchanges: 0 });
      await waitFor(() => v1.openConnections() === 0, { what: 'the upstream connections to be closed' });
    });

    test('ends idle connections and closes streams with 1012', async () => {
      const scene = await sceneOf();
      const idle = await clientOf(scene);
      const socket = new WebSocket(`${scene.url.replace('http', 'ws')}/ws`);
      const closed = once(socket, 'close') as Promise<[number]>;
      await once(socket, 'open');
      const done = scene.engine.shutdown(2_000);
      expect((await closed)[0]).toBe(1012);
      expect(await idle.waitForEnd()).toBe('fin');
      await within(done, { what: 'the engine to stop', timeoutMs: 4_000 });
    });

    test('cuts at the end of its grace what is not done', async () => {
      const upstream = await startRawUpstream(() => silent);
      cleanUp.push(() => upstream.stop());
      const scene = await sceneOf({ versions: { v1: [upstream.address] } });
      const client = await clientOf(scene);
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await underWay(scene, 1);
      await within(scene.engine.shutdown(300), { what: 'the engine to stop', timeoutMs: 2_000 });
      await client.waitForEnd();
      await scene.settled();
      expect(scene.records).toHaveLength(1);
      await waitFor(() => upstream.openConnections() === 0, { what: 'the upstream’s side to be closed' });
    });

    test('is done at once when nobody is there', async () => {
      const scene = await sceneOf();
      // Sooner than any farewell (src/engine/fixed-bounds.ts), which it would wait for if somebody were there.
      await within(scene.engine.shutdown(10_000), { what: 'the engine to stop', timeoutMs: 900 });
    });
  });
}, 'beside each other');
