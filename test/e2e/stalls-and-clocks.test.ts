// T20: the gateway's process stands still for two seconds and goes on with everything as it was (what clients sent meanwhile:
// stalled-loop.test.ts); and machines whose clocks are a day apart share their pins.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGatewayProcess } from '../kit/gateway-process.ts';
import { NAVIGATION, pinsSent, rawRequest } from '../kit/raw-request.ts';
import { type Message, valuesOf } from '../kit/strict-http.ts';
import { PIN_KEY, pinOf } from '../kit/two-versions.ts';
import { startUpstream } from '../kit/upstream.ts';

const STALL_MS = 2_000;
const DAY_MS = 86_400_000;

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

describe('T20: a process that stands still for two seconds', () => {
  test('leaves everything as it was', async () => {
    const app = await startUpstream({ version: 'v1' });
    cleanUp.push(() => app.stop());
    const gateway = await startGatewayProcess({
      versions: { v1: [app.url] },
      active: 'v1',
      health: { path: '/healthz', timeout: '500ms', fall: 1 },
    });
    cleanUp.push(() => gateway.stop());
    const before = await gateway.admin.status();
    gateway.process().signal('SIGSTOP');
    await sleep(STALL_MS); // it is the fault itself that takes this long
    gateway.process().signal('SIGCONT');
    const after = await gateway.admin.status();
    expect([after.epoch, after.active]).toEqual([before.epoch, before.active]);
    expect((await rawRequest(gateway, [])).status).toBe(200);
    expect((await gateway.admin.version('v1')).upstreams[0]!.health).toBe('up');
  });
});

describe("T20: a pin of a machine whose clock is a day apart from the gateway's", () => {
  const start = async (): Promise<GatewayProcess> => {
    const apps = await Promise.all(['v1', 'v2'].map((version) => startUpstream({ version })));
    for (const app of apps) cleanUp.push(() => app.stop());
    const gateway = await startGatewayProcess({
      versions: { v1: [apps[0]!.url], v2: [apps[1]!.url] },
      active: 'v1',
      cookie: { keys: [PIN_KEY] },
    });
    cleanUp.push(() => gateway.stop());
    await gateway.admin.wait('v2', 'healthy');
    await gateway.admin.promote('v2');
    return gateway;
  };
  const ask = (gateway: GatewayProcess, shiftMs: number, lines: readonly string[]): Promise<Message> => {
    const pin = pinOf({ version: 'v1', seen: Date.now() + shiftMs });
    return rawRequest(gateway, [`Cookie: lockstep=${pin}`, ...lines]);
  };
  const versionOf = (answer: Message): readonly string[] => valuesOf(answer, 'x-lockstep-version');

  test('ahead counts as seen now: its session stays on its version, and is not given another life', async () => {
    const gateway = await start();
    for (const lines of [[], NAVIGATION]) {
      const answer = await ask(gateway, DAY_MS, lines);
      expect(versionOf(answer)).toEqual(['v1']);
      expect(pinsSent(answer)).toEqual([]);
    }
  });

  test('behind has expired: a navigation begins anew, all else stays with the version of its page', async () => {
    const gateway = await start();
    expect(versionOf(await ask(gateway, -DAY_MS, []))).toEqual(['v1']);
    const navigation = await ask(gateway, -DAY_MS, NAVIGATION);
    expect(versionOf(navigation)).toEqual(['v2']);
    expect(pinsSent(navigation)).toHaveLength(1);
    // A session cookie: no clock, neither the browser's nor ours, says when it ends.
    expect(pinsSent(navigation)[0]).not.toMatch(/expires|max-age/i);
  });
});
