// T22: bad requests, and requests whose upstream fails, as fast as they can be sent. Each leaves one bounded line in the
// access log and what is said about them all in the gateway's own log is a few lines; the event loop is never held up.

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { rawClient } from '../kit/raw-client.ts';
import { resets, startRawUpstream } from '../kit/raw-upstream.ts';

/** The loop is held up by other processes as well: the best of three rounds shows what the flood itself does. */
const ROUNDS = 3;
const FLOOD_MS = 1_500;
const FLOODERS = 50;
const LOOP_DELAY_MS = 50;
/** A line without what a client sent: its fields and their names. */
const LINE_BYTES = 1_000;

describe('T22: a flood', () => {
  const cleanUp: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of cleanUp.splice(0).reverse()) await step();
  });
  const start = async (): Promise<{ gateway: GatewayProcess; folder: TemporaryFolder; log: string }> => {
    const upstream = await startRawUpstream(() => resets);
    cleanUp.push(() => upstream.stop());
    const folder = await temporaryFolder('flood');
    cleanUp.push(() => folder.remove());
    const log = join(folder.path, 'access.log');
    const gateway = await startGatewayProcess({
      versions: { v1: [upstream.url] },
      active: 'v1',
      accessLog: { file: log },
      more: { log: { access: { file: log }, level: 'info' } },
    });
    cleanUp.push(() => gateway.stop());
    return { gateway, folder, log };
  };

  test.each([
    {
      what: 'malformed requests',
      request: `GET /${'a'.repeat(200)} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`,
      code: 'malformed',
      ofClient: 0,
    },
    {
      what: 'garbage',
      request: '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
      code: 'malformed',
      ofClient: 0,
    },
    {
      what: 'requests whose upstream resets',
      request: `GET /${'a'.repeat(200)} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      code: 'upstream-reset',
      ofClient: 201,
    },
  ])(
    'of $what costs one line each, a few in all, and no delay',
    async ({ what, request, code, ofClient }) => {
      const { gateway, log } = await start();
      const said = gateway.process().stderr().length;
      await httpRequest(`${gateway.admin.url}/metrics`); // what was measured since the start is not of the flood
      let count = 0;
      let delayMs = Number.POSITIVE_INFINITY;
      let metrics = '';
      for (let n = 0; n < ROUNDS; n++) {
        count += await flood(gateway, request);
        metrics = (await gateway.admin.call('GET', '/metrics')).text();
        delayMs = Math.min(delayMs, loopDelayMs(metrics));
      }
      const own = gateway.process().stderr().slice(said);
      const ownLines = own.split('\n').filter((line) => line !== '').length;
      expect(await gateway.terminate()).toBe(0);
      const bytes = (await stat(log)).size;
      process.stdout.write(
        `T22: ${Math.round((1_000 * count) / (ROUNDS * FLOOD_MS))} ${what} a second: ${Math.round(bytes / count)} bytes of access log ` +
          `for each, ${ownLines} lines of its own, loop delay p99 ${delayMs.toFixed(1)} ms\n`,
      );
      expect(count).toBeGreaterThan(500);
      expect(metrics, 'they are counted').toContain(code);
      expect(bytes / count).toBeLessThan(LINE_BYTES + ofClient);
      expect(ownLines).toBeLessThan(40);
      expect(delayMs).toBeLessThan(LOOP_DELAY_MS);
    },
  );
});

/** p99 since it was last asked for. */
function loopDelayMs(metrics: string): number {
  const seconds = /^nodejs_eventloop_lag_p99_seconds (\S+)$/m.exec(metrics)?.[1];
  return seconds === undefined ? Number.NaN : 1_000 * Number(seconds);
}

/** How many were sent and answered or closed. */
async function flood(gateway: GatewayProcess, request: string): Promise<number> {
  const until = performance.now() + FLOOD_MS;
  let count = 0;
  const one = async (): Promise<void> => {
    while (performance.now() < until) {
      const client = await rawClient(gateway);
      const ended = new Promise((resolve) => client.socket.once('end', resolve).once('close', resolve));
      await client.send(request);
      await ended;
      client.close();
      count++;
    }
  };
  await Promise.all(Array.from({ length: FLOODERS }, one));
  return count;
}
