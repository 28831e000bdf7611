// T01, T02, T03: Debian's slowhttptest against a gateway with short limits. Hundreds of clients send their heads or bodies
// in drops or read their answers so; each is rid of within its limit, with all that was held for it, upstream connections
// included; and an honest client is served throughout.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { startProcess, type TestProcess } from '../kit/processes.ts';
import { findTool, needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const HEADER_MS = 2_000;
const BODY_MS = 1_500;
const SEND_MS = 2_500;
/** HARDENING T01: the limit and a second; and what the machine, the attacker and our own looking take. */
const MARGIN_MS = 6_000;
const HONEST_MS = 1_000;
/** T02 sends bodies up to the application, which shares its loop with the honest client. */
const HONEST_AMONG_UPLOADS_MS = 3_000;
/** Hundreds of downloads begin at once there, on the same cores as the honest client and the application of both. */
const HONEST_AMONG_DOWNLOADS_MS = 20_000;
/** On a machine with time to spare all come at once; on another the first are gone before the last have come. */
const MANY = 50;
/** More than what is held for one of them, and not so much that all of them fill what the kernel has for TCP. */
const OBJECT = Buffer.alloc(1_500_000, 'x');

interface Seen {
  readonly most: number;
  /** From when they last grew more until all had gone. */
  readonly tookMs: number;
  readonly peakBytes: number;
  readonly base: number;
  readonly worstMs: number;
}

describe.skipIf(!needsTool('slowhttptest'))('slow clients', () => {
  let app: Upstream;
  let gateway: GatewayProcess;
  let attacker: TestProcess | null = null;
  beforeEach(async () => {
    // From memory, in one write: honest requests are served by the same loop.
    const handle = (request: IncomingMessage, response: ServerResponse): boolean => {
      if (request.url === '/object') response.end(OBJECT);
      return request.url === '/object';
    };
    app = await startUpstream({ version: 'v1', handle });
    gateway = await startGatewayProcess({
      versions: { v1: [app.url] },
      active: 'v1',
      limits: {
        headerTimeout: `${HEADER_MS}ms`,
        bodyProgress: `${BODY_MS}ms`,
        sendProgress: `${SEND_MS}ms`,
        // Or those who are done with their attack would stay for a minute.
        clientIdle: '1s',
      },
    });
    for (let n = 0; n < 200; n++) await httpRequest(`${gateway.url}/bytes?n=10000`);
  });
  afterEach(async () => {
    if (attacker?.isRunning() === true) await attacker.stop('SIGKILL');
    attacker = null;
    await gateway?.stop();
    await app?.stop();
  });

  const attack = (...args: readonly string[]): void => {
    attacker = startProcess(findTool('slowhttptest')!, [...args, '-p', '2']);
  };
  const connections = async (): Promise<number> =>
    Number(
      /^lockstep_connections\{side="downstream"\} (\d+)$/m.exec(
        (await gateway.admin.call('GET', '/metrics')).text(),
      )?.[1] ?? Number.NaN,
    );

  /** What is seen of the attack from when many of them are there until none is left. */
  const watch = async (honestMs = HONEST_MS): Promise<Seen> => {
    const base = await gateway.process().residentBytes();
    const honest = { worstMs: 0, count: 0, failures: [] as string[], stopped: false };
    const serve = (async () => {
      while (!honest.stopped) {
        const started = performance.now();
        const status = await httpRequest(`${gateway.url}/api/honest`, { timeoutMs: 20_000 }).then(
          (answer) => answer.status,
          (error: Error) => error.message,
        );
        if (status !== 200) honest.failures.push(String(status));
        honest.worstMs = Math.max(honest.worstMs, performance.now() - started);
        honest.count++;
        await sleep(20);
      }
    })();
    let most = 0;
    let peakBytes = 0;
    let before = 0;
    let lastRiseAt = 0;
    const look = async (): Promise<number> => {
      const now = await connections();
      // One is the honest client's, or its last one's.
      if (now > before + 2) lastRiseAt = performance.now();
      before = now;
      most = Math.max(most, now);
      peakBytes = Math.max(peakBytes, await gateway.process().residentBytes());
      return now;
    };
    let tookMs = 0;
    try {
      await waitFor(async () => (await look()) >= MANY, { what: `${MANY} slow clients`, timeoutMs: 15_000 });
      // The honest one of the moment is one of them.
      await waitFor(async () => (await look()) <= 1, {
        what: 'all slow clients to be gone',
        timeoutMs: 30_000,
      });
      tookMs = performance.now() - lastRiseAt;
    } finally {
      honest.stopped = true;
      await serve;
    }
    expect(honest.failures).toEqual([]);
    expect(honest.worstMs, `the slowest of ${honest.count} honest requests`).toBeLessThan(honestMs);
    return { most, tookMs, peakBytes, base, worstMs: honest.worstMs };
  };
  const expectNothingLeft = async (): Promise<void> => {
    await waitFor(async () => (await gateway.admin.version('v1')).inFlight === 0, {
      what: 'no request under way',
    });
    await waitFor(() => app.openConnections() < 20, { what: 'upstream connections to be closed' });
  };
  const tell = (id: string, seen: Seen): void => {
    const each = Math.round((seen.peakBytes - seen.base) / seen.most / 1_024);
    process.stdout.write(
      `${id}: ${seen.most} at once, all gone ${Math.round(seen.tookMs)} ms later, ${each} KiB for each at the peak, ` +
        `slowest honest request ${Math.round(seen.worstMs)} ms\n`,
    );
  };

  test('T01: heads in drops (slowloris) are cut off at the head’s limit, however they drip', async () => {
    const before = app.requestCount();
    attack('-H', '-c', '500', '-r', '500', '-i', '1', '-l', '12', '-u', gateway.url);
    const seen = await watch();
    tell('T01', seen);
    expect(seen.tookMs).toBeLessThan(HEADER_MS + MARGIN_MS);
    const others = app.requests.slice(before).filter(({ url }) => url !== '/api/honest');
    expect(others.length, "the attacker's own probe alone reached the application").toBeLessThan(20);
    await expectNothingLeft();
  });

  test('T02: bodies in drops (R-U-Dead-Yet) are cut off when they make no progress, and so are their upstream requests', async () => {
    attack(
      '-B',
      '-c',
      '300',
      '-r',
      '300',
      '-i',
      '4',
      '-s',
      '8192',
      '-x',
      '10',
      '-l',
      '12',
      '-u',
      `${gateway.url}/echo`,
    );
    const seen = await watch(HONEST_AMONG_UPLOADS_MS);
    tell('T02', seen);
    expect(seen.tookMs).toBeLessThan(BODY_MS + MARGIN_MS);
    await expectNothingLeft();
  });

  test('T03: answers that are read in drops are cut off, and what is held of them is bounded', async () => {
    attack(
      ...[
        '-X',
        '-c',
        '300',
        '-r',
        '300',
        '-w',
        '10',
        '-y',
        '20',
        '-n',
        '5',
        '-z',
        '5',
        '-k',
        '3',
        '-l',
        '14',
      ],
      ...['-u', `${gateway.url}/object`],
    );
    const seen = await watch(HONEST_AMONG_DOWNLOADS_MS);
    tell('T03', seen);
    expect(seen.tookMs).toBeLessThan(SEND_MS + MARGIN_MS);
    // Two high-water marks and 64 KiB for each connection, and what the garbage collector has not looked at yet.
    expect(seen.peakBytes - seen.base).toBeLessThan(seen.most * 3 * 65_536 + 96 * 1_024 * 1_024);
    await expectNothingLeft();
  });
});
