// What engines do where upstreams fail: retries within their budget, faults counted and reported, and pinned requests that
// wait for a server of their version where none can be reached. On every engine.

import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../kit/free-port.ts';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { answers, type Behaviour, resets, startRawUpstream } from '../kit/raw-upstream.ts';
import { readRequest } from '../kit/strict-http.ts';
import { startUpstream, VERSION_FIELD } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryEngine } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

onEveryEngine((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const upstreamThat = async (behave: (index: number) => Behaviour) => {
    const upstream = await startRawUpstream(behave);
    cleanUp.push(() => upstream.stop());
    return upstream;
  };
  const sceneOf = async (settings: SceneSettings): Promise<Scene> => {
    const scene = await startScene(engine, settings);
    cleanUp.push(() => scene.stop());
    return scene;
  };
  const SLOT = 10; // of the first upstream of the first version

  describe('an upstream that fails each second request', () => {
    const REQUESTS = 200;
    /** Resets what comes on a connection that has served: such a request may be sent once more. Returns what it got. */
    const run = async (limits: SceneSettings['limits']) => {
      let got = 0;
      const upstream = await upstreamThat(() => ({
        onBytes: ({ socket, received }) => {
          got++;
          const first = readRequest(received());
          if (first.state === 'complete' && received().length > first.end) socket.resetAndDestroy();
          else socket.write(OK);
        },
      }));
      const scene = await sceneOf({ versions: { v1: [upstream.address] }, ...(limits && { limits }) });
      const client = await rawClient(scene);
      cleanUp.push(() => client.close());
      const statuses: number[] = [];
      for (let n = 0; n < REQUESTS; n++) {
        await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
        statuses.push((await client.answer()).status);
      }
      await scene.settled();
      return { got, statuses, denied: scene.engine.stats().deniedRetries };
    };

    test('gets 1.2 times its requests and no more', async () => {
      const { got, statuses, denied } = await run({ retries: 0.2, retriesPerSecond: 0 });
      expect(got).toBeGreaterThan(1.15 * REQUESTS);
      expect(got).toBeLessThanOrEqual(1.2 * REQUESTS);
      expect(denied).toBe(statuses.filter((status) => status === 502).length);
      expect(new Set(statuses)).toEqual(new Set([200, 502]));
    });

    test('would get nearly twice as many', async () => {
      const { got, statuses, denied } = await run({ retries: 1 });
      expect(got).toBeGreaterThan(1.9 * REQUESTS);
      expect([new Set(statuses), denied]).toEqual([new Set([200]), 0]);
    });

    test('is asked again a few times a second whatever the share says', async () => {
      const { got, denied } = await run({ retries: 0, retriesPerSecond: 3 });
      expect(got).toBeGreaterThanOrEqual(REQUESTS + 3);
      expect(denied).toBeGreaterThan(0);
    });
  });

  describe('faults are reported', () => {
    const times = async (count: number, scene: Scene, lines: readonly string[] = []) => {
      for (let n = 0; n < count; n++) await rawRequest(scene, lines);
    };

    test('of connections, when there are enough in a row', async () => {
      const scene = await sceneOf({ versions: { v1: [`127.0.0.1:${await freePort()}`] } });
      await times(4, scene);
      await scene.settled();
      expect(scene.met).toEqual([]);
      await times(1, scene);
      await scene.settled();
      expect(scene.met).toEqual([{ slot: SLOT, fault: 'connect-failed' }]);
      await times(5, scene);
      await scene.settled();
      expect(scene.met).toHaveLength(2);
    });

    test.each([
      {
        name: '5xx',
        behave: () => answers(OK.replace('200 OK', '500 Oops'), 'close'),
        fault: 'server-error',
      },
      { name: 'resets of new connections', behave: () => resets, fault: 'upstream-reset' },
    ])('of answers: $name', async ({ behave, fault }) => {
      const upstream = await upstreamThat(behave);
      const scene = await sceneOf({ versions: { v1: [upstream.address] }, health: { answerFaults: 3 } });
      await times(2, scene);
      await scene.settled();
      expect(scene.met).toEqual([]);
      await times(1, scene);
      await scene.settled();
      expect(scene.met).toEqual([{ slot: SLOT, fault }]);
      expect([scene.gauges.answerFaults(SLOT), scene.gauges.faultClients(SLOT)]).toEqual([3, 1]);
    });

    test('of answers that do not come in time', async () => {
      const upstream = await upstreamThat(() => ({}));
      const scene = await sceneOf({
        versions: { v1: [upstream.address] },
        limits: { firstByteMs: 100 },
        health: { answerFaults: 1 },
      });
      expect((await rawRequest(scene, [])).status).toBe(504);
      await scene.settled();
      expect(scene.met).toEqual([{ slot: SLOT, fault: 'upstream-timeout' }]);
    });

    test('by client, and a good answer ends the row', async () => {
      const statuses = [500, 500, 503, 404, 500, 501];
      const upstream = await startUpstream({
        version: 'v1',
        handle: (_request, response) => {
          response.writeHead(statuses.shift() ?? 200).end();
          return true;
        },
      });
      cleanUp.push(() => upstream.stop());
      const scene = await sceneOf({ versions: { v1: [upstream.address] }, trustedProxies: ['127.0.0.0/8'] });
      for (const client of ['192.0.2.1', '192.0.2.200', '198.51.100.1']) {
        await times(1, scene, [`X-Forwarded-For: ${client}`]);
      }
      await scene.settled();
      expect([scene.gauges.answerFaults(SLOT), scene.gauges.faultClients(SLOT)]).toEqual([3, 2]);
      await times(1, scene);
      await scene.settled();
      expect([scene.gauges.answerFaults(SLOT), scene.gauges.faultClients(SLOT)]).toEqual([0, 0]);
      await times(1, scene);
      await scene.settled();
      expect(scene.gauges.answerFaults(SLOT)).toBe(1);
      await times(1, scene); // what a 501 does not do is the client's asking
      await scene.settled();
      expect(scene.gauges.answerFaults(SLOT)).toBe(0);
      expect(scene.met).toEqual([]);
    });

    test('not of an idle connection that was closed as a request went out', async () => {
      const upstream = await upstreamThat(() => ({
        onBytes: ({ socket, received }) => {
          const first = readRequest(received());
          if (first.state === 'complete' && received().length > first.end) socket.resetAndDestroy();
          else socket.write(OK);
        },
      }));
      const scene = await sceneOf({ versions: { v1: [upstream.address] }, health: { answerFaults: 1 } });
      await times(4, scene);
      await scene.settled();
      expect(scene.records.some(({ retries }) => retries > 0)).toBe(true);
      expect(scene.met).toEqual([]);
    });
  });

  describe('a pinned request whose version cannot be reached', () => {
    const unreachable = async (settings: Partial<SceneSettings> = {}) => {
      const port = await freePort();
      const scene = await sceneOf({ versions: { v1: [`127.0.0.1:${port}`] }, ...settings });
      return { port, scene };
    };

    test('waits, is reported at once, and is served when somebody is back', async () => {
      const { port, scene } = await unreachable();
      const body = 'hello';
      const answer = rawRequest(scene, [scene.pin('v1')], { method: 'POST', target: '/echo', body });
      await waitFor(() => scene.met.length > 0, { what: 'a report' });
      await scene.settled();
      expect(scene.met).toEqual([{ slot: SLOT, fault: 'connect-failed' }]);
      expect([scene.engine.stats().exchanges, scene.inFlight('v1')]).toEqual([1, 0]);
      const upstream = await startUpstream({ version: 'v1', port });
      cleanUp.push(() => upstream.stop());
      scene.engine.availabilityChanged();
      const { status, ...message } = await answer;
      expect([status, onlyValue({ status, ...message }, VERSION_FIELD)]).toEqual([200, 'v1']);
      expect(upstream.requestCount()).toBe(1);
      await scene.settled();
      expect(scene.records[0]).toMatchObject({ reason: 'held', retries: 1 });
    });

    test('waits no longer than for one that is known to be down', async () => {
      const { scene } = await unreachable({ deadPin: { patienceMs: 300 } });
      const startedAt = performance.now();
      const answer = await rawRequest(scene, [scene.pin('v1')]);
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(300);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'no-upstream']);
      expect(scene.inFlight('v1')).toBe(0);
    });

    test('waits once more when who came back is gone again', async () => {
      const { scene } = await unreachable({ deadPin: { patienceMs: 700 } });
      const answer = rawRequest(scene, [scene.pin('v1')]);
      for (const reports of [1, 2, 3]) {
        await waitFor(() => scene.met.length >= reports, { what: `report ${reports}` });
        scene.engine.availabilityChanged();
      }
      expect((await answer).status).toBe(503);
    });

    test('does not when passive health is off, nor does one without a pin', async () => {
      const off = await unreachable({ health: { connectFaults: null } });
      expect((await rawRequest(off.scene, [off.scene.pin('v1')])).status).toBe(502);
      const { scene } = await unreachable();
      const answer = await rawRequest(scene, []);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'connect-failed']);
    });
  });
}, 'beside each other');
