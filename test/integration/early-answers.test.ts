// T10 and T11: answers that come before the request has ended, whatever the upstream does then, and interim answers, none or
// without end. The client gets the answer, nothing crashes, nothing stays behind.

import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { onlyValue, rawRequest } from '../kit/raw-request.ts';
import { type Behaviour, type RawUpstream, startRawUpstream } from '../kit/raw-upstream.ts';
import { readRequest } from '../kit/strict-http.ts';
import { waitFor } from '../kit/wait-for.ts';

const MEGABYTE = 1_048_576;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const TOO_LARGE = 'HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});
const sceneOf = async (
  behave: (index: number) => Behaviour,
  limits: Readonly<Record<string, unknown>> = {},
  engine = 'wire',
): Promise<{ gateway: TestGateway; upstream: RawUpstream }> => {
  const upstream = await startRawUpstream(behave);
  cleanUp.push(() => upstream.stop());
  const gateway = await startGateway({
    versions: { v1: [upstream.url] },
    active: 'v1',
    limits,
    health: { interval: '60s' },
    more: { engine },
  });
  cleanUp.push(() => gateway.stop());
  return { gateway, upstream };
};
const clientOf = async (gateway: TestGateway): Promise<RawClient> => {
  const client = await rawClient(gateway);
  cleanUp.push(() => client.close());
  return client;
};
const isCountedOut = (gateway: TestGateway): Promise<unknown> =>
  waitFor(async () => (await gateway.admin.version('v1')).inFlight === 0, { what: 'no request under way' });

/** Answers as soon as a head is there, then ends its connection in its way. */
function refuses(end: (socket: Socket) => void): Behaviour {
  let hasAnswered = false;
  return {
    onBytes: ({ socket, received }) => {
      if (hasAnswered || !received().includes('\r\n\r\n')) return;
      hasAnswered = true;
      socket.write(TOO_LARGE, () => end(socket));
    },
  };
}

describe('T10: an answer before the request has ended', () => {
  test.each<{ name: string; end: (socket: Socket) => void }>([
    { name: 'reads on', end: () => {} },
    { name: 'reads no further', end: (socket) => socket.pause() },
    { name: 'ends its side and reads on', end: (socket) => socket.end() },
    { name: 'closes', end: (socket) => setTimeout(() => socket.destroy(), 50) },
  ])('reaches the client whole when the upstream $name', async ({ end }) => {
    const { gateway } = await sceneOf(() => refuses(end));
    for (let n = 0; n < 10; n++) {
      const client = await clientOf(gateway);
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${50 * MEGABYTE}\r\n\r\n`);
      // As a browser does: it sends while it is taken, and does not look at the answer.
      void client.send(Buffer.alloc(4 * MEGABYTE));
      const answer = await client.finalAnswer('POST');
      expect([answer.status, answer.body.toString(), onlyValue(answer, 'connection')]).toEqual([
        413,
        'no',
        'close',
      ]);
      await client.waitForEnd();
    }
    await isCountedOut(gateway);
  });

  test.each(['wire', 'http-proxy'])(
    'reaches the client when the upstream resets at once, on the %s engine',
    async (engine) => {
      // Now and then the body's next piece meets the reset before the answer is read; in the last rows it always does.
      for (const endsAfterMs of [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 0, 0, 0, 0, 0]) {
        let sendOn = (): void => {};
        const { gateway } = await sceneOf(
          () =>
            refuses((socket) => {
              const end = (): void => {
                socket.resetAndDestroy();
                sendOn();
              };
              if (endsAfterMs === 0) end();
              else setTimeout(end, endsAfterMs);
            }),
          {},
          engine,
        );
        const client = await clientOf(gateway);
        sendOn = () => void client.send(Buffer.alloc(65_536));
        await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${50 * MEGABYTE}\r\n\r\n`);
        if (endsAfterMs > 0) void client.send(Buffer.alloc(4 * MEGABYTE));
        expect((await client.finalAnswer('POST')).status).toBe(413);
        await client.waitForEnd();
        await isCountedOut(gateway);
      }
    },
  );

  test.each(['wire', 'http-proxy'])(
    'whose end is that of its connection is not whole when that is reset, on the %s engine',
    async (engine) => {
      let hasAnswered = false;
      const { gateway } = await sceneOf(
        () => ({
          onBytes: ({ socket, received }) => {
            if (hasAnswered || !received().includes('\r\n\r\n')) return;
            hasAnswered = true;
            socket.write('HTTP/1.1 413 Content Too Large\r\n\r\nhalf of', () => {
              socket.resetAndDestroy();
              void client.send(Buffer.alloc(65_536));
            });
          },
        }),
        {},
        engine,
      );
      const client = await clientOf(gateway);
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${50 * MEGABYTE}\r\n\r\n`);
      await client.waitForEnd();
      expect(client.received().toString()).not.toContain('0\r\n\r\n');
      await isCountedOut(gateway);
    },
  );

  test('is not lost with the connection to a client that sends a chunked body without end', async () => {
    const { gateway } = await sceneOf(() => refuses(() => {}));
    const client = await clientOf(gateway);
    await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n');
    client.socket.setMaxListeners(0);
    const more = (): void => {
      if (client.ended() === null) void client.send('5\r\nhello\r\n').then(() => setImmediate(more));
    };
    more();
    expect((await client.finalAnswer('POST')).status).toBe(413);
    await client.waitForEnd();
    await isCountedOut(gateway);
  });

  test('from the gateway itself (413) is read by a client that sends on', async () => {
    const { gateway, upstream } = await sceneOf(() => ({}), { body: '1KiB' });
    const before = upstream.connections.length;
    for (const framing of [`Content-Length: ${50 * MEGABYTE}`, 'Transfer-Encoding: chunked']) {
      const client = await clientOf(gateway);
      await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`);
      void client.send(
        framing.startsWith('C') ? Buffer.alloc(4 * MEGABYTE) : `FFFFF\r\n${'x'.repeat(MEGABYTE - 1)}\r\n`,
      );
      expect((await client.finalAnswer('POST')).status).toBe(413);
      await client.waitForEnd();
    }
    expect(upstream.connections.length - before, 'of a known length nothing went up').toBeLessThanOrEqual(1);
  });
});

