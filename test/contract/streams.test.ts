// Streams on every engine: WebSockets and event streams are counted while they last, can be ended from here, and take the
// other side along when one side leaves.

import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { answers, type RawUpstream, silent, startRawUpstream } from '../kit/raw-upstream.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor, within } from '../kit/wait-for.ts';
import { onEveryEngine } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

const HANDSHAKE = [
  'GET /ws HTTP/1.1',
  'Host: shop.example',
  'Connection: keep-alive, Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
];
const SWITCHING = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
const handshake = (...lines: string[]): string => `${[...HANDSHAKE, ...lines].join('\r\n')}\r\n\r\n`;

onEveryEngine((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  let app: Upstream;
  let scene: Scene;
  beforeEach(async () => {
    app = await startUpstream({ version: 'v1' });
    cleanUp.push(() => app.stop());
    scene = await sceneWith([app.address]);
  });
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const sceneWith = async (
    addresses: readonly string[],
    more: Partial<SceneSettings> = {},
  ): Promise<Scene> => {
    const made = await startScene(engine, { versions: { v1: addresses }, ...more });
    cleanUp.push(() => made.stop());
    return made;
  };
  const rawClientOf = async (to: Scene) => {
    const client = await rawClient(to);
    cleanUp.push(() => client.close());
    return client;
  };
  const upstreamThat = async (behave: Parameters<typeof startRawUpstream>[0]): Promise<RawUpstream> => {
    const upstream = await startRawUpstream(behave);
    cleanUp.push(() => upstream.stop());
    return upstream;
  };
  const open = async (headers: Record<string, string> = {}) => {
    const socket = new WebSocket(`${scene.url.replace('http', 'ws')}/ws`, { headers });
    cleanUp.push(() => socket.terminate());
    const messages: string[] = [];
    socket.on('message', (data) => messages.push(String(data)));
    socket.on('error', () => {});
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    await once(socket, 'open');
    return { socket, messages, closed };
  };
  const expectNothingLeft = async (of: Scene = scene): Promise<void> => {
    await of.settled();
    await waitFor(() => of.engine.stats().exchanges === 0, { what: 'the streams to be over' });
    await waitFor(() => of.engine.stats().upstreamConnections === 0, {
      what: 'their upstream side to be closed',
    });
    await waitFor(() => of.streams('v1') === 0 && of.inFlight('v1') === 0, { what: 'nothing to be counted' });
  };

  describe('a WebSocket', () => {
    test('carries messages of every size both ways, and is counted while it lasts', async () => {
      const { socket, messages, closed } = await open();
      await scene.settled();
      expect(scene.streams('v1')).toBe(1);
      expect(scene.inFlight('v1')).toBe(1);
      const texts = ['x', 'y'.repeat(200), 'z'.repeat(100_000), 'ü'.repeat(500_000)];
      for (const text of texts) socket.send(text);
      await waitFor(() => messages.length === 5, { what: 'all echoes' });
      expect(messages).toEqual(['{"version":"v1"}', ...texts]);
      socket.close(1000);
      expect((await closed)[0]).toBe(1000);
      await expectNothingLeft();
      await scene.settled();
      expect(scene.records).toHaveLength(1);
      expect(scene.records[0]).toMatchObject({ status: 101, isStream: true, failure: null, url: '/ws' });
      expect(scene.records[0]!.bytesIn).toBeGreaterThan(1_000_000);
      expect(scene.records[0]!.bytesOut).toBeGreaterThan(1_000_000);
    });

    test('is asked for with the handshake’s fields and no others of its connection', async () => {
      const upstream = await upstreamThat(() =>
        answers(`${SWITCHING}Keep-Alive: timeout=5\r\nX-Other: 1\r\n\r\n`),
      );
      const client = await rawClientOf(await sceneWith([upstream.address]));
      await client.send(handshake('X_Forwarded_For: 6.6.6.6', 'Sec-WebSocket-Protocol: chat'));
      const answer = await client.answer();
      expect(answer.status).toBe(101);
      expect(onlyValue(answer, 'x-lockstep-version')).toBe('v1');
      expect(valuesOf(answer, 'upgrade')).toEqual(['websocket']);
      expect([onlyValue(answer, 'x-other'), onlyValue(answer, 'keep-alive')]).toEqual(['1', '']);
      const asked = upstream.connections[0]!.received().toString();
      expect(asked).toMatch(/^GET \/ws HTTP\/1\.1\r\n/);
      for (const line of [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Protocol: chat',
        'x-lockstep-version: v1',
        'x-forwarded-for: 127.0.0.1',
      ]) {
        expect(asked.toLowerCase()).toContain(`\r\n${line.toLowerCase()}\r\n`);
      }
      expect(asked).not.toMatch(/6\.6\.6\.6|keep-alive/i);
    });

    test('keeps the application’s cookies on its 101, but none of the pin’s name', async () => {
      const fields =
        'Set-Cookie: a=1\r\nSet-Cookie: lockstep=x\r\nSet-Cookie: b=2\r\nX-Lockstep-Session: x\r\n';
      const upstream = await upstreamThat(() => answers(`${SWITCHING}${fields}\r\n`));
      const client = await rawClientOf(await sceneWith([upstream.address]));
      await client.send(handshake());
      const answer = await client.answer();
      expect(valuesOf(answer, 'set-cookie')).toEqual(['a=1', 'b=2']);
      expect(valuesOf(answer, 'x-lockstep-session')).toEqual([]);
    });

    test('loses no octet that comes close behind its handshake, on either side', async () => {
      const upstream = await upstreamThat(() => answers(`${SWITCHING}\r\nfrom the upstream`));
      const client = await rawClientOf(await sceneWith([upstream.address]));
      await client.send(`${handshake()}from the client`);
      await client.answer();
      await waitFor(() => client.rest().toString() === 'from the upstream', {
        what: 'the upstream’s octets',
      });
      await waitFor(
        () => upstream.connections[0]!.received().toString().endsWith('\r\n\r\nfrom the client'),
        {
          what: 'the client’s octets',
        },
      );
    });

    test('that the application refuses gets its whole answer', async () => {
      const refusal =
        'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\nX-Why: because\r\n\r\n5\r\nnever\r\n0\r\n\r\n';
      const upstream = await upstreamThat(() => answers(refusal));
      const refusing = await sceneWith([upstream.address]);
      const client = await rawClientOf(refusing);
      await client.send(handshake());
      const answer = await client.answer();
      expect([answer.status, answer.body.toString(), onlyValue(answer, 'x-why')]).toEqual([
        403,
        'never',
        'because',
      ]);
      client.close();
      await waitFor(() => refusing.engine.stats().clientConnections === 0, { what: 'the client to be gone' });
      await refusing.settled();
      expect(refusing.records).toHaveLength(1);
      expect(refusing.records[0]).toMatchObject({ status: 403, isStream: false });
      expect(refusing.streams('v1')).toBe(0);
    });

    test('with a dead pin is a 409', async () => {
      const two = await startScene(engine, { versions: { v1: [app.address], v2: [app.address] } });
      cleanUp.push(() => two.stop());
      await two.activate('v2', ['v1']);
      const client = await rawClientOf(two);
      await client.send(handshake(two.pin('v1')));
      expect((await client.answer()).status).toBe(409);
      expect(app.requestCount()).toBe(0);
    });

    test('of an upstream that refuses is a 502, and asked of another one first', async () => {
      const alone = await rawClientOf(await sceneWith(['127.0.0.1:1']));
      await alone.send(handshake());
      expect((await alone.answer()).status).toBe(502);
      const both = await sceneWith(['127.0.0.1:1', app.address]);
      for (let n = 0; n < 4; n++) {
        const client = await rawClientOf(both);
        await client.send(handshake());
        expect((await client.answer()).status).toBe(101);
      }
    });

    test('takes its upstream side along when the client is gone', async () => {
      const { socket } = await open();
      socket.terminate();
      await expectNothingLeft();
    });

    test('takes its upstream side along when the client leaves before the answer', async () => {
      const upstream = await upstreamThat(() => silent);
      const waiting = await sceneWith([upstream.address]);
      for (const leave of ['reset', 'close'] as const) {
        const client = await rawClientOf(waiting);
        await client.send(handshake());
        await waitFor(() => upstream.openConnections() === 1, { what: 'the handshake to arrive' });
        client[leave]();
        await waitFor(() => upstream.openConnections() === 0, { what: 'its upstream side to end' });
      }
      await expectNothingLeft(waiting);
    });

    test('ends for the client when the upstream is gone', async () => {
      const { closed } = await open();
      await app.kill();
      expect((await within(closed, { what: 'the client to see it' }))[0]).toBe(1006);
      await expectNothingLeft();
    });

    test('is closed when it says nothing for too long', async () => {
      scene = await sceneWith([app.address], { limits: { tunnelIdleMs: 200 } });
      const { closed } = await open();
      await within(closed, { what: 'it to be closed', timeoutMs: 3_000 });
      await expectNothingLeft();
    });

    test('whose client has ended its side is closed when the other says nothing for limits.clientIdle', async () => {
      const upstream = await upstreamThat(() => ({
        onBytes: ({ socket }) =>
          void socket.write(
            'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
          ),
      }));
      const half = await sceneWith([upstream.address], { limits: { clientIdleMs: 200 } });
      const client = await rawClientOf(half);
      await client.send(handshake());
      expect((await client.answer()).status).toBe(101);
      client.halfClose();
      await client.waitForEnd(3_000);
      await expectNothingLeft(half);
    });

    test('outlives the limits of ordinary requests', async () => {
      scene = await sceneWith([app.address], {
        limits: { firstByteMs: 100, clientIdleMs: 100, headerTimeoutMs: 100 },
      });
      const { socket, messages } = await open();
      await waitFor(() => messages.length === 1, { what: 'the greeting' });
      const started = performance.now();
      await waitFor(() => performance.now() - started > 600, { what: 'six times the limits' });
      socket.send('still here');
      await waitFor(() => messages.at(-1) === 'still here', { what: 'the echo' });
    });
  });

  describe('an event stream', () => {
    test('flows at once, is counted while it lasts, and ends with its client', async () => {
      const client = await rawClientOf(scene);
      await client.send('GET /sse HTTP/1.1\r\nHost: a\r\n\r\n');
      await waitFor(() => client.received().includes('data: v1'), { what: 'the first event' });
      expect([scene.streams('v1'), scene.inFlight('v1')]).toEqual([1, 1]);
      client.close();
      await expectNothingLeft();
      await scene.settled();
      expect(scene.records[0]).toMatchObject({ status: 200, isStream: true });
    });
  });

  describe('closing streams', () => {
    const openAll = async () => {
      const pinned = await open({ cookie: scene.pin('v1').slice('Cookie: '.length) });
      const unpinned = await open();
      const events = await rawClientOf(scene);
      await events.send('GET /sse HTTP/1.1\r\nHost: a\r\n\r\n');
      await waitFor(() => scene.streams('v1') === 3, { what: 'three streams' });
      await waitFor(() => events.received().includes('data:'), { what: 'an event' });
      return { pinned, unpinned, events };
    };

    test('closes those without a pin: WebSockets with 1012, event streams whole', async () => {
      const { pinned, unpinned, events } = await openAll();
      scene.engine.closeStreams('v2', 'all', 0);
      scene.engine.closeStreams('v1', 'unpinned', 0);
      expect((await within(unpinned.closed, { what: 'the unpinned one to close' }))[0]).toBe(1012);
      expect((await events.answer()).body.toString()).toContain('data: v1');
      expect(await events.waitForEnd()).toBe('fin');
      pinned.socket.send('still here');
      await waitFor(() => pinned.messages.at(-1) === 'still here', { what: 'the pinned one to be served' });
      await scene.settled();
      expect(scene.streams('v1')).toBe(1);
    });

    test('closes all, spread over a time', async () => {
      const { pinned, unpinned, events } = await openAll();
      scene.engine.closeStreams('v1', 'all', 300);
      expect((await pinned.closed)[0]).toBe(1012);
      expect((await unpinned.closed)[0]).toBe(1012);
      await events.waitForEnd();
      await expectNothingLeft();
    });

    test('puts its close frame between two frames, not into one', async () => {
      const upstream = await upstreamThat(() => answers(`${SWITCHING}\r\n\x81\x05hel`));
      const one = await sceneWith([upstream.address]);
      const client = await rawClientOf(one);
      await client.send(handshake());
      await client.answer();
      await waitFor(() => client.rest().toString('latin1') === '\x81\x05hel', { what: 'half a frame' });
      one.engine.closeStreams('v1', 'all', 0);
      upstream.connections[0]!.socket.write('lo');
      await client.waitForEnd();
      expect(client.rest().toString('latin1')).toBe('\x81\x05hello\x88\x02\x03\xf4');
    });
  });

  describe('a version that is cut off', () => {
    test('has its requests aborted and its streams closed, and nobody else’s', async () => {
      const other = await startUpstream({ version: 'v2' });
      cleanUp.push(() => other.stop());
      scene = await startScene(engine, { versions: { v1: [app.address], v2: [other.address] } });
      cleanUp.push(() => scene.stop());
      const waiting = await rawClientOf(scene);
      const loading = await rawClientOf(scene);
      const uploading = await rawClientOf(scene);
      const elsewhere = await rawClientOf(scene);
      loading.socket.pause();
      await waiting.send('GET /hang HTTP/1.1\r\nHost: a\r\n\r\n');
      await loading.send('GET /bytes?n=50000000 HTTP/1.1\r\nHost: a\r\n\r\n');
      await uploading.send('POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx');
      await elsewhere.send(`GET /slow?ms=300 HTTP/1.1\r\nHost: a\r\n${scene.pin('v2')}\r\n\r\n`);
      const { closed } = await open();
      await waitFor(() => app.requestCount() === 3 && other.requestCount() === 1, { what: 'all to arrive' });
      await waitFor(() => scene.engine.stats().exchanges === 5, { what: 'all to be under way' });
      scene.engine.abortVersion('v1');
      expect((await closed)[0]).toBe(1012);
      for (const client of [waiting, uploading]) {
        const answer = await client.answer();
        expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([503, 'cut-off']);
      }
      loading.socket.resume();
      await loading.waitForEnd();
      await expect(loading.answer()).rejects.toThrow('before a whole answer');
      expect((await elsewhere.answer()).status).toBe(200);
      await waitFor(() => app.openConnections() === 0, { what: 'the connections to be closed' });
      await scene.settled();
      expect(scene.inFlight('v1')).toBe(0);
    });
  });

  test('an upgrade to anything else is an ordinary request', async () => {
    const answer = await rawRequest(scene, ['Connection: Upgrade', 'Upgrade: h2c'], { target: '/api/x' });
    expect(answer.status).toBe(200);
    expect(app.requests[0]!.headers.upgrade).toBeUndefined();
  });
}, 'beside each other');
