// A client may end its side and wait for its answer (RFC 9112 section 9.3.1), and a client that is gone looks the same. It is
// given `limits.halfClose` without an octet of its answer; while octets flow, it is only gone when it says so (T05).

import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const GET = 'GET /wait HTTP/1.1\r\nHost: a\r\n\r\n';

describe.each(['wire', 'http-proxy'])('a client that has ended its side, on the %s engine,', (engine) => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const waiting: ServerResponse[] = [];
  const start = async (halfClose: string): Promise<{ gateway: TestGateway; app: Upstream }> => {
    const app = await startUpstream({
      version: 'v1',
      handle: (request, response) => {
        if (request.url !== '/wait') return false;
        waiting.push(response);
        return true;
      },
    });
    cleanUp.push(() => app.stop());
    const gateway = await startGateway({
      versions: { v1: [app.url] },
      active: 'v1',
      limits: { halfClose },
      health: { interval: '60s' },
      more: { engine },
    });
    cleanUp.push(() => gateway.stop());
    return { gateway, app };
  };
  const ask = async (
    gateway: TestGateway,
    text = GET,
  ): Promise<{ client: RawClient; response: ServerResponse }> => {
    const client = await rawClient(gateway);
    cleanUp.push(() => client.close());
    await client.send(text);
    client.halfClose();
    return { client, response: await waitFor(() => waiting.shift(), { what: 'the request to arrive' }) };
  };

  test('gets an answer that comes within limits.halfClose, however slow the application', async () => {
    const { gateway } = await start('20s');
    const { client, response } = await ask(gateway);
    await sleep(500);
    response.end('ok');
    expect((await client.answer()).body.toString()).toBe('ok');
    expect(await client.waitForEnd()).toBe('fin');
  });

  test.each([
    { name: 'an empty line', rest: '\r\n' },
    { name: 'half of an empty line', rest: '\r' },
    { name: 'half of another request', rest: GET.slice(0, 20) },
  ])('is not waited for when $name follows its request', async ({ rest }) => {
    const { gateway } = await start('20s');
    const { client, response } = await ask(gateway, GET + rest);
    response.end('ok');
    expect((await client.answer()).body.toString()).toBe('ok');
    await client.waitForEnd(2_000);
  });

  test('T05: counts as gone after it, and the application is told', async () => {
    const { gateway, app } = await start('200ms');
    const { client, response } = await ask(gateway);
    await waitFor(() => response.destroyed, { what: 'the request to be aborted', timeoutMs: 1_000 });
    await client.waitForEnd();
    expect(client.received().length).toBe(0);
    await waitFor(() => app.openConnections() === 0, { what: 'its upstream connection to end' });
  });

  test('gets an answer whole that takes longer than that, while octets come', async () => {
    const { gateway } = await start('400ms');
    const { client, response } = await ask(gateway);
    for (let n = 0; n < 12; n++) {
      response.write('part');
      await sleep(100);
    }
    response.end('last');
    expect((await client.answer()).body.toString()).toBe(`${'part'.repeat(12)}last`);
  });

  test('gets a large answer whole that it reads slowly', async () => {
    const { gateway } = await start('250ms');
    const { client, response } = await ask(gateway);
    const body = Buffer.alloc(20_000_000, 'x');
    client.socket.pause();
    response.end(body);
    await sleep(1_000); // nothing moves for longer than limits.halfClose: the kernel's buffers are full
    client.socket.resume();
    const answer = await client.answer('GET', 20_000);
    expect(answer.body.length).toBe(body.length);
  });

  // Nothing tells of a peer that goes after its end but what is written to it.
  test('T05: is gone at the first octets that nobody takes, whatever the limit', async () => {
    const { gateway, app } = await start('60s');
    const { client, response } = await ask(gateway);
    client.close();
    await sleep(300);
    expect(response.destroyed).toBe(false);
    const isAborted = (): boolean => {
      response.write('x');
      return response.destroyed;
    };
    await waitFor(isAborted, {
      what: 'the request to be aborted',
      timeoutMs: 1_000,
      everyMs: 50,
    });
    await waitFor(() => app.openConnections() === 0, { what: 'its upstream connection to end' });
  });
});
