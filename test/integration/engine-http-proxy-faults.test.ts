// What http-proxy 1.18.1 does wrong as it is published, fault by fault, and that the engine that is built on it does not.
// An exception that nobody catches ends the run of these tests: so does each crash that is spoken of here.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import type { EngineOptions, EnginePorts } from '../../src/engine/contract.ts';
import { HttpProxyEngine } from '../../src/engine/http-proxy-engine.ts';
import { type Scene, type SceneSettings, startScene } from '../contract/scene.ts';
import { expectOrdinaryService } from '../kit/ordinary-requests.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { rawRequest } from '../kit/raw-request.ts';
import { type After, silent, startRawUpstream } from '../kit/raw-upstream.ts';
import { startRecordingUpstream } from '../kit/recording-upstream.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';

const cleanUp: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

async function sceneWith(address: string, more: Partial<SceneSettings> = {}): Promise<Scene> {
  const create = (options: EngineOptions, ports: EnginePorts) => new HttpProxyEngine(options, ports);
  const scene = await startScene({ name: 'http-proxy', create }, { versions: { v1: [address] }, ...more });
  cleanUp.push(() => scene.stop());
  return scene;
}

async function clientOf(scene: Scene): Promise<RawClient> {
  const client = await rawClient(scene);
  cleanUp.push(() => client.close());
  return client;
}

async function recorded(respond?: Parameters<typeof startRecordingUpstream>[0]) {
  const recorder = await startRecordingUpstream(respond);
  cleanUp.push(() => recorder.stop());
  return { recorder, scene: await sceneWith(recorder.upstream.address) };
}

/** Answers `/bad` with these bytes, and everything else as it should be. */
async function badAnswer(bytes: string, after: After = 'keep') {
  return recorded(({ target }, socket) => {
    if (target !== '/bad') return false;
    socket.write(Buffer.from(bytes, 'latin1'));
    if (after === 'close') socket.end();
    if (after === 'rst') setImmediate(() => socket.resetAndDestroy());
    return true;
  });
}

