// Bodies on every engine: by length and chunked, up and down, of no octet and of many; answers that have none; trailers;
// and clients that wait for a 100.

import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../kit/http-request.ts';
import { patternHash, patternOf, patternParts } from '../kit/pattern.ts';
import { rawClient } from '../kit/raw-client.ts';
import { rawRequest } from '../kit/raw-request.ts';
import { answers, startRawUpstream } from '../kit/raw-upstream.ts';
import { type RecordingUpstream, startRecordingUpstream } from '../kit/recording-upstream.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { ECHO_HASH, startUpstream, type Upstream } from '../kit/upstream.ts';
import { onEveryParser } from './engines.ts';
import { type Scene, startScene } from './scene.ts';

const MEGABYTE = 1_048_576;
const FINAL = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

onEveryParser((engine) => {
  let app: Upstream;
  let recorder: RecordingUpstream;
  let scene: Scene;
  let recorded: Scene;
  beforeAll(async () => {
    [app, recorder] = await Promise.all([startUpstream({ version: 'v1' }), startRecordingUpstream()]);
    scene = await startScene(engine, { versions: { v1: [app.address] } });
    recorded = await startScene(engine, { versions: { v1: [recorder.upstream.address] } });
  });
  afterAll(async () => {
    await Promise.all([scene?.stop(), recorded?.stop()]);
    await Promise.all([app?.stop(), recorder?.stop()]);
  });

  describe('a request body', () => {
    test.each([1, 65_537, 3 * MEGABYTE])('of %d octets by length arrives', async (length) => {
      const body = Buffer.concat([...patternParts(length)]);
      const answer = await httpRequest(`${scene.url}/echo`, { method: 'POST', body });
      expect(answer.headers[ECHO_HASH]).toBe(patternHash(length));
      expect(answer.text()).toBe(String(length));
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ bytesIn: length, status: 200 });
    });

    test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'GET'])(
      'of a chunked %s arrives as one',
      async (method) => {
        recorder.forget();
        const client = await rawClient(recorded);
        const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';
        const chunk = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n`;
        await client.send(`${method} /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`);
        await client.send('2;ext=1\r\nab\r\n0\r\n\r\n');
        expect((await client.finalAnswer(method)).status).toBe(200);
        expect(recorder.faults()).toEqual([]);
        expect(recorder.requests().map((request) => [request.method, request.target])).toEqual([
          [method, '/x'],
        ]);
        expect(recorder.requests()[0]!.body.toString()).toBe(`${smuggled}ab`);
        client.close();
      },
    );

    test.each(['POST', 'DELETE', 'GET'])('of a %s by length arrives as one', async (method) => {
      recorder.forget();
      await rawRequest(recorded, [], { method, body: 'hello' });
      expect(recorder.requests().map((request) => request.body.toString())).toEqual(['hello']);
      expect(valuesOf(recorder.requests()[0]!, 'content-length')).toEqual(['5']);
    });

    test('that is long and chunked arrives whole', async () => {
      const client = await rawClient(scene);
      await client.send('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (const part of patternParts(3 * MEGABYTE)) {
        await client.send(`${part.length.toString(16)}\r\n`);
        await client.send(part);
        await client.send('\r\n');
      }
      await client.send('0\r\n\r\n');
      const answer = await client.finalAnswer();
      expect(valuesOf(answer, ECHO_HASH)).toEqual([patternHash(3 * MEGABYTE)]);
      client.close();
    });

    test('keeps its trailers, but for those that frame, route or are ours', async () => {
      recorder.forget();
      const client = await rawClient(recorded);
      await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n');
      await client.send('X-Sum: 7\r\nCookie: a=1\r\nX-Lockstep-Session: x\r\nX_Forwarded_For: x\r\n\r\n');
      await client.finalAnswer();
      expect(recorder.requests()[0]!.trailers).toEqual([['X-Sum', '7']]);
      client.close();
    });

    test('of a request that has none is not made up', async () => {
      recorder.forget();
      await rawRequest(recorded, [], { target: '/none' });
      const [request] = recorder.requests();
      expect(valuesOf(request!, 'transfer-encoding')).toEqual([]);
      expect(request!.body.length).toBe(0);
    });
  });

  describe('an answer body', () => {
    test.each([0, 1, 65_537, 3 * MEGABYTE])('of %d octets by length arrives', async (length) => {
      const answer = await httpRequest(`${scene.url}/bytes?n=${length}`);
      expect(answer.headers['content-length']).toBe(String(length));
      expect(createHash('sha256').update(answer.body).digest('hex')).toBe(patternHash(length));
      await scene.settled();
      expect(scene.records.at(-1)).toMatchObject({ bytesOut: length });
    });

    test.each([0, 1, 3 * MEGABYTE])('of %d octets without a length arrives chunked', async (length) => {
      const answer = await httpRequest(`${scene.url}/bytes?n=${length}&chunked`);
      expect(answer.headers['transfer-encoding']).toBe('chunked');
      expect(createHash('sha256').update(answer.body).digest('hex')).toBe(patternHash(length));
    });

    test('without a length goes to an HTTP/1.0 client unchunked, and ends with the connection', async () => {
      const client = await rawClient(scene);
      await client.send('GET /bytes?n=10&chunked HTTP/1.0\r\nHost: a\r\n\r\n');
      await client.waitForEnd();
      const answer = await client.finalAnswer();
      expect(valuesOf(answer, 'transfer-encoding')).toEqual([]);
      expect(answer.body.equals(patternOf(0, 10))).toBe(true);
    });

    test.each([
      { name: 'a HEAD', method: 'HEAD', head: 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n', length: ['3'] },
      { name: 'a 204', method: 'GET', head: 'HTTP/1.1 204 No Content\r\n\r\n', length: [] },
      { name: 'a 304', method: 'GET', head: 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\n\r\n', length: [] },
      {
        name: 'a length of 0',
        method: 'GET',
        head: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
        length: ['0'],
      },
    ])('is not waited for after $name', async ({ method, head, length }) => {
      const upstream = await startRawUpstream(() => answers(head));
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const answer = await rawRequest(one, [], { method });
      expect(valuesOf(answer, 'content-length')).toEqual(length);
      expect(answer.body.length).toBe(0);
      await one.stop();
      await upstream.stop();
    });

    test('that ends with the upstream’s connection is whole to the client', async () => {
      const upstream = await startRawUpstream(() => answers('HTTP/1.1 200 OK\r\n\r\nabc', 'close'));
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const answer = await rawRequest(one, []);
      expect([answer.body.toString(), answer.framing]).toEqual(['abc', 'chunked']);
      await one.stop();
      await upstream.stop();
    });

    test('keeps its trailers, but for those that frame, route or are ours', async () => {
      const body = '3\r\nabc\r\n0\r\nX-Sum: 7\r\nSet-Cookie: a=1\r\nX-Lockstep-Version: x\r\n\r\n';
      const upstream = await startRawUpstream(() =>
        answers(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`),
      );
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const answer = await rawRequest(one, []);
      expect([answer.body.toString(), answer.trailers]).toEqual(['abc', [['X-Sum', '7']]]);
      await one.stop();
      await upstream.stop();
    });
  });

  describe('an interim answer', () => {
    test('T11: a 100 comes when the upstream sends it, then the body goes up, then the answer comes', async () => {
      const upstream = await startRawUpstream(() => ({
        onBytes: ({ socket, received }) => {
          const text = received().toString('latin1');
          if (text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 100 Continue\r\n\r\n');
          else if (text.endsWith('hello')) socket.write(FINAL);
        },
      }));
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const client = await rawClient(one);
      await client.send(
        'POST /up//load HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n',
      );
      expect((await client.answer()).status).toBe(100);
      await client.send('hello');
      expect((await client.answer()).status).toBe(200);
      expect(upstream.connections[0]!.received().toString()).toMatch(/^POST \/up\/\/load HTTP\/1\.1\r\n/);
      expect(upstream.connections[0]!.received().toString()).toMatch(/\r\nExpect: 100-continue\r\n/i);
      client.close();
      await one.stop();
      await upstream.stop();
    });

    test('T10: a refusal in place of a 100 reaches the client, and the connection ends', async () => {
      const upstream = await startRawUpstream(() => answers('HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n'));
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const client = await rawClient(one);
      await client.send('POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n');
      const answer = await client.answer();
      expect([answer.status, valuesOf(answer, 'connection')]).toEqual([413, ['close']]);
      await client.waitForEnd();
      await one.stop();
      await upstream.stop();
    });

    test('T10: an answer before the body has come reaches a client that goes on sending', async () => {
      const upstream = await startRawUpstream(() =>
        answers('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno'),
      );
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const client = await rawClient(one);
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${MEGABYTE}\r\n\r\n`);
      for (let sent = 0; sent < MEGABYTE / 2; sent += 65_536) await client.send(Buffer.alloc(65_536));
      expect((await client.answer()).status).toBe(413);
      await client.waitForEnd();
      expect(client.ended()).toBe('fin');
      await one.stop();
      await upstream.stop();
    });

    test.each([
      { version: '1.1', passes: true },
      { version: '1.0', passes: false },
    ])('of 103 reaches a client of HTTP/$version: $passes', async ({ version, passes }) => {
      const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n';
      const upstream = await startRawUpstream(() => answers(hints + FINAL));
      const one = await startScene(engine, { versions: { v1: [upstream.address] } });
      const client = await rawClient(one);
      await client.send(`GET / HTTP/${version}\r\nHost: a\r\n\r\n`);
      const first = await client.answer();
      expect(first.status).toBe(passes ? 103 : 200);
      if (passes) {
        expect(first.fields).toEqual([['Link', '</a.css>']]);
        expect((await client.answer()).status).toBe(200);
      }
      client.close();
      await one.stop();
      await upstream.stop();
    });

    test.each(['x', '100-continue, x'])('an expectation of %s is a 417', async (expectation) => {
      const refused = await rawRequest(scene, [`Expect: ${expectation}`], { method: 'POST', body: 'x' });
      expect([refused.status, valuesOf(refused, 'x-lockstep-error')]).toEqual([417, ['expectation-failed']]);
    });
  });
});
