// T20: the gateway's event loop stands still for longer than its limits (a long garbage collection, a paused machine), while
// everybody else goes on. What they sent meanwhile is there when it wakes up, and must not be held against them as silence.
// Here the loop is the test's own as well: what was written before it stops is with the kernel while it stands.

import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../kit/gateway.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startUpstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const LIMIT_MS = 300;
/** Longer than any limit, and than two looks at them. */
const STALL_MS = 900;

describe.each(['wire', 'http-proxy'])('T20: a stall on the %s engine', (engine) => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const waiting: ServerResponse[] = [];
  const start = async (): Promise<{ gateway: TestGateway; client: RawClient }> => {
    const app = await startUpstream({
      version: 'v1',
      handle: (request, response) => {
        if (request.url !== '/wait') return false;
        waiting.push(response);
        return true;
      },
    });
    cleanUp.push(() => app.stop());
    const limit = `${LIMIT_MS}ms`;
    const gateway = await startGateway({
      versions: { v1: [app.url] },
      active: 'v1',
      limits: { headerTimeout: limit, bodyProgress: limit, firstByte: limit, clientIdle: limit },
      health: { interval: '60s' },
      more: { engine },
    });
    cleanUp.push(() => gateway.stop());
    const client = await rawClient(gateway);
    cleanUp.push(() => client.close());
    return { gateway, client };
  };
  /** What is written before is with the kernel; timers that are due then run before anything is read. */
  const stallAfter = async (write: () => void): Promise<void> => {
    await new Promise((resolve) => setImmediate(resolve));
    write();
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
  };

  test.each([
    { name: 'the rest of a head', first: 'GET /api/x HTTP/1.1\r\nHost:', rest: ' a\r\n\r\n' },
    {
      name: 'the rest of a body',
      first: 'POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello',
      rest: 'world',
    },
    { name: 'a first request', first: '', rest: 'GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n' },
  ])('costs nobody $name that was sent meanwhile', async ({ first, rest }) => {
    const { client } = await start();
    await client.send(first);
    await sleep(LIMIT_MS / 4); // for it to be read: nothing tells of half a head
    await stallAfter(() => void client.send(rest));
    expect((await client.finalAnswer()).status).toBe(200);
  });

  test('costs nobody the connection on which another request was sent meanwhile', async () => {
    const { client } = await start();
    await client.send('GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.answer();
    await stallAfter(() => void client.send('GET /api/x HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect((await client.answer()).status).toBe(200);
  });

  test.each([
    { who: 'a client', ends: false },
    { who: 'a client that has ended its side', ends: true },
  ])('costs $who no answer that the application gave meanwhile', async ({ ends }) => {
    const { client } = await start();
    await client.send('GET /wait HTTP/1.1\r\nHost: a\r\n\r\n');
    const response = await waitFor(() => waiting.shift(), { what: 'the request to arrive' });
    if (ends) client.halfClose();
    const written = once(response, 'finish');
    await stallAfter(() => response.end('ok'));
    await written;
    expect((await client.finalAnswer()).status).toBe(200);
  });
});
