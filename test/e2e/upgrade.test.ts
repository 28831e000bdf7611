// T17, P4: the gateway itself is replaced, as a new binary or a new Node is: the service manager holds the listening
// socket, ends one process, and starts the next with the same socket. Sixty clients ask without a pause, each request on a
// connection of its own; at each stop a slow answer is under way. Nobody is refused or reset, every request is answered, and
// sessions and what was promoted outlive it all. Without the socket the same load is refused: it can tell. A thread that
// dies takes its own requests with it, and not the socket.

import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { freePorts } from '../kit/free-port.ts';
import { type TemporaryFolder, temporaryFolder } from '../kit/gateway-config.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { withThreadFaults } from '../kit/thread-faults.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const CLIENTS = 60;
/** A request that waits for the next process to start, on a machine that has other things to do. */
const PATIENCE_MS = 20_000;
const HOLDER = fileURLToPath(new URL('../kit/socket-holder.ts', import.meta.url));

describe('T17, P4: a gateway that is replaced', () => {
  let upstream: Upstream;
  let gateway: GatewayProcess;
  let folder: TemporaryFolder;
  let port: number;
  afterEach(async () => {
    await gateway?.terminate().catch(() => {});
    await gateway?.stop();
    await upstream?.stop();
    await folder?.remove();
  });

  const start = async (more: object, holds: boolean): Promise<void> => {
    upstream = await startUpstream({ version: 'v1' });
    folder = await temporaryFolder('upgrade');
    [port] = (await freePorts(1)) as [number];
    const address = `127.0.0.1:${port}`;
    gateway = await startGatewayProcess(
      {
        versions: { v1: [upstream.url] },
        active: 'v1',
        listen: address,
        // Nobody is ill here for want of a core.
        health: { timeout: '5s' },
        more: { ...more, log: { access: 'off', level: 'info' } },
      },
      (_stateDir, command) => [
        process.execPath,
        HOLDER,
        holds ? address : 'none',
        ...withThreadFaults(command, folder.path),
      ],
    );
  };
  /** Of the gateways so far, those that came to listen. */
  const listened = (): readonly number[] =>
    [
      ...gateway
        .process()
        .stderr()
        .matchAll(/"pid":(\d+)[^\n]*"msg":"listening"/g),
    ].map(([, pid]) => Number(pid));
  const restart = async (): Promise<void> => {
    const before = listened();
    process.kill(before.at(-1)!, 'SIGTERM');
    await waitFor(() => listened().length > before.length, {
      what: `the next gateway to listen: ${gateway.process().stderr()}`,
      timeoutMs: PATIENCE_MS,
    });
  };

  test.each([
    { more: { engine: 'wire' }, restarts: 4, each: 1_200 },
    { more: { threads: 2 }, restarts: 2, each: 1_200 },
    { more: { engine: 'http-proxy' }, restarts: 1, each: 1_000 },
  ])('$more: refuses, resets and loses nothing', async ({ more, restarts, each }) => {
    await start(more, true);
    const load = startLoad(port);
    const slow: Promise<Outcome>[] = [];
    for (let n = 1; n <= restarts; n++) {
      const wanted = load.total() + each;
      await waitFor(() => load.total() >= wanted, { what: 'load', timeoutMs: PATIENCE_MS });
      slow.push(ask(port, `/slow?ms=400&n=${n}`));
      await waitFor(() => upstream.requests.some(({ url }) => url === `/slow?ms=400&n=${n}`), {
        what: 'the slow request to be under way',
      });
      await restart();
    }
    const wanted = load.total() + each;
    await waitFor(() => load.total() >= wanted, { what: 'load', timeoutMs: PATIENCE_MS });
    const outcomes = await load.stop();

    expect([...outcomes.keys()], JSON.stringify([...outcomes])).toEqual(['answered']);
    expect(await Promise.all(slow)).toEqual(slow.map(() => 'answered'));
    expect(new Set(listened()).size).toBe(restarts + 1);
    expect(gateway.process().stderr()).not.toMatch(/"level":(50|60)/);
    process.stdout.write(
      `T17 ${JSON.stringify(more)}: ${outcomes.get('answered')} connections over ${restarts} restarts, none refused, none reset; ` +
        `the longest wait was ${Math.round(load.longestMs())} ms\n`,
    );
  });

  test('goes on with the same socket when threads die', async () => {
    await start({ threads: 2 }, true);
    const load = startLoad(port);
    const replaced = (): number =>
      gateway.process().stderr().split('a data-plane thread was replaced').length - 1;
    // More than there were spare copies at the start.
    for (let deaths = 1; deaths <= 3; deaths++) {
      await writeFile(join(folder.path, 'throws'), '');
      await waitFor(() => replaced() === deaths, { what: `successor ${deaths}`, timeoutMs: PATIENCE_MS });
    }
    const outcomes = await load.stop();
    outcomes.delete('answered');
    outcomes.delete('ECONNRESET');
    outcomes.delete('cut');
    expect([...outcomes]).toEqual([]);
    const after = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(port, `/api/after-${n}`)));
    expect(new Set(after)).toEqual(new Set(['answered']));
  });

  test('keeps sessions and what was promoted', async () => {
    await start({}, true);
    const first = await httpRequest(`http://127.0.0.1:${port}/`, { headers: { accept: 'text/html' } });
    const cookie = String(first.headers['set-cookie']).split(';')[0]!;
    const next = await startUpstream({ version: 'v2' });
    try {
      await gateway.admin.put('v2', [next.url]);
      await gateway.admin.promote('v2');
      await restart();
      const pinned = await httpRequest(`http://127.0.0.1:${port}/`, { headers: { cookie } });
      const fresh = await httpRequest(`http://127.0.0.1:${port}/`, { headers: { accept: 'text/html' } });
      expect([pinned.headers['x-app-version'], fresh.headers['x-app-version']]).toEqual(['v1', 'v2']);
    } finally {
      await next.stop();
    }
  });

  test('is missed by the same load when no socket outlives it', async () => {
    await start({}, false);
    const load = startLoad(port);
    await waitFor(() => load.total() >= 500, { what: 'load', timeoutMs: PATIENCE_MS });
    await restart();
    expect((await load.stop()).get('ECONNREFUSED')).toBeGreaterThan(0);
  });
});

