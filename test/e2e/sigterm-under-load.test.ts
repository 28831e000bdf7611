// T15: SIGTERM while people are at work: short requests on connections that are kept, twenty WebSockets, ten slow
// downloads. No request that was sent is left without its answer, answers say `Connection: close`, downloads are
// finished, WebSockets are closed in time, and the process ends with 0. A second signal, in earnest, ends it at once.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { patternParts } from '../kit/pattern.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { valuesOf } from '../kit/strict-http.ts';
import { THREADS } from '../kit/threads.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor, within } from '../kit/wait-for.ts';

const CLIENTS = 40;
const DOWNLOAD_BYTES = 3_000_000;
const SHUTDOWN_MS = 8_000;

describe.each(THREADS)('T15: SIGTERM under load, threads: %i', (threads) => {
  let upstream: Upstream;
  let gateway: GatewayProcess;
  afterEach(async () => {
    await gateway?.stop();
    await upstream?.stop();
  });
  const start = async (): Promise<void> => {
    upstream = await startUpstream({ version: 'v1', handle: trickle });
    gateway = await startGatewayProcess({
      versions: { v1: [upstream.url] },
      active: 'v1',
      limits: { shutdown: `${SHUTDOWN_MS}ms` },
      more: { threads },
    });
  };

  test('loses no request, finishes downloads, closes WebSockets, and ends with 0', async () => {
    await start();
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openWebSocket(gateway)));
    const downloads = await Promise.all(Array.from({ length: 10 }, () => rawClient(gateway)));
    for (const download of downloads) await download.send('GET /trickle HTTP/1.1\r\nHost: a\r\n\r\n');
    const outcomes = Promise.all(Array.from({ length: CLIENTS }, () => askUntilClosed(gateway)));
    await waitFor(() => upstream.requestCount() > 2_000, { what: 'load' });
    await waitFor(() => downloads.every((one) => one.received().length > 1_000), {
      what: 'downloads to flow',
    });

    const started = performance.now();
    gateway.process().signal('SIGTERM');
    const ends = await outcomes;
    expect(ends.filter(({ lost }) => lost).map(({ how }) => how)).toEqual([]);
    expect(ends.filter(({ saidClose }) => saidClose).length, 'answers that say so').toBeGreaterThan(0);
    for (const download of downloads) {
      const answer = await download.finalAnswer('GET', SHUTDOWN_MS);
      expect(answer.body.length).toBe(DOWNLOAD_BYTES);
    }
    const codes = await within(Promise.all(sockets.map(({ closed }) => closed)), {
      what: 'WebSockets to be closed',
    });
    expect(
      codes.every((code) => code === 1012 || code === 1001),
      String(codes),
    ).toBe(true);
    expect(await within(gateway.process().exit, { what: 'the gateway to end' })).toBe(0);
    expect(performance.now() - started).toBeLessThan(SHUTDOWN_MS + 2_000);
    expect(gateway.process().stderr()).not.toMatch(/"level":(50|60)/);
  });

  test('ends at once with a second signal', async () => {
    await start();
    const client = await rawClient(gateway);
    await client.send('GET /hang HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(() => upstream.requestCount() === 1, { what: 'the request to arrive' });
    gateway.process().signal('SIGTERM');
    const refused = (): Promise<boolean> =>
      rawClient(gateway).then(
        (late) => {
          late.close();
          return false;
        },
        () => true,
      );
    await waitFor(refused, { what: 'no new connection to be accepted' });
    expect(gateway.process().isRunning(), 'it waits for the request under way').toBe(true);
    // Two in one moment count as one: wrappers pass on what their whole group has got already.
    await waitFor(
      () => {
        gateway.process().signal('SIGTERM');
        return !gateway.process().isRunning();
      },
      { what: 'the gateway to end', timeoutMs: SHUTDOWN_MS / 4, everyMs: 50 },
    );
    expect(await gateway.process().exit).toBe(1);
    expect(await client.waitForEnd()).toBeDefined();
  });
});

interface End {
  /** A request that was sent before the end of the connection was seen, and was never answered. */
  readonly lost: boolean;
  readonly saidClose: boolean;
  readonly how: string;
}

/** One request after another on one connection, until the gateway ends it. */
async function askUntilClosed(gateway: GatewayProcess): Promise<End> {
  const client: RawClient = await rawClient(gateway);
  try {
    for (let n = 0; ; n++) {
      if (client.ended() !== null) return { lost: false, saidClose: false, how: 'closed while idle' };
      await client.send(`GET /api/${n} HTTP/1.1\r\nHost: a\r\n\r\n`);
      const answer = await client.finalAnswer('GET', SHUTDOWN_MS);
      if (answer.status !== 200) return { lost: true, saidClose: false, how: `${answer.status}` };
      if (valuesOf(answer, 'connection').some((value) => value.toLowerCase() === 'close')) {
        await client.waitForEnd();
        return { lost: false, saidClose: true, how: 'said close' };
      }
    }
  } catch (error) {
    return { lost: true, saidClose: false, how: String(error) };
  } finally {
    client.close();
  }
}

async function openWebSocket(gateway: GatewayProcess): Promise<{ closed: Promise<number> }> {
  const socket = new WebSocket(`ws://${gateway.host}:${gateway.port}/ws`);
  const closed = new Promise<number>((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve, reject) => {
    socket.once('message', () => resolve());
    socket.once('error', reject);
  });
  socket.on('error', () => {});
  return { closed };
}

/** Three megabytes in about two seconds. */
function trickle(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.url !== '/trickle') return false;
  response.writeHead(200, { 'content-length': DOWNLOAD_BYTES });
  const parts = patternParts(DOWNLOAD_BYTES);
  const timer = setInterval(() => {
    const { value, done } = parts.next();
    if (done !== true) response.write(value);
    else {
      clearInterval(timer);
      response.end();
    }
  }, 40);
  response.on('close', () => clearInterval(timer));
  return true;
}
