// Connections on every engine: how long they are kept on the client's side and on the upstream's, in what order requests
// are answered on them, and what happens when either side leaves.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { answers, type RawUpstream, resets, silent, startRawUpstream } from '../kit/raw-upstream.ts';
import { type RecordingUpstream, type Seen, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { type Message, readRequest, valuesOf } from '../kit/strict-http.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';
import { onEveryParser } from './engines.ts';
import { type Scene, type SceneSettings, startScene } from './scene.ts';

const get = (target: string, ...lines: string[]): string =>
  `${[`GET ${target} HTTP/1.1`, 'Host: a', ...lines].join('\r\n')}\r\n\r\n`;
const targetOf = (answer: Message): string => (JSON.parse(answer.body.toString()) as Seen).target;

onEveryParser((engine) => {
  const cleanUp: (() => void | Promise<void>)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const sceneWith = async (
    addresses: readonly string[],
    more: Partial<SceneSettings> = {},
  ): Promise<Scene> => {
    const scene = await startScene(engine, { versions: { v1: addresses }, ...more });
    cleanUp.push(() => scene.stop());
    return scene;
  };
  const clientOf = async (scene: Scene): Promise<RawClient> => {
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    return client;
  };
  const upstreamThat = async (behave: Parameters<typeof startRawUpstream>[0]): Promise<RawUpstream> => {
    const upstream = await startRawUpstream(behave);
    cleanUp.push(() => upstream.stop());
    return upstream;
  };

  describe('a client', () => {
    let recorder: RecordingUpstream;
    beforeEach(async () => {
      recorder = await startRecordingUpstream();
      cleanUp.push(() => recorder.stop());
    });

    test('is served many times on one connection, by one upstream connection', async () => {
      const scene = await sceneWith([recorder.upstream.address]);
      const client = await clientOf(scene);
      for (let n = 0; n < 5; n++) {
        await client.send(get(`/${n}`));
        const answer = await client.answer();
        expect(targetOf(answer)).toBe(`/${n}`);
        expect(valuesOf(answer, 'connection')).toEqual([]);
      }
      expect(recorder.upstream.connections.length).toBe(1);
      await scene.settled();
      expect(scene.engine.stats()).toMatchObject({
        clientConnections: 1,
        upstreamConnections: 1,
        idleUpstreamConnections: 1,
        exchanges: 0,
      });
    });

    test('that pipelines gets its answers in order, each of one request', async () => {
      const scene = await sceneWith([recorder.upstream.address]);
      const client = await clientOf(scene);
      const targets = Array.from({ length: 200 }, (_, n) => `/${n}`);
      await client.send(targets.map((target) => get(target)).join(''));
      for (const target of targets) expect(targetOf(await client.answer())).toBe(target);
      expect(recorder.requests().length).toBe(200);
      await scene.settled();
      expect(scene.records.length).toBe(200);
    });

    test('that pipelines unsafe requests has them sent one after the other', async () => {
      const scene = await sceneWith([recorder.upstream.address]);
      const client = await clientOf(scene);
      const post = 'POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx';
      await client.send(post.repeat(5));
      for (let n = 0; n < 5; n++) expect((await client.answer()).status).toBe(200);
      expect(recorder.upstream.connections.length).toBe(1);
    });

    test.each([
      { garbage: 'BOGUS\r\n\r\n', status: 400 },
      { garbage: '\x00\x01\r\n\r\n', status: 400 },
      { garbage: 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', status: 405 },
    ])('keeps its answer when a $status comes behind its request', async ({ garbage, status }) => {
      const slow = await upstreamThat(() => ({
        onBytes: ({ socket }) =>
          void setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 50),
      }));
      const client = await clientOf(await sceneWith([slow.address]));
      await client.send(get('/') + garbage);
      expect((await client.answer()).body.toString()).toBe('ok');
      expect((await client.answer()).status).toBe(status);
      await client.waitForEnd();
    });

    test('that says close gets its answer, which says so, too, and the end', async () => {
      const client = await clientOf(await sceneWith([recorder.upstream.address]));
      await client.send(get('/', 'Connection: close') + get('/never'));
      expect(valuesOf(await client.answer(), 'connection')).toEqual(['close']);
      await client.waitForEnd();
      expect(client.rest().length).toBe(0);
      expect(recorder.requests().length).toBe(1);
    });

    test('gets as many answers on a connection as are allowed', async () => {
      const scene = await sceneWith([recorder.upstream.address], { limits: { requestsPerConnection: 2 } });
      const client = await clientOf(scene);
      await client.send(get('/1') + get('/2') + get('/3'));
      expect(valuesOf(await client.answer(), 'connection')).toEqual([]);
      expect(valuesOf(await client.answer(), 'connection')).toEqual(['close']);
      await client.waitForEnd();
      expect(recorder.requests().length).toBe(2);
    });

    test('that has ended its side still gets its answer', async () => {
      const limits = { halfCloseMs: 5_000 };
      const client = await clientOf(await sceneWith([recorder.upstream.address], { limits }));
      await client.send(get('/'));
      client.halfClose();
      expect((await client.answer()).status).toBe(200);
      await client.waitForEnd();
    });

    test('that sends nothing more is closed after the idle time', async () => {
      const scene = await sceneWith([recorder.upstream.address], { limits: { clientIdleMs: 200 } });
      const client = await clientOf(scene);
      await client.send(get('/'));
      await client.answer();
      await client.waitForEnd(2_000);
      await waitFor(() => scene.engine.stats().clientConnections === 0, {
        what: 'the client to be forgotten',
      });
    });

    test('that sends nothing at all is closed without an answer', async () => {
      const scene = await sceneWith([recorder.upstream.address], { limits: { headerTimeoutMs: 200 } });
      const client = await clientOf(scene);
      await client.waitForEnd(3_000);
      expect(client.received().length).toBe(0);
    });

    test('beyond the limit is closed at once, and counted', async () => {
      const scene = await sceneWith([recorder.upstream.address], { limits: { connections: 2 } });
      const first = await clientOf(scene);
      await clientOf(scene);
      await waitFor(() => scene.engine.stats().clientConnections === 2, { what: 'two clients' });
      const third = await clientOf(scene);
      await third.waitForEnd();
      await scene.settled();
      expect(scene.engine.stats()).toMatchObject({ clientConnections: 2, refusedConnections: 1 });
      await first.send(get('/'));
      expect((await first.answer()).status).toBe(200);
    });
  });

  describe('a client that goes away', () => {
    const ways: Readonly<Record<string, (client: RawClient) => void>> = {
      RST: (client) => client.reset(),
      FIN: (client) => client.close(),
    };
    test.each([
      { when: 'before the answer', how: 'RST', request: get('/hang') },
      { when: 'before the answer', how: 'FIN', request: get('/hang') },
      {
        when: 'in its upload',
        how: 'RST',
        request: 'POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx',
      },
      {
        when: 'in its upload',
        how: 'FIN',
        request: 'POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nx',
      },
      { when: 'in its download', how: 'RST', request: get('/bytes?n=50000000') },
      { when: 'in its download', how: 'FIN', request: get('/bytes?n=50000000') },
    ])('$when by $how takes its upstream request along', async ({ how, request }) => {
      const app: Upstream = await startUpstream({ version: 'v1' });
      cleanUp.push(() => app.stop());
      const scene = await sceneWith([app.address]);
      const client = await clientOf(scene);
      client.socket.pause();
      await client.send(request);
      await waitFor(() => app.requestCount() === 1, { what: 'the request to arrive' });
      ways[how]!(client);
      await waitFor(() => app.openConnections() === 0, {
        what: 'its upstream connection to end',
        timeoutMs: 1_500,
      });
      await scene.settled();
      expect(scene.inFlight('v1')).toBe(0);
      expect(scene.engine.stats()).toMatchObject({ exchanges: 0, upstreamConnections: 0 });
      await scene.settled();
      expect(scene.records).toHaveLength(1);
      expect(scene.records[0]).toMatchObject({ failure: 'client-gone', upstream: app.address });
    });

    test('while it waits for an upstream is forgotten', async () => {
      const scene = await sceneWith(['127.0.0.1:1']);
      scene.setHealth('v1', 'down');
      const client = await clientOf(scene);
      await client.send(get('/', scene.pin('v1')));
      await waitFor(() => scene.engine.stats().exchanges === 1, { what: 'the request to be held' });
      client.reset();
      await waitFor(() => scene.engine.stats().exchanges === 0, { what: 'the request to be dropped' });
      await scene.settled();
      expect(scene.records[0]).toMatchObject({ failure: 'client-gone', status: 0 });
    });
  });

  describe('an upstream', () => {
    test('that refuses is left for another one, once', async () => {
      const good = await upstreamThat(() => ({
        onBytes: ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
      }));
      const scene = await sceneWith(['127.0.0.1:1', good.address]);
      const wasRetried = (): boolean => scene.records.some(({ retries }) => retries === 1);
      // Which of two is chosen first is chance.
      for (let n = 0; n < 20 && !wasRetried(); n++) {
        const answer = await rawRequest(scene, [], { method: 'POST', body: 'x' });
        expect(answer.body.toString()).toBe('ok');
        await scene.settled();
      }
      expect(wasRetried()).toBe(true);
      expect(scene.faults[0]).toContain('v1 127.0.0.1:1');
    });

    test('T08: that refuses and is the only one is a 502', async () => {
      const scene = await sceneWith(['127.0.0.1:1']);
      const answer = await rawRequest(scene, []);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'connect-failed']);
      await scene.settled();
      expect(scene.inFlight('v1')).toBe(0);
    });

    test.each([
      { method: 'GET', body: '', status: 200, connections: 2 },
      { method: 'POST', body: 'x', status: 502, connections: 1 },
    ])('T09: that ends a reused connection gets a $method once more only when that is safe', async (row) => {
      const upstream = await upstreamThat((index) => ({
        onBytes: ({ socket, received }) => {
          const first = readRequest(received());
          if (first.state !== 'complete') return;
          if (index === 0 && received().length > first.end) socket.resetAndDestroy();
          else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
        },
      }));
      const scene = await sceneWith([upstream.address]);
      // On one connection, and so in one thread: connections to upstreams are not shared among threads.
      const client = await clientOf(scene);
      await client.send(get('/'));
      await client.answer();
      const length = row.body === '' ? '' : `Content-Length: ${row.body.length}\r\n`;
      await client.send(`${row.method} / HTTP/1.1\r\nHost: a\r\n${length}\r\n${row.body}`);
      expect((await client.answer(row.method)).status).toBe(row.status);
      expect(upstream.connections.length).toBe(row.connections);
    });

    test('T09: that has ended all its idle connections is asked on a new one', async () => {
      const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
      const first: (() => void)[] = [];
      const upstream = await upstreamThat((index) => {
        let asked = 0;
        return {
          onBytes: ({ socket }) => {
            if (index >= 2) socket.write(ok);
            else if (++asked === 1) first.push(() => socket.write(ok));
            else socket.resetAndDestroy();
          },
        };
      });
      const scene = await sceneWith([upstream.address]);
      const both = [rawRequest(scene, []), rawRequest(scene, [])];
      await waitFor(() => first.length === 2, { what: 'both requests to arrive' });
      for (const answer of first) answer();
      await Promise.all(both);
      await scene.settled();
      expect(scene.engine.stats().idleUpstreamConnections).toBe(2);
      expect((await rawRequest(scene, [])).status).toBe(200);
      expect(upstream.connections.length).toBe(3);
    });

    test('T21: that dies with its idle connections and refuses new ones is left for another one', async () => {
      const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
      const dying = await upstreamThat(() => ({
        onBytes: ({ socket, received }) => {
          if (received().includes('/last')) void dying.stop();
          else socket.write(ok);
        },
      }));
      const busy = await upstreamThat(() => ({
        onBytes: ({ socket, received }) => {
          if (!received().includes('/hold')) socket.write(ok);
        },
      }));
      const scene = await sceneWith([dying.address, busy.address]);
      // With a request under way, the living one is the second choice.
      while (busy.connections.length === 0) {
        const client = await clientOf(scene);
        await client.send(get('/hold'));
        await waitFor(() => client.received().length > 0 || busy.connections.length > 0, {
          what: 'the request to arrive',
        });
      }
      const client = await clientOf(scene);
      await client.send(get('/'));
      await client.answer();
      const idle = dying.openConnections();
      expect(idle).toBeGreaterThan(0);
      await client.send(get('/last'));
      const answer = await client.answer();
      expect([answer.status, answer.body.toString()]).toEqual([200, 'ok']);
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ upstream: busy.address, retries: 2 });
    });

    test('that resets a fresh connection gets nothing twice', async () => {
      const upstream = await upstreamThat(() => resets);
      const scene = await sceneWith([upstream.address]);
      const answer = await rawRequest(scene, []);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'upstream-reset']);
      expect(upstream.connections.length).toBe(1);
    });

    test('that sends octets behind an answer is not asked again on that connection', async () => {
      const upstream = await upstreamThat((index) => ({
        onBytes: ({ socket }) => {
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
          if (index === 0)
            setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'), 20);
        },
      }));
      const scene = await sceneWith([upstream.address]);
      await rawRequest(scene, []);
      await scene.settled();
      await waitFor(() => scene.engine.stats().upstreamConnections === 0, {
        what: 'the connection to be closed',
      });
      expect((await rawRequest(scene, [])).body.toString()).toBe('ok');
      expect(upstream.connections.length).toBe(2);
    });

    test('is closed when it is idle for too long', async () => {
      const upstream = await upstreamThat(() => answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
      const scene = await sceneWith([upstream.address], { limits: { upstreamIdleMs: 150 } });
      await rawRequest(scene, []);
      await waitFor(() => upstream.openConnections() === 0, { what: 'it to be closed', timeoutMs: 2_000 });
      await scene.settled();
      expect(scene.engine.stats()).toMatchObject({ upstreamConnections: 0, idleUpstreamConnections: 0 });
    });

    test('that another version has now is asked on a connection of its own', async () => {
      const upstream = await upstreamThat(() => answers('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'));
      const scene = await startScene(engine, {
        versions: { v1: [upstream.address], v2: [upstream.address] },
      });
      cleanUp.push(() => scene.stop());
      await rawRequest(scene, [scene.pin('v1')]);
      await rawRequest(scene, [scene.pin('v2')]);
      expect(upstream.connections.length).toBe(2);
    });

    test('that never answers is a 504', async () => {
      const upstream = await upstreamThat(() => silent);
      const scene = await sceneWith([upstream.address], { limits: { firstByteMs: 200 } });
      const answer = await rawRequest(scene, []);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([504, 'upstream-timeout']);
      await waitFor(() => upstream.openConnections() === 0, { what: 'its connection to be closed' });
      await scene.settled();
      expect(scene.inFlight('v1')).toBe(0);
    });

    test.each([
      { how: 'a short body', bytes: 'Content-Length: 10\r\n\r\nhello', after: 'close' as const },
      { how: 'a reset in the body', bytes: 'Content-Length: 10\r\n\r\nhello', after: 'rst' as const },
      {
        how: 'no last chunk',
        bytes: 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n',
        after: 'close' as const,
      },
      {
        how: 'a bad chunk',
        bytes: 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n',
        after: 'keep' as const,
      },
      { how: 'silence in the body', bytes: 'Content-Length: 10\r\n\r\nhello', after: 'keep' as const },
    ])('that breaks off with $how is seen to by the client', async ({ bytes, after }) => {
      const upstream = await upstreamThat(() => answers(`HTTP/1.1 200 OK\r\n${bytes}`, after));
      const scene = await sceneWith([upstream.address], { limits: { firstByteMs: 300 } });
      for (const version of ['1.1', '1.0']) {
        const client = await clientOf(scene);
        await client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
        const end = await client.waitForEnd(3_000);
        const isMeasured = version === '1.1' || bytes.startsWith('Content-Length');
        // Where the connection's end is the body's, only a reset tells.
        if (!isMeasured) expect(end).toBe('reset');
        else if (client.received().length > 0)
          await expect(client.answer()).rejects.toThrow('before a whole answer');
      }
      await waitFor(() => scene.inFlight('v1') === 0, { what: 'the requests to be counted out' });
      await scene.settled();
      expect(scene.records.map(({ failure }) => failure)).toEqual([
        'upstream-truncated',
        'upstream-truncated',
      ]);
    });

    test.each([
      { how: 'to some protocol', fields: 'Upgrade: x\r\nConnection: upgrade\r\n' },
      { how: 'to none', fields: '' },
    ])('that switches unasked $how is a 502', async ({ fields }) => {
      const upstream = await upstreamThat(() =>
        answers(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\nraw`),
      );
      const scene = await sceneWith([upstream.address]);
      const answer = await rawRequest(scene, []);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'upstream-invalid']);
      await waitFor(() => upstream.openConnections() === 0, { what: 'its connection to be closed' });
    });
  });
});
