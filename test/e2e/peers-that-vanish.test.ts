// T08 and half-open connections: a second machine whose cable is pulled. Its clients vanish in every state without a word:
// each is let go within the limit of its state, with the upstream's request and its place. An upstream there that vanishes is
// a 504 at limits.connect for new connections, and a visible cut for answers that had begun. Nothing is left behind.

import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { freePort } from '../kit/free-port.ts';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { httpRequest } from '../kit/http-request.ts';
import { canHaveNetwork, type OtherMachine, otherMachine } from '../kit/own-network.ts';
import type { TestProcess } from '../kit/processes.ts';
import { rawClient } from '../kit/raw-client.ts';
import { needsTool } from '../kit/tools.ts';
import { startUpstream, type Upstream } from '../kit/upstream.ts';
import { waitFor } from '../kit/wait-for.ts';

const PEERS = fileURLToPath(new URL('../kit/far-peers.ts', import.meta.url));
const FAR_PORT = 8_080;
const CONNECT_MS = 700;

describe.skipIf(!needsTool('ip') || !canHaveNetwork())('a machine whose cable is pulled', () => {
  let machine: OtherMachine;
  const processes: TestProcess[] = [];
  let near: Upstream;
  let gateway: GatewayProcess | undefined;

  beforeEach(async () => {
    machine = otherMachine();
    near = await startUpstream({ version: 'v1' });
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.stop('SIGKILL')));
    await gateway?.stop();
    gateway = undefined;
    await near?.stop();
    machine?.remove();
  });

  const runThere = async (...args: string[]): Promise<void> => {
    const process = machine.run(globalThis.process.execPath, [PEERS, ...args]);
    processes.push(process);
    await waitFor(
      () => {
        if (!process.isRunning()) throw new Error(process.stderr());
        return process.stdout().includes('ready');
      },
      { what: 'the other machine to be ready', timeoutMs: 20_000 },
    );
  };
  const count = async (name: string): Promise<number> => {
    const text = (await gateway!.admin.call('GET', '/metrics')).text();
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(' ')
        .at(-1),
    );
  };

  test('its clients are let go within the limits of what they were doing', async () => {
    const port = await freePort();
    gateway = await startGatewayProcess({
      versions: { v1: [near.url] },
      active: 'v1',
      listen: `0.0.0.0:${port}`,
      limits: {
        headerTimeout: '1s',
        clientIdle: '1s',
        bodyProgress: '1s',
        sendProgress: '1s',
        tunnelIdle: '2s',
        upstreamIdle: '1s',
      },
    });
    await runThere('clients', machine.here, String(port));
    machine.unplug();
    // All but the event stream: a few octets a second are taken by the kernel for minutes. See docs/reliability.md.
    await waitFor(async () => (await count('lockstep_connections{side="downstream"}')) === 1, {
      what: 'all but one to be gone',
      timeoutMs: 20_000,
    });
    await waitFor(async () => (await gateway!.admin.version('v1')).inFlight === 1, {
      what: 'their places to be free',
    });
    expect((await gateway.admin.version('v1')).sessions.streams).toBe(1);
    // The operator need not wait for it either.
    await gateway.admin.put('v2', [near.url.replace('127.0.0.1', 'localhost')]);
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.cutoff('v1', 'to be rid of its streams', 'v2');
    await waitFor(() => near.openConnections() === 0, {
      what: 'nothing to be left upstream',
      timeoutMs: 15_000,
    });
    expect((await httpRequest(`http://127.0.0.1:${port}/api/x`)).status).toBe(200);
  });

  test('T08: its upstream is a 504 at the connect limit, and an answer from there is visibly cut', async () => {
    await runThere('upstream', String(FAR_PORT));
    gateway = await startGatewayProcess({
      versions: { v1: [`http://${machine.there}:${FAR_PORT}`] },
      active: 'v1',
      limits: { connect: `${CONNECT_MS}ms`, firstByte: '1s' },
      // The requests meet it, not the checks.
      health: { interval: '60s' },
      deadPin: { patience: '0s' },
    });
    expect((await httpRequest(`${gateway.url}/ok`)).text()).toBe('half');
    const begun = await rawClient(gateway);
    await begun.send('GET /half HTTP/1.1\r\nHost: a\r\n\r\n');
    await waitFor(() => begun.received().includes('half'), { what: 'half an answer' });
    machine.unplug();
    await begun.waitForEnd(10_000);
    await expect(begun.answer()).rejects.toThrow('before a whole answer');
    // The kept connection is as dead as the machine: it gives no answer, and the next one no connection.
    const answers = [];
    for (let n = 0; n < 3; n++) {
      const startedMs = performance.now();
      const { status, headers } = await httpRequest(`${gateway.url}/ok`, { method: 'POST', body: 'x' });
      answers.push([status, headers['x-lockstep-error']]);
      if (headers['x-lockstep-error'] === 'connect-timeout') {
        expect(performance.now() - startedMs).toBeGreaterThan(CONNECT_MS * 0.9);
      }
    }
    expect(answers.at(-1)).toEqual([504, 'connect-timeout']);
    expect(answers.every(([status]) => status === 504)).toBe(true);
    expect((await gateway.admin.version('v1')).upstreams[0]!.inFlight).toBe(0);
    expect(await count('lockstep_connections{side="upstream"}')).toBe(0);
    machine.plugIn();
    await waitFor(async () => (await httpRequest(`${gateway!.url}/ok`)).status === 200, {
      what: 'it to be served again',
    });
  });
});
