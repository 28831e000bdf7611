// A thousand clients ask for ten megabytes each and then read nothing. The gateway holds a bounded part of it for each,
// pauses the upstream, serves everybody else as before; and when they go, everything that was held for them goes, too.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { type RawClient, rawClient } from '../kit/raw-client.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const READERS = 1_000;
const BYTES = 10_000_000;
/** HARDENING T03: two high-water marks of 64 KiB and as much again for each connection. */
const EACH_BYTES = 3 * 65_536;
/** What its garbage collector has not looked at yet. */
const SLACK_BYTES = 64 * 1_024 * 1_024;

describe('a thousand slow readers', () => {
  let upstream: Upstream;
  let gateway: GatewayProcess;
  let readers: readonly RawClient[] = [];
  beforeAll(async () => {
    upstream = await startUpstream({ version: 'v1' });
    gateway = await startGatewayProcess({ versions: { v1: [upstream.url] }, active: 'v1' });
    for (let n = 0; n < 200; n++) await httpRequest(`${gateway.url}/bytes?n=100000`);
  });
  afterAll(async () => {
    for (const reader of readers) reader.close();
    await gateway?.stop();
    await upstream?.stop();
  });

  test('cost bounded memory, and nobody else their service', async () => {
    const baseline = await gateway.process().residentBytes();
    readers = await Promise.all(Array.from({ length: READERS }, () => rawClient(gateway)));
    for (const reader of readers) {
      reader.socket.pause();
      await reader.send(`GET /bytes?n=${BYTES} HTTP/1.1\r\nHost: a\r\n\r\n`);
    }
    await waitFor(async () => (await gateway.admin.version('v1')).inFlight === READERS, {
      what: 'a thousand requests under way',
      timeoutMs: 30_000,
    });
    // Full when it no longer grows.
    let last = 0;
    const resident = await waitFor(
      async () => {
        const now = await gateway.process().residentBytes();
        const isSteady = Math.abs(now - last) < 1_000_000;
        last = now;
        return isSteady ? now : null;
      },
      { what: 'the memory to be steady', everyMs: 500, timeoutMs: 30_000 },
    );
    expect(resident - baseline).toBeLessThan(READERS * EACH_BYTES + SLACK_BYTES);
    for (let n = 0; n < 20; n++) {
      const started = performance.now();
      expect((await httpRequest(`${gateway.url}/api/x`)).status).toBe(200);
      expect(performance.now() - started).toBeLessThan(1_000);
    }
  });

  test('get the whole of it when they read at last', async () => {
    // All of them together fill what the kernel has for TCP, and it lets nobody be quick then.
    for (const reader of readers.slice(5)) reader.close();
    await waitFor(async () => (await gateway.admin.version('v1')).inFlight === 5, {
      what: 'the others to leave',
    });
    for (const reader of readers.slice(0, 5)) {
      reader.socket.resume();
      expect((await reader.finalAnswer('GET', 20_000)).body.length).toBe(BYTES);
    }
  });

  test('leave nothing behind', async () => {
    for (const reader of readers) reader.close();
    await waitFor(async () => (await gateway.admin.version('v1')).inFlight === 0, {
      what: 'all to be counted out',
    });
    await waitFor(() => upstream.openConnections() < 100, { what: 'upstream connections to be closed' });
  });
});