describe('http-proxy waits for an `aborted` event that node:http emits no more', () => {
  test.each([
    { when: 'before the answer', request: 'GET / HTTP/1.1\r\nHost: a\r\n\r\n' },
    { when: 'in the request’s body', request: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx' },
  ])(
    'the upstream request of a client that leaves $when is aborted, and no socket leaks',
    async ({ request }) => {
      const upstream = await startRawUpstream(() => silent);
      cleanUp.push(() => upstream.stop());
      const scene = await sceneWith(upstream.address);
      for (let n = 0; n < 20; n++) {
        const client = await clientOf(scene);
        await client.send(request);
        await waitFor(() => upstream.openConnections() === 1, { what: 'the request to arrive' });
        client.close();
        await waitFor(() => upstream.openConnections() === 0, { what: 'it to be aborted', timeoutMs: 1_000 });
      }
      expect(scene.engine.stats()).toMatchObject({ upstreamConnections: 0, exchanges: 0 });
    },
  );
});

describe('http-proxy takes the framing from chunked DELETE and OPTIONS', () => {
  test.each(['DELETE', 'OPTIONS'])(
    'the body of a chunked %s does not become a second request',
    async (method) => {
      const { recorder, scene } = await recorded();
      const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
      const client = await clientOf(scene);
      const chunks = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
      await client.send(`${method} / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
      expect((await client.answer()).status).toBe(200);
      expect(recorder.requests().map(({ method, body }) => [method, body.toString()])).toEqual([
        [method, smuggled],
      ]);
      expect(valuesOf(recorder.requests()[0]!, 'content-length')).toEqual([]);
    },
  );

  test('an empty DELETE is not given a length that it did not have', async () => {
    const { recorder, scene } = await recorded();
    await rawRequest(scene, [], { method: 'DELETE' });
    expect(valuesOf(recorder.requests()[0]!, 'content-length')).toEqual([]);
  });
});

describe('http-proxy offers the request for changes when its head may have been sent', () => {
  test('a long body that is here before the upstream’s connection crashes nothing', async () => {
    const { recorder, scene } = await recorded();
    const body = 'x'.repeat(300_000);
    for (let n = 0; n < 5; n++) {
      const client = await clientOf(scene);
      await client.send(`POST /${n} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
      expect((await client.answer()).status).toBe(200);
    }
    expect(recorder.requests().every((request) => request.body.length === body.length)).toBe(true);
    expect(valuesOf(recorder.requests()[0]!, 'x-lockstep-version')).toEqual(['v1']);
  });

  test('an expectation takes nothing away from the request', async () => {
    const { recorder, scene } = await recorded();
    const client = await clientOf(scene);
    await client.send(
      'POST //a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello',
    );
    expect((await client.finalAnswer()).status).toBe(200);
    const [request] = recorder.requests();
    expect([request!.target, valuesOf(request!, 'x-lockstep-version')]).toEqual(['//a', ['v1']]);
  });
});

describe('http-proxy listens for no errors of an answer', () => {
  test.each([
    {
      name: 'a bad chunk crashes nothing',
      body: 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n',
      after: 'keep',
    },
    { name: 'a truncated body is visibly cut', body: 'Content-Length: 9\r\n\r\nabc', after: 'close' },
    { name: 'a reset body is visibly cut', body: 'Content-Length: 9\r\n\r\nabc', after: 'rst' },
    {
      name: 'a body without its last chunk is cut',
      body: 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n',
      after: 'close',
    },
  ] as const)('$name, and the client does not wait for ever', async ({ body, after }) => {
    const { scene } = await badAnswer(`HTTP/1.1 200 OK\r\n${body}`, after);
    const client = await clientOf(scene);
    await client.send('GET /bad HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.waitForEnd(2_000);
    if (client.received().length > 0) await expect(client.answer()).rejects.toThrow('before a whole answer');
    expect(scene.records[0]).toMatchObject({ failure: 'upstream-truncated' });
    await expectOrdinaryService(scene);
  });
});

test('http-proxy hangs on an unsolicited 101; here it is a 502', async () => {
  const { scene } = await badAnswer(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw',
  );
  expect((await rawRequest(scene, [], { target: '/bad' })).status).toBe(502);
  expect(scene.engine.stats()).toMatchObject({ upstreamConnections: 0, exchanges: 0 });
  await expectOrdinaryService(scene);
});

test('http-proxy passes names with underscores as they are; twins of what matters do not get through', async () => {
  const { recorder, scene } = await recorded();
  await rawRequest(scene, [
    'X_Forwarded_For: 6.6.6.6',
    'Content_Length: 9',
    'X_Lockstep_Version: v9',
    'my_own: 1',
  ]);
  const names = recorder.requests()[0]!.fields.map(([name]) => name);
  expect(names.filter((name) => name.includes('_'))).toEqual(['my_own']);
});

describe('http-proxy passes hop-by-hop fields on', () => {
  test('neither they nor nominated ones reach the upstream', async () => {
    const { recorder, scene } = await recorded();
    await rawRequest(scene, [
      'Connection: x-mine',
      'X-Mine: 1',
      'Keep-Alive: 5',
      'Proxy-Connection: x',
      'TE: trailers',
    ]);
    expect(recorder.leaks()).toEqual([]);
    expect(valuesOf(recorder.requests()[0]!, 'x-mine')).toEqual([]);
  });

  test('neither they nor nominated ones reach the client', async () => {
    const fields = 'Connection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=9\r\nProxy-Connection: x\r\n';
    const { scene } = await badAnswer(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 2\r\n\r\nok`);
    const answer = await rawRequest(scene, [], { target: '/bad' });
    expect(answer.leaks).toEqual([]);
    expect(valuesOf(answer, 'x-mine')).toEqual([]);
  });
});

test('node:http answers garbage at once, and a request before it loses its answer; here it keeps it', async () => {
  const { scene } = await recorded(({ body }, socket) => {
    setTimeout(
      () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n${body.length > 0 ? 'no' : 'ok'}`),
      50,
    );
    return true;
  });
  const client = await clientOf(scene);
  await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\nBOGUS\r\n\r\n');
  expect((await client.answer()).body.toString()).toBe('ok');
  expect((await client.answer()).status).toBe(400);
  await client.waitForEnd();
});

test.each(['//evil.example/x', '/a//b', '/http:/x', '/a?b=//c?d'])(
  'http-proxy joins slashes; the target %s goes up as it came',
  async (target) => {
    const { recorder, scene } = await recorded();
    await rawRequest(scene, [], { target });
    expect(recorder.requests()[0]!.target).toBe(target);
  },
);

test('http-proxy calls util._extend for each request (DEP0060); nothing is said on stderr', async () => {
  const child = new URL('./engine-http-proxy-child.ts', import.meta.url).pathname;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [child]);
  expect(stderr).toBe('');
  expect(stdout.trim()).toBe('200 101, still lent: false');
});