describe('T11: an expectation of a 100', () => {
  const EXPECTS = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n';

  test('that the upstream ignores is answered when the client loses its patience and sends', async () => {
    const { gateway, upstream } = await sceneOf(() => ({
      onBytes: ({ socket, received }) => {
        if (readRequest(received()).state === 'complete') socket.write(OK);
      },
    }));
    const client = await clientOf(gateway);
    await client.send(EXPECTS);
    await waitFor(() => upstream.connections.some((one) => one.received().includes('\r\n\r\n')), {
      what: 'the head to arrive without its body',
    });
    await client.send('hello');
    const answer = await client.answer();
    expect(answer.status).toBe(200);
    expect(client.rest().length, 'none after the final one').toBe(0);
  });

  test('has no 100 sent behind its final answer', async () => {
    const { gateway } = await sceneOf(() => {
      let hasAnswered = false;
      return {
        onBytes: ({ socket }) => {
          if (hasAnswered) return;
          hasAnswered = true;
          socket.write(`${OK}HTTP/1.1 100 Continue\r\n\r\n`);
        },
      };
    });
    const client = await clientOf(gateway);
    await client.send(EXPECTS);
    expect((await client.answer()).status).toBe(200);
    await client.waitForEnd();
    expect(client.rest().length).toBe(0);
  });
});

describe('an upstream that sends interim answers', () => {
  test('for ever is left, and its client gets a 502', async () => {
    let sent = 0;
    const { gateway, upstream } = await sceneOf(() => ({
      onBytes: ({ socket }) => {
        const more = (): void => {
          if (!socket.writable) return;
          sent++;
          socket.write('HTTP/1.1 102 Processing\r\n\r\n', () => setImmediate(more));
        };
        more();
      },
    }));
    const client = await clientOf(gateway);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await client.finalAnswer();
    expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'upstream-invalid']);
    await waitFor(() => upstream.openConnections() === 0, { what: 'its connection to be closed' });
    expect(client.received().toString().split(' 102 ').length - 1).toBeLessThanOrEqual(32);
    expect(sent).toBeGreaterThan(32);
    await isCountedOut(gateway);
  });

  test('in one packet without end is left as well', async () => {
    const { gateway } = await sceneOf(() => ({
      onBytes: ({ socket }) =>
        void socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(100_000)),
    }));
    const answer = await rawRequest(gateway, []);
    expect([answer.status, onlyValue(answer, 'x-lockstep-error')]).toEqual([502, 'upstream-invalid']);
    await isCountedOut(gateway);
  });

  test('and then the final one is passed on with all of them', async () => {
    const { gateway } = await sceneOf(() => ({
      onBytes: ({ socket }) =>
        void socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3) + OK),
    }));
    const client = await clientOf(gateway);
    await client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const statuses = [];
    for (let n = 0; n < 4; n++) statuses.push((await client.answer()).status);
    expect(statuses).toEqual([103, 103, 103, 200]);
  });
});
