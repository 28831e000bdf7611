// T05: clients go away in the middle of uploads and downloads, twelve hundred of them, with RST and with FIN. The upstream
// side of each is ended within a second, nothing is left open or counted in, and the gateway serves on.

import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { httpRequest } from '../kit/http-request.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startTwoVersions, type TwoVersions } from '../kit/two-versions.ts';
import { waitFor } from '../kit/wait-for.ts';

const AT_ONCE = 25;
const UPLOAD = 'POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nhalf';
/** Of a client that does not read: every buffer on the way is full. */
const DOWNLOAD = 'GET /bytes?n=50000000 HTTP/1.1\r\nHost: a\r\n\r\n';
/** Flows slowly, so that none is. */
const STREAM = 'GET /sse HTTP/1.1\r\nHost: a\r\n\r\n';

describe('T05: a client that goes away', () => {
  let scene: TwoVersions;
  let ended = 0;
  beforeAll(async () => {
    scene = await startTwoVersions({}, (request, response) => {
      response.on('close', () => {
        if (!response.writableFinished || !request.complete) ended++;
      });
      return false;
    });
  });
  afterAll(() => scene?.stop());

  const goAway: Readonly<Record<string, (client: RawClient) => void>> = {
    RST: (client) => client.reset(),
    FIN: (client) => client.close(),
  };
  test.each([
    { what: 'an upload', how: 'RST', request: UPLOAD, times: 250 },
    { what: 'an upload', how: 'FIN', request: UPLOAD, times: 250 },
    // Each fills megabytes of buffers.
    { what: 'a download', how: 'RST', request: DOWNLOAD, times: 100 },
    { what: 'a download', how: 'FIN', request: DOWNLOAD, times: 100 },
    { what: 'a stream', how: 'RST', request: STREAM, times: 250 },
    { what: 'a stream', how: 'FIN', request: STREAM, times: 250 },
  ])('in the middle of $what with $how takes its upstream request along', async ({ how, request, times }) => {
    const descriptors = (await readdir('/proc/self/fd')).length;
    for (let n = 0; n < times / AT_ONCE; n++) {
      const before = { seen: scene.v1.requestCount(), ended };
      const clients = await Promise.all(Array.from({ length: AT_ONCE }, () => rawClient(scene.gateway)));
      for (const client of clients) {
        if (request === DOWNLOAD) client.socket.pause();
        await client.send(request);
      }
      await waitFor(() => scene.v1.requestCount() === before.seen + AT_ONCE, {
        what: 'all requests to arrive',
      });
      if (request === STREAM) {
        await waitFor(() => clients.every((client) => client.received().length > 0), { what: 'all to flow' });
      }
      for (const client of clients) goAway[how]!(client);
      await waitFor(() => ended === before.ended + AT_ONCE, {
        what: 'all upstream requests to end',
        timeoutMs: 1_000,
      });
    }
    await waitFor(async () => (await scene.gateway.admin.version('v1')).inFlight === 0, {
      what: 'no request under way',
    });
    // Pooled connections may stay; those of the hundreds may not.
    await waitFor(async () => (await readdir('/proc/self/fd')).length < descriptors + 2 * AT_ONCE, {
      what: 'descriptors to be closed',
    });
    expect((await httpRequest(`${scene.gateway.url}/api/after`)).status).toBe(200);
  });
});
