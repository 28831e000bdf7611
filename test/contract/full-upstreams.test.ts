// limits.upstreamConnections: requests beyond it wait for room, in order, for a while, on every engine.

import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Limits } from '../../src/core/policy.ts';
import { startGatedUpstream } from '../kit/gated-upstream.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { VERSION_FIELD } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngine } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

onEveryEngine((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const gated = async (version = 'v1', server = 'a') => {
    const upstream = await startGatedUpstream(version, server);
    cleanUp.push(() => upstream.stop());
    return upstream;
  };
  const sceneOf = async (versions: Record<string, readonly string[]>, limits: Partial<Limits> = {}) => {
    const scene = await startScene(engine, { versions, limits: { upstreamConnections: 1, ...limits } });
    cleanUp.push(() => scene.stop());
    return scene;
  };
  /** Sends it, and waits until it is at an upstream or in the queue. */
  const ask = async (scene: Scene, target: string, lines: readonly string[] = []): Promise<RawClient> => {
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    await scene.settled();
    const exchanges = scene.engine.stats().exchanges;
    await client.send(`${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`);
    await waitFor(() => scene.engine.stats().exchanges > exchanges, { what: `${target} to be under way` });
    return client;
  };
  const queued = (scene: Scene, id = 'v1'): number => scene.gauges.versionQueued(scene.slotOf(id));
  const bodyOf = async (client: RawClient) => (await client.answer()).body.toString();

  describe('requests beyond the limit', () => {
    test('wait, and are served in the order in which they came', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] });
      const targets = Array.from({ length: 7 }, (_, n) => `/gated/${n}`);
      const clients: RawClient[] = [];
      for (const target of targets) clients.push(await ask(scene, target));
      await scene.settled();
      expect([scene.inFlight('v1'), queued(scene)]).toEqual([1, 6]);
      // Several threads have a queue each: room goes to the first of one of them.
      const areOrdered = !('threads' in engine);
      const answers = clients.map(async (client) => (await client.answer()).status);
      for (const answer of answers) {
        await upstream.release();
        if (areOrdered) expect(await answer).toBe(200);
      }
      expect(await Promise.all(answers)).toEqual(targets.map(() => 200));
      const served = upstream.requests.map(({ url }) => url);
      expect(areOrdered ? served : served.sort()).toEqual(targets);
      await scene.settled();
      expect([scene.inFlight('v1'), queued(scene)]).toEqual([0, 0]);
    });

    test('are never at an upstream with more than the limit', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] }, { upstreamConnections: 2 });
      const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => rawClient(scene)));
      cleanUp.push(() => clients.forEach((client) => void client.close()));
      for (const client of clients) await client.send('GET /gated HTTP/1.1\r\nHost: a\r\n\r\n');
      for (const _ of clients) await upstream.release();
      for (const client of clients) expect((await client.answer()).status).toBe(200);
      expect(upstream.most()).toBe(2);
    });

    test('are taken by whichever upstream of their version gets free', async () => {
      const [a, b] = [await gated('v1', 'a'), await gated('v1', 'b')];
      const scene = await sceneOf({ v1: [a.address, b.address] });
      for (const n of [1, 2]) await ask(scene, `/gated/${n}`);
      await waitFor(() => a.waiting.length === 1 && b.waiting.length === 1, { what: 'one at each' });
      const third = await ask(scene, '/gated/3');
      await b.release();
      await waitFor(() => b.waiting.includes('/gated/3'), { what: 'the third at b' });
      const fourth = await ask(scene, '/gated/4');
      await a.release();
      await waitFor(() => a.waiting.includes('/gated/4'), { what: 'the fourth at a' });
      await Promise.all([a.release(), b.release()]);
      expect([await bodyOf(third), await bodyOf(fourth)]).toEqual(['/gated/3', '/gated/4']);
    });

    // Of one thread: each has a queue of its own, and another thread's newcomer may find the room first.
    if (!('threads' in engine)) {
      test('are not overtaken by one that comes when there is room', async () => {
        const upstream = await gated();
        const scene = await sceneOf({ v1: [upstream.address] });
        for (const n of [1, 2]) await ask(scene, `/gated/${n}`);
        // Room that nobody was told of, as of a request that another thread ended.
        scene.gauges.leave(scene.slotOf('v1'), scene.slotOf('v1') * 10);
        await ask(scene, '/gated/3');
        await waitFor(() => upstream.waiting.includes('/gated/2'), { what: 'the second' });
        expect(upstream.waiting).toEqual(['/gated/1', '/gated/2']);
        await scene.settled();
        expect(queued(scene)).toBe(1);
      });
    }

    test('wait with their body, and send it whole', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] });
      await ask(scene, '/gated/1');
      const body = 'x'.repeat(200_000);
      const upload = rawRequest(scene, [], { method: 'POST', target: '/echo', body });
      await waitFor(() => queued(scene) === 1, { what: 'the upload to queue' });
      await upstream.release();
      expect((await upload).body.toString()).toBe('200000');
    });

    test('get a 503 that says when to come back, once they have waited for long enough', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] }, { queueTimeoutMs: 300 });
      await ask(scene, '/gated/1');
      const startedAt = performance.now();
      const answer = await rawRequest(scene, [], { target: '/gated/2' });
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'queue-timeout']);
      expect(onlyValue(answer, 'retry-after')).toBe('1');
      await scene.settled();
      expect(queued(scene)).toBe(0);
      await upstream.release();
    });

    test('get a 503 at once when as many wait as may', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] }, { queue: 2 });
      for (const n of [1, 2, 3]) await ask(scene, `/gated/${n}`);
      const answer = await rawRequest(scene, [scene.pin('v1')], { target: '/gated/4' });
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'queue-full']);
      expect(onlyValue(answer, 'retry-after')).toBe('1');
      await waitFor(() => upstream.requestCount() > 0, { what: 'the first to arrive' });
      await scene.settled();
      expect([queued(scene), upstream.requestCount()]).toEqual([2, 1]);
    });

    test('leave the queue with their client', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] });
      await ask(scene, '/gated/1');
      const leaving = await ask(scene, '/gated/2');
      const staying = await ask(scene, '/gated/3');
      leaving.reset();
      await waitFor(() => queued(scene) === 1, { what: 'one to have left' });
      for (const _ of [1, 3]) await upstream.release();
      expect(await bodyOf(staying)).toBe('/gated/3');
      expect(upstream.requests.map(({ url }) => url)).toEqual(['/gated/1', '/gated/3']);
      await scene.settled();
      expect(scene.records.find(({ url }) => url === '/gated/2')).toMatchObject({ failure: 'client-gone' });
    });

    test('are served when the limit is raised', async () => {
      const upstream = await gated();
      const scene = await sceneOf({ v1: [upstream.address] });
      for (const n of [1, 2]) await ask(scene, `/gated/${n}`);
      const { limits } = scene.options;
      scene.engine.reconfigure({ ...scene.options, limits: { ...limits, upstreamConnections: 2 } });
      await waitFor(() => upstream.waiting.length === 2, { what: 'both to be there' });
      await scene.settled();
      expect(queued(scene)).toBe(0);
    });
  });

  describe('while requests wait for room', () => {
    const full = async () => {
      const [v1, v2] = [await gated('v1'), await gated('v2')];
      const scene = await sceneOf({ v1: [v1.address], v2: [v2.address] });
      await ask(scene, '/gated/first', [scene.pin('v1')]);
      return { v1, v2, scene };
    };

    test('a promote leaves pinned ones where they are, and gives new ones the new version', async () => {
      const { v1, v2, scene } = await full();
      const pinned = await ask(scene, '/gated/pinned', [scene.pin('v1')]);
      const fresh = await ask(scene, '/gated/new');
      await scene.activate('v2');
      await v2.release();
      expect(onlyValue(await fresh.answer(), VERSION_FIELD)).toBe('v2');
      await scene.settled();
      expect(queued(scene)).toBe(1);
      for (const _ of ['first', 'pinned']) await v1.release();
      const answer = await pinned.answer();
      expect([onlyValue(answer, VERSION_FIELD), answer.body.toString()]).toEqual(['v1', '/gated/pinned']);
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ reason: 'pinned', version: 'v1' });
    });

    test('a version that is gone is a dead pin to them', async () => {
      const { v2, scene } = await full();
      const pinned = await ask(scene, '/gated/pinned', [scene.pin('v1'), 'Sec-Fetch-Dest: empty']);
      await scene.activate('v2', ['v1']);
      expect((await pinned.answer()).status).toBe(409);
      await scene.settled();
      expect([queued(scene), v2.requestCount()]).toEqual([0, 0]);
    });

    test('a cut-off ends them', async () => {
      const { scene } = await full();
      const pinned = await ask(scene, '/gated/pinned', [scene.pin('v1')]);
      scene.engine.abortVersion('v1');
      const answer = await pinned.answer();
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'cut-off']);
      await scene.settled();
      expect([queued(scene), scene.inFlight('v1')]).toEqual([0, 0]);
    });

    test('an upstream that goes down leaves them to patience', async () => {
      const { v1, scene } = await full();
      const pinned = await ask(scene, '/gated/pinned', [scene.pin('v1')]);
      scene.setHealth('v1', 'down');
      await waitFor(() => queued(scene) === 0, { what: 'the queue to be left' });
      await scene.settled();
      expect(scene.engine.stats().exchanges).toBe(2);
      await v1.release();
      scene.setHealth('v1', 'up');
      await v1.release();
      expect(await bodyOf(pinned)).toBe('/gated/pinned');
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ reason: 'held' });
    });

    test('a shutdown lets them have their turn', async () => {
      const { v1, scene } = await full();
      const pinned = await ask(scene, '/gated/pinned', [scene.pin('v1')]);
      const stopped = scene.engine.shutdown(5_000);
      for (const _ of ['first', 'pinned']) await v1.release();
      expect(await bodyOf(pinned)).toBe('/gated/pinned');
      await stopped;
    });
  });

  test('a WebSocket takes room until it ends', async () => {
    const upstream = await gated();
    const scene = await sceneOf({ v1: [upstream.address] });
    const socket = new WebSocket(`${scene.url.replace('http', 'ws')}/ws`);
    await once(socket, 'open');
    const waiting = await ask(scene, '/api/x');
    await scene.settled();
    expect(queued(scene)).toBe(1);
    socket.close();
    expect((await waiting.answer()).status).toBe(200);
  });

  test('idle connections are room, and are used', async () => {
    const upstream = await gated();
    const scene = await sceneOf({ v1: [upstream.address] });
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    for (let n = 0; n < 5; n++) {
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
    }
    const slot = scene.slotOf('v1') * 10;
    expect([upstream.openConnections(), scene.gauges.connections(slot)]).toEqual([1, 1]);
    scene.engine.closeUpstreams('v1', null);
    await waitFor(() => scene.gauges.connections(slot) === 0, { what: 'the connection to be uncounted' });
  });
}, 'beside each other');