/** `answered`, or what went wrong. */
type Outcome = string;

function startLoad(port: number): {
  total(): number;
  longestMs(): number;
  stop(): Promise<Map<Outcome, number>>;
} {
  const outcomes = new Map<Outcome, number>();
  let total = 0;
  let longestMs = 0;
  let isOver = false;
  const one = async (client: number): Promise<void> => {
    for (let n = 0; !isOver; n++) {
      const startMs = performance.now();
      const outcome = await ask(port, `/api/${client}-${n}`);
      longestMs = Math.max(longestMs, performance.now() - startMs);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      total++;
    }
  };
  const done = Promise.all(Array.from({ length: CLIENTS }, (_, client) => one(client)));
  return {
    total: () => total,
    longestMs: () => longestMs,
    stop: async () => {
      isOver = true;
      await done;
      return outcomes;
    },
  };
}

/** One request on a connection of its own, read to its end. */
function ask(port: number, target: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    let answer = '';
    socket.setEncoding('latin1');
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')));
    socket.on('connect', () =>
      socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`),
    );
    socket.on('data', (part: string) => {
      answer += part;
    });
    let error = 'cut';
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message;
    });
    socket.on('close', (hadError) => {
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      const isWhole = new RegExp(`^content-length: ${body.length}\r?$`, 'im').test(`${head}\r`);
      const isOurs = body.includes(`"url":${JSON.stringify(target)}`);
      if (!hadError && head.startsWith('HTTP/1.1 200 ') && isWhole && isOurs) resolve('answered');
      else resolve(hadError || answer === '' ? error : `got ${JSON.stringify(answer)}`);
    });
  });
}
