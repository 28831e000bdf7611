// What people who know Go's httputil.ReverseProxy expect of a reverse proxy, in our words, on both engines. Where we differ on
// purpose the row says so and why:
// - X-Forwarded-For of a client that no configuration trusts is replaced, not appended to;
// - the query goes up as it came: it is the application's to read, and there is no parser here that could disagree;
// - only WebSockets are upgraded; the request for another protocol goes up as an ordinary one;
// - TE goes no further, not even `trailers`: trailers are passed on unasked.

import { afterEach, describe, expect, test } from 'vitest';
import { onEveryParser } from '../contract/engines.ts';
import { type Scene, startScene } from '../contract/scene.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { answers, type Behaviour, startRawUpstream } from '../kit/raw-upstream.ts';
import { startRecordingUpstream } from '../kit/recording-upstream.ts';
import { type Field, type Message, readRequest, valuesOf } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';

onEveryParser((engine) => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const sceneBefore = async (address: string): Promise<Scene> => {
    const scene = await startScene(engine, { versions: { v1: [address] } });
    cleanUp.push(() => scene.stop());
    return scene;
  };
  const clientOf = async (scene: Scene): Promise<RawClient> => {
    const client = await rawClient(scene);
    cleanUp.push(() => client.close());
    return client;
  };

  /** What the application sees of a request. */
  const seenOf = async (
    lines: readonly string[],
    about: Parameters<typeof rawRequest>[2] = {},
  ): Promise<Message> => {
    const recorder = await startRecordingUpstream();
    cleanUp.push(() => recorder.stop());
    await rawRequest(await sceneBefore(recorder.upstream.address), lines, about);
    expect(recorder.requests()).toHaveLength(1);
    return recorder.requests()[0]!;
  };
  /** What the client gets of an answer. */
  const answerOf = async (bytes: string, method = 'GET'): Promise<Message> => {
    const upstream = await startRawUpstream(() => answers(bytes, 'close'));
    cleanUp.push(() => upstream.stop());
    return rawRequest(await sceneBefore(upstream.address), [], { method });
  };

  describe('a request', () => {
    test('keeps method, Host, path and query as they came', async () => {
      const target = '/a%2Fb//c/./d/../%7Euser;p=1?q=a+b%20c&q=&bad=%zz;x=1&&y';
      const seen = await seenOf([], { method: 'PATCH', target, body: 'x' });
      expect([seen.method, seen.target, valuesOf(seen, 'host')]).toEqual(['PATCH', target, ['shop.example']]);
    });

    test.each([
      {
        name: 'a nominated field',
        lines: ['Connection: x-mine', 'X-Mine: 1'],
        gone: ['connection', 'x-mine'],
      },
      {
        name: 'fields of several Connection lines in any case, empty items between',
        lines: ['Connection: X-One,, ', 'CONNECTION: , x-two', 'x-one: 1', 'X-TWO: 2'],
        gone: ['connection', 'x-one', 'x-two'],
      },
      { name: 'an empty Connection', lines: ['Connection: '], gone: ['connection'] },
      {
        name: 'what is hop by hop without being nominated',
        lines: ['Keep-Alive: 9', 'Proxy-Connection: close', 'TE: trailers', 'Proxy-Authenticate: x'],
        gone: ['keep-alive', 'proxy-connection', 'te'],
      },
      {
        name: 'an upgrade to what is no WebSocket',
        lines: ['Connection: Upgrade', 'Upgrade: h2c'],
        gone: ['connection', 'upgrade'],
      },
      { name: 'a Forwarded that nobody vouches for', lines: ['Forwarded: for=6.6.6.6'], gone: ['forwarded'] },
    ])('loses $name', async ({ lines, gone }) => {
      const seen = await seenOf([...lines, 'X-Other: stays']);
      // What the http-proxy engine's own agent says of its own connection is not the client's.
      const left = gone.flatMap((name) => valuesOf(seen, name)).filter((value) => value !== 'keep-alive');
      expect(left).toEqual([]);
      expect(valuesOf(seen, 'x-other')).toEqual(['stays']);
    });

    test('says who asked and how, and not what the client says of that', async () => {
      const seen = await seenOf([
        'X-Forwarded-For: 6.6.6.6',
        'X-Forwarded-Proto: https',
        'X-Forwarded-Host: evil.example',
      ]);
      const names = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'];
      expect(names.map((name) => valuesOf(seen, name))).toEqual([['127.0.0.1'], ['http'], ['shop.example']]);
    });

    test('without a User-Agent, an Accept-Encoding or an Accept goes up without', async () => {
      const seen = await seenOf([]);
      expect(['user-agent', 'accept-encoding', 'accept'].flatMap((name) => valuesOf(seen, name))).toEqual([]);
    });

    test('without a body goes up without a framing; an empty one of a POST stays one', async () => {
      expect((await seenOf([])).framing).toBe('none');
      expect(valuesOf(await seenOf(['Content-Length: 0'], { method: 'POST' }), 'content-length')).toEqual([
        '0',
      ]);
    });

    test('keeps each of several fields of a name, in order', async () => {
      const seen = await seenOf(['X-Many: 1', 'X-Many: 2', 'x-many: ', 'X-Many: 3, 4']);
      expect(valuesOf(seen, 'x-many')).toEqual(['1', '2', '', '3, 4']);
    });

    test('takes its trailers along', async () => {
      const recorder = await startRecordingUpstream();
      cleanUp.push(() => recorder.stop());
      const client = await clientOf(await sceneBefore(recorder.upstream.address));
      await client.send(
        'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n' +
          '3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-Unannounced: 8\r\n\r\n',
      );
      await client.finalAnswer('POST');
      expect(recorder.requests()[0]!.trailers).toEqual([
        ['X-Sum', '7'],
        ['X-Unannounced', '8'],
      ]);
    });

    test('whose client goes is ended at the application', async () => {
      let ended = 0;
      const upstream = await startRawUpstream(() => ({
        onOpen: ({ socket }) => socket.on('close', () => ended++),
      }));
      cleanUp.push(() => upstream.stop());
      const client = await clientOf(await sceneBefore(upstream.address));
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await waitFor(() => upstream.connections[0]?.received().includes('\r\n\r\n'), { what: 'the request' });
      client.close();
      await waitFor(() => ended === 1, { what: 'its connection to end', timeoutMs: 2_000 });
    });
  });

  describe('an answer', () => {
    test('keeps its status and reason, also when the gateway knows neither', async () => {
      for (const line of ['404 Not Found', '299 Odd But Fine', '599 Odder']) {
        const answer = await answerOf(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`);
        expect(answer.startLine).toBe(`HTTP/1.1 ${line}`);
      }
    });

    test('keeps every end-to-end field: several of a name apart, Set-Cookie among them, Server and Date', async () => {
      const fields: readonly Field[] = [
        ['Set-Cookie', 'a=1; Path=/'],
        ['X-Many', '1'],
        ['Set-Cookie', 'b=2, 3'],
        ['X-Many', '2'],
        ['Server', 'theirs'],
        ['Date', 'Mon, 01 Jan 2024 00:00:00 GMT'],
        ['Content-Encoding', 'x-own'],
      ];
      const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('');
      const answer = await answerOf(
        `HTTP/1.1 200 OK\r\n${lines}Cache-Control: max-age=9\r\nContent-Length: 2\r\n\r\nok`,
      );
      for (const name of new Set(fields.map(([one]) => one))) {
        expect(valuesOf(answer, name), name).toEqual(
          fields.filter(([one]) => one === name).map(([, value]) => value),
        );
      }
      expect(answer.body.toString()).toBe('ok');
    });

    test('loses what is hop by hop, nominated or not', async () => {
      const answer = await answerOf(
        'HTTP/1.1 200 OK\r\nConnection: x-mine, close\r\nX-Mine: 1\r\nKeep-Alive: timeout=9\r\n' +
          'Proxy-Connection: close\r\nUpgrade: h2c\r\nX-Other: stays\r\nContent-Length: 2\r\n\r\nok',
      );
      const gone = ['connection', 'x-mine', 'keep-alive', 'proxy-connection', 'upgrade'];
      expect(gone.flatMap((name) => valuesOf(answer, name))).toEqual([]);
      expect(valuesOf(answer, 'x-other')).toEqual(['stays']);
    });

    test('takes its trailers along, announced or not', async () => {
      const answer = await answerOf(
        'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 7\r\nX-More: 8\r\n\r\n',
      );
      expect([answer.body.toString(), answer.trailers]).toEqual([
        'abc',
        [
          ['X-Sum', '7'],
          ['X-More', '8'],
        ],
      ]);
    });

    test('of an application that speaks HTTP/1.0 is whole', async () => {
      const answer = await answerOf('HTTP/1.0 200 OK\r\n\r\nas long as it lasts');
      expect(answer.body.toString()).toBe('as long as it lasts');
    });

    test('with interim answers before it comes with all of them and their fields', async () => {
      const upstream = await startRawUpstream(() =>
        answers(
          'HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n' +
            'HTTP/1.1 103 Early Hints\r\nLink: </b.js>\r\nLink: </c.js>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
        ),
      );
      cleanUp.push(() => upstream.stop());
      const client = await clientOf(await sceneBefore(upstream.address));
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      const got = [];
      for (let n = 0; n < 4; n++) {
        const answer = await client.answer();
        got.push([answer.status, ...valuesOf(answer, 'link')]);
      }
      expect(got).toEqual([[103, '</a.css>'], [102], [103, '</b.js>', '</c.js>'], [200]]);
    });

    test('has its head passed on before there is a body', async () => {
      const upstream = await startRawUpstream(() => answers('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'));
      cleanUp.push(() => upstream.stop());
      const client = await clientOf(await sceneBefore(upstream.address));
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await waitFor(() => client.received().includes('\r\n\r\n'), { what: 'the head' });
      upstream.connections.at(-1)!.socket.write('hello');
      expect((await client.answer()).body.toString()).toBe('hello');
    });

    test.each([
      { what: 'is short of its length', bytes: 'Content-Length: 9\r\n\r\nshort' },
      { what: 'has no last chunk', bytes: 'Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n' },
    ])('that $what is never a whole one', async ({ bytes }) => {
      const upstream = await startRawUpstream(() => answers(`HTTP/1.1 200 OK\r\n${bytes}`, 'close'));
      cleanUp.push(() => upstream.stop());
      const client = await clientOf(await sceneBefore(upstream.address));
      await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      await client.waitForEnd();
      if (client.received().length > 0)
        await expect(client.answer()).rejects.toThrow('before a whole answer');
    });

    test('that does not come is a 502', async () => {
      const answer = await rawRequest(await sceneBefore('127.0.0.1:1'), []);
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'connect-failed']);
    });
  });

  describe('an upgrade', () => {
    const HANDSHAKE =
      'GET /ws?a=b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nX-Mine: 1\r\n\r\n';
    const handshakeAt = async (
      behaviour: Behaviour,
    ): Promise<{ client: RawClient; request: () => Buffer }> => {
      const upstream = await startRawUpstream(() => behaviour);
      cleanUp.push(() => upstream.stop());
      const client = await clientOf(await sceneBefore(upstream.address));
      await client.send(HANDSHAKE);
      return { client, request: () => upstream.connections.at(-1)!.received() };
    };

    test('reaches the application with its fields and query, and its answer the client', async () => {
      const { client, request } = await handshakeAt(
        answers(
          'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nUPGRADE: WebSocket\r\nX-Theirs: 2\r\n\r\n',
        ),
      );
      const answer = await client.answer();
      expect([answer.status, valuesOf(answer, 'x-theirs'), valuesOf(answer, 'upgrade').length]).toEqual([
        101,
        ['2'],
        1,
      ]);
      const reading = readRequest(request());
      const seen = reading.state === 'complete' ? reading.message : null;
      expect([seen?.target, seen === null ? [] : valuesOf(seen, 'x-mine')]).toEqual(['/ws?a=b', ['1']]);
      expect(valuesOf(seen!, 'upgrade')).toEqual(['websocket']);
    });

    test('that the application declines is an ordinary answer, after which the connection serves on', async () => {
      const { client } = await handshakeAt({
        onBytes: ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno'),
      });
      expect((await client.answer()).body.toString()).toBe('no');
    });

    test.each([
      { what: 'to another protocol', head: 'Connection: Upgrade\r\nUpgrade: chat' },
      { what: 'to two', head: 'Connection: Upgrade\r\nUpgrade: websocket, chat' },
      { what: 'to none', head: 'Connection: Upgrade' },
      { what: 'without saying so of its connection', head: 'Upgrade: websocket' },
    ])('that the application switches $what is a 502', async ({ head }) => {
      const { client } = await handshakeAt(answers(`HTTP/1.1 101 Switching Protocols\r\n${head}\r\n\r\nraw`));
      const answer = await client.answer();
      expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'upstream-invalid']);
    });
  });
});
